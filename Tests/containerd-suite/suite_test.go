// containerd's own test suite for snapshotters, on a store and a service of its own for each test.
package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/snapshots"
	"github.com/containerd/containerd/snapshots/proxy"
	"github.com/containerd/containerd/snapshots/testsuite"
	"google.golang.org/grpc"
)

// command is dmlayer on the store in root.
func command(root string, arguments ...string) *exec.Cmd {
	options := []string{
		"--root", filepath.Join(root, "store"), "--storage-opt", "dm.fs=" + os.Getenv("FILESYSTEM"),
		"--storage-opt", "dm.loopdatasize=4g", "--storage-opt", "dm.loopmetadatasize=16m",
		"--storage-opt", "dm.basesize=400m", "--storage-opt", "dm.min_free_space=1%",
	}
	command := exec.Command(os.Getenv("DMLAYER"), append(options, arguments...)...)
	command.Stderr = os.Stderr
	return command
}

// services are the running ones, by root.
var lock sync.Mutex
var services = map[string]*exec.Cmd{}

func start(ctx context.Context, root string) (snapshots.Snapshotter, func() error, error) {
	socket := filepath.Join(root, "socket")
	service := command(root, "serve", "--socket", socket)
	if err := service.Start(); err != nil {
		return nil, nil, err
	}
	lock.Lock()
	services[root] = service
	lock.Unlock()
	connection, err := grpc.DialContext(ctx, "unix://"+socket, grpc.WithInsecure(), grpc.WithBlock(),
		grpc.WithTimeout(60*time.Second))
	if err != nil {
		return nil, nil, err
	}
	stop := func() error {
		connection.Close()
		if err := service.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		if err := service.Wait(); err != nil {
			return fmt.Errorf("the service: %w", err)
		}
		if err := command(root, "shutdown").Run(); err != nil {
			return fmt.Errorf("shutdown: %w", err)
		}
		metadata := filepath.Join(root, "store/devicemapper/metadata")
		if output, err := exec.Command("thin_check", metadata).CombinedOutput(); err != nil {
			return fmt.Errorf("thin_check: %w: %s", err, output)
		}
		return nil
	}
	return proxy.NewSnapshotter(snapshotsapi.NewSnapshotsClient(connection), "dmlayer"), stop, nil
}

func TestSnapshotter(t *testing.T) {
	testsuite.SnapshotterSuite(t, "dmlayer", start)
}
