package suite

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/errdefs"
	"github.com/containerd/containerd/snapshots"
)

// client works on keys of its own and keeps a model of them.
type client struct {
	snapshotter snapshots.Snapshotter
	random      *rand.Rand
	prefix      string
	next        int
	model       map[string]snapshots.Info
	// uncertain are the keys of calls that were cancelled, and what they are made from: such a call may still be under
	// way, and nobody tells when it ends.
	uncertain map[string]string
}

func (c *client) key() string {
	c.next++
	return fmt.Sprintf("%s/%d", c.prefix, c.next)
}

// pick is the key of any snapshot of one of the kinds, or empty.
func (c *client) pick(kinds ...snapshots.Kind) string {
	var keys []string
	for key, info := range c.model {
		for _, kind := range kinds {
			if info.Kind == kind {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return keys[c.random.Intn(len(keys))]
}

func (c *client) hasChild(key string) bool {
	for _, info := range c.model {
		if info.Parent == key {
			return true
		}
	}
	return false
}

func (c *client) mayHaveChild(key string) bool {
	for _, parent := range c.uncertain {
		if parent == key {
			return true
		}
	}
	return c.hasChild(key)
}

// settle asks what has become of the calls that were cancelled, when all of them have ended.
func (c *client) settle() error {
	for key := range c.uncertain {
		if err := c.learn(key); err != nil {
			return err
		}
	}
	c.uncertain = map[string]string{}
	return nil
}

// learn asks what has become of a key after a call that was cancelled.
func (c *client) learn(key string) error {
	info, err := c.snapshotter.Stat(context.Background(), key)
	if errdefs.IsNotFound(err) {
		delete(c.model, key)
		return nil
	}
	if err == nil {
		c.model[key] = info
	}
	return err
}

func (c *client) step() error {
	ctx := context.Background()
	isCancelled := c.random.Intn(10) == 0
	if isCancelled {
		// Some calls end before that; a service that is told in the middle goes on to the end of what it does.
		limited, cancel := context.WithTimeout(ctx, time.Duration(c.random.Intn(5000))*time.Microsecond)
		defer cancel()
		ctx = limited
	}
	touched, parent := []string{}, ""
	var err error
	kind := c.random.Intn(10)
	if len(c.model) > 12 && kind < 4 {
		kind = 6
	}
	switch kind {
	case 0, 1, 2, 3:
		key := c.key()
		if c.random.Intn(3) > 0 {
			parent = c.pick(snapshots.KindCommitted)
		}
		touched = append(touched, key)
		labels := snapshots.WithLabels(map[string]string{"containerd.io/snapshot/test": key})
		if kind == 3 {
			_, err = c.snapshotter.View(ctx, key, parent, labels)
		} else {
			_, err = c.snapshotter.Prepare(ctx, key, parent, labels)
		}
	case 4, 5:
		key := c.pick(snapshots.KindActive)
		if key == "" {
			return nil
		}
		name := c.key()
		parent = c.model[key].Parent
		touched = append(touched, key, name)
		err = c.snapshotter.Commit(ctx, name, key)
	case 6:
		key := c.pick(snapshots.KindActive, snapshots.KindView, snapshots.KindCommitted)
		if key == "" {
			return nil
		}
		parent = c.model[key].Parent
		touched = append(touched, key)
		err = c.snapshotter.Remove(ctx, key)
		if c.hasChild(key) {
			if err == nil {
				return fmt.Errorf("%s was removed from below its children", key)
			}
		}
		if errdefs.IsFailedPrecondition(err) && c.mayHaveChild(key) {
			err = nil
		}
	case 7:
		if key := c.pick(snapshots.KindActive, snapshots.KindView); key != "" {
			_, err = c.snapshotter.Mounts(ctx, key)
		}
	case 8:
		if key := c.pick(snapshots.KindActive, snapshots.KindCommitted); key != "" {
			info := c.model[key]
			touched, parent = append(touched, key), info.Parent
			info.Labels = map[string]string{"containerd.io/snapshot/step": strconv.Itoa(c.next)}
			_, err = c.snapshotter.Update(ctx, info, "labels.containerd.io/snapshot/step")
		}
	default:
		if key := c.pick(snapshots.KindActive, snapshots.KindCommitted); key != "" {
			_, err = c.snapshotter.Usage(ctx, key)
		}
	}
	if err != nil && !(isCancelled && ctx.Err() != nil) {
		return err
	}
	if isCancelled && err != nil {
		for _, key := range touched {
			c.uncertain[key] = parent
			delete(c.model, key)
		}
		return nil
	}
	for _, key := range touched {
		if err := c.learn(key); err != nil {
			return err
		}
	}
	return nil
}

// figures are the resident memory in KiB and the number of descriptors of a process.
func figures(t *testing.T, process int) (memory, descriptors int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") {
			memory, _ = strconv.Atoi(strings.Fields(line)[1])
		}
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", process))
	if err != nil {
		t.Fatal(err)
	}
	return memory, len(entries)
}

// Eight clients do what comes to their minds, and take back some of it; at the end the service has what they think.
func TestSoak(t *testing.T) {
	operations, err := strconv.Atoi(os.Getenv("OPERATIONS"))
	if err != nil {
		t.Skip("OPERATIONS does not say how many")
	}
	root := t.TempDir()
	snapshotter, stop, err := start(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	const clients = 8
	quarter := operations / clients / 4
	models := make([]*client, clients)
	for index := range models {
		models[index] = &client{
			snapshotter: snapshotter, random: rand.New(rand.NewSource(int64(index))),
			prefix: fmt.Sprintf("soak %d", index), model: map[string]snapshots.Info{}, uncertain: map[string]string{},
		}
	}
	for part := 0; part < 4; part++ {
		var group sync.WaitGroup
		for _, one := range models {
			group.Add(1)
			go func(c *client) {
				defer group.Done()
				for number := 0; number < quarter; number++ {
					if err := c.step(); err != nil {
						t.Errorf("%s: %v", c.prefix, err)
						return
					}
				}
			}(one)
		}
		group.Wait()
		time.Sleep(3 * time.Second)
		for _, one := range models {
			if err := one.settle(); err != nil {
				t.Error(err)
			}
		}
		memory, descriptors := figures(t, services[root].Process.Pid)
		t.Logf("after %d operations: %d KiB resident, %d descriptors", (part+1)*quarter*clients, memory, descriptors)
	}
	found := map[string]snapshots.Info{}
	err = snapshotter.Walk(context.Background(), func(_ context.Context, info snapshots.Info) error {
		found[info.Name] = info
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	expected := 0
	for _, one := range models {
		for key, info := range one.model {
			expected++
			if fmt.Sprint(found[key]) != fmt.Sprint(info) {
				t.Errorf("%s is %v and not %v", key, found[key], info)
			}
		}
	}
	if len(found) != expected {
		t.Errorf("there are %d snapshots and not %d", len(found), expected)
	}
	t.Logf("%d snapshots are left, as they should be", expected)
	if err := stop(); err != nil {
		t.Error(err)
	}
}
