package suite

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/contrib/snapshotservice"
	"github.com/containerd/containerd/snapshots"
	"github.com/containerd/containerd/snapshots/devmapper"
	"github.com/containerd/containerd/snapshots/proxy"
	"google.golang.org/grpc"
)

// figure is a sorted list of durations.
type figure []time.Duration

func (f figure) median() time.Duration {
	sort.Slice(f, func(i, j int) bool { return f[i] < f[j] })
	return f[len(f)/2]
}

// measured are the durations of one contender, by operation.
type measured map[string]figure

func (m measured) time(t *testing.T, name string, body func() error) {
	begin := time.Now()
	if err := body(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	m[name] = append(m[name], time.Since(begin))
}

func shell(t *testing.T, script string) string {
	output, err := exec.Command("sh", "-euc", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", script, err, output)
	}
	return strings.TrimSpace(string(output))
}

// pool makes a thin pool on two files, as for containerd's own snapshotter.
func pool(t *testing.T, directory, name string) {
	shell(t, fmt.Sprintf(`cd %s; truncate -s 4G data; truncate -s 32M metadata
		dmsetup create %s --table "0 8388608 thin-pool $(losetup -f --show metadata) $(losetup -f --show data) 128 32768 1 skip_block_zeroing"`,
		directory, name))
}

// TestPeer serves containerd's own devmapper snapshotter on a socket, in the process that peer starts.
func TestPeer(t *testing.T) {
	directory := os.Getenv("PEER")
	if directory == "" {
		t.Skip("TestCompare starts it")
	}
	snapshotter, err := devmapper.NewSnapshotter(context.Background(), &devmapper.Config{
		RootPath: filepath.Join(directory, "root"), PoolName: "peer", BaseImageSize: "400MB", FileSystemType: "ext4",
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(directory, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	snapshotsapi.RegisterSnapshotsServer(server, snapshotservice.FromSnapshotter(snapshotter))
	if err := server.Serve(listener); err != nil {
		t.Fatal(err)
	}
}

// peer is containerd's own devmapper snapshotter in a process of its own, as ours is in one.
func peer(t *testing.T, directory string) snapshots.Snapshotter {
	pool(t, directory, "peer")
	process := exec.Command(os.Args[0], "-test.run", "^TestPeer$", "-test.timeout", "0")
	process.Env = append(os.Environ(), "PEER="+directory)
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	connection, err := grpc.Dial("unix://"+filepath.Join(directory, "socket"), grpc.WithInsecure(), grpc.WithBlock(),
		grpc.WithTimeout(60*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return proxy.NewSnapshotter(snapshotsapi.NewSnapshotsClient(connection), "peer")
}

// floor issues the bare ioctls.
type floor struct {
	control, journal int
	pool             uint64
	name             string
}

type request struct {
	version               [3]uint32
	size, start, targets  uint32
	open                  int32
	flags, event, padding uint32
	device                uint64
	name                  [128]byte
	uuid                  [129]byte
	data                  [7]byte
	payload               [512]byte
}

func (f *floor) ioctl(command uintptr, name string, flags uint32, payload []byte, device uint64) error {
	r := request{version: [3]uint32{4, 2, 0}, size: uint32(unsafe.Sizeof(request{})), start: 312, flags: flags, device: device}
	copy(r.name[:], name)
	copy(r.payload[:], payload)
	if command == 9 {
		r.targets = 1
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(f.control), 0xc138fd00|command, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("ioctl %d of %s: %w", command, name, errno)
	}
	return nil
}

func (f *floor) message(text string) error {
	return f.ioctl(14, "", 0, append(make([]byte, 8), text...), f.pool)
}

func (f *floor) note() error {
	if _, err := syscall.Write(f.journal, make([]byte, 160)); err != nil {
		return err
	}
	return syscall.Fdatasync(f.journal)
}

func (f *floor) prepare(id, origin int) error {
	if err := f.message(fmt.Sprintf("create_snap %d %d", id, origin)); err != nil {
		return err
	}
	name := fmt.Sprintf("floor-%d", id)
	if err := f.ioctl(3, name, 0, nil, 0); err != nil {
		return err
	}
	target := make([]byte, 40)
	*(*uint64)(unsafe.Pointer(&target[8])) = 400 << 11
	copy(target[24:], "thin")
	if err := f.ioctl(9, name, 0, append(target, fmt.Sprintf("%s %d", f.name, id)...), 0); err != nil {
		return err
	}
	if err := f.ioctl(6, name, 0, nil, 0); err != nil {
		return err
	}
	return f.note()
}

func (f *floor) commit(id int) error {
	name := fmt.Sprintf("floor-%d", id)
	if err := f.ioctl(12, name, 0, nil, 0); err != nil {
		return err
	}
	if err := f.ioctl(6, name, 2, nil, 0); err != nil {
		return err
	}
	if err := f.ioctl(6, name, 0, nil, 0); err != nil {
		return err
	}
	if err := f.ioctl(4, name, 0, nil, 0); err != nil {
		return err
	}
	return f.note()
}

// Ours, containerd's own and the bare ioctls, in turns in one boot.
func TestCompare(t *testing.T) {
	if os.Getenv("COMPARE") == "" {
		t.Skip("it is not asked for")
	}
	const rounds = 60
	directory := t.TempDir()
	// Ours are down when this ends; the others take nothing down. The pools go after what stands on them.
	t.Cleanup(func() { shell(t, "dmsetup remove_all; dmsetup remove_all") })
	ctx := context.Background()
	ours, stop, err := start(ctx, directory)
	if err != nil {
		t.Fatal(err)
	}
	contenders := map[string]snapshots.Snapshotter{"ours": ours}
	if os.Getenv("COMPARE") == "peer" {
		os.Mkdir(filepath.Join(directory, "peer"), 0700)
		contenders["containerd's"] = peer(t, filepath.Join(directory, "peer"))
	}
	os.Mkdir(filepath.Join(directory, "floor"), 0700)
	pool(t, filepath.Join(directory, "floor"), "floor")
	bare := &floor{name: shell(t, "dmsetup info -c --noheadings -o major,minor --separator : floor")}
	bare.control, err = syscall.Open("/dev/mapper/control", syscall.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	bare.journal, err = syscall.Open(filepath.Join(directory, "journal"), syscall.O_CREAT|syscall.O_WRONLY|syscall.O_APPEND, 0600)
	if err != nil {
		t.Fatal(err)
	}
	var major, minor uint64
	fmt.Sscanf(bare.name, "%d:%d", &major, &minor)
	bare.pool = minor&0xff | major<<8 | (minor&^0xff)<<12
	if err := bare.message("create_thin 0"); err != nil {
		t.Fatal(err)
	}

	results := map[string]measured{"floor": {}}
	for name, s := range contenders {
		m := measured{}
		results[name] = m
		m.time(t, "Prepare, no parent", func() error { _, err := s.Prepare(ctx, "base work", ""); return err })
		m.time(t, "Commit of that", func() error { return s.Commit(ctx, "base", "base work") })
	}
	for round := 0; round < rounds; round++ {
		for name, s := range contenders {
			m := results[name]
			if name != "ours" && round >= 12 {
				continue
			}
			key := fmt.Sprintf("key %d", round)
			m.time(t, "Prepare", func() error { _, err := s.Prepare(ctx, key, "base"); return err })
			m.time(t, "Mounts", func() error { _, err := s.Mounts(ctx, key); return err })
			m.time(t, "Stat", func() error { _, err := s.Stat(ctx, key); return err })
			m.time(t, "Usage", func() error { _, err := s.Usage(ctx, key); return err })
			m.time(t, "Commit", func() error { return s.Commit(ctx, "layer "+key, key) })
			m.time(t, "Remove, committed", func() error { return s.Remove(ctx, "layer "+key) })
			if _, err := s.Prepare(ctx, key, "base"); err != nil {
				t.Fatal(err)
			}
			m.time(t, "Remove, active", func() error { return s.Remove(ctx, key) })
		}
		m := results["floor"]
		m.time(t, "Prepare", func() error { return bare.prepare(1+round, 0) })
		m.time(t, "Commit", func() error { return bare.commit(1 + round) })
	}
	for _, operation := range []string{"Prepare, no parent", "Commit of that", "Prepare", "Commit", "Remove, active", "Remove, committed", "Mounts", "Stat", "Usage"} {
		line := fmt.Sprintf("%-20s", operation)
		for _, name := range []string{"floor", "ours", "containerd's"} {
			if f := results[name][operation]; len(f) > 0 {
				line += fmt.Sprintf("  %s %8d µs", name, f.median().Microseconds())
			}
		}
		t.Log(line)
	}
	for name, s := range contenders {
		total := 64
		if name != "ours" {
			total = 16
		}
		for _, clients := range []int{1, 8} {
			begin := time.Now()
			var group sync.WaitGroup
			for index := 0; index < clients; index++ {
				group.Add(1)
				go func(index int) {
					defer group.Done()
					for number := 0; number < total/clients; number++ {
						if _, err := s.Prepare(ctx, fmt.Sprintf("many %d %d %d", clients, index, number), "base"); err != nil {
							t.Error(err)
						}
					}
				}(index)
			}
			group.Wait()
			t.Logf("%s: %d Prepares by %d clients in %d ms, %d µs each", name, total, clients,
				time.Since(begin).Milliseconds(), time.Since(begin).Microseconds()/int64(total))
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
