package badstart

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/inside"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mount makes a small file system, when the machine allows it.
func mount(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting a file system needs more rights than this user has: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	s := siteIn(t, mount(t, "size=8m"))
	p := s.up()
	s.write("precious", "kept")
	if err := p.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	remount(t, s.dir, syscall.MS_RDONLY)
	s.refused(s.path("logs"), "read-only file system", "mount that disk writable")
	s.overrides["log.dirs"] = t.TempDir() + "/logs"
	s.refused(s.path("keeper"), "read-only file system", "mount that disk writable")
	delete(s.overrides, "log.dirs")
	remount(t, s.dir, 0)
	s.up()
	s.holds("precious", "kept")
}

func TestFullDiskAtStart(t *testing.T) {
	s := siteIn(t, mount(t, "size=1m"))
	fill(t, s.path("filler"))
	s.refusedAnyhow(s.path("keeper"), "no space left on device", "make room")
	if err := os.Remove(s.path("filler")); err != nil {
		t.Fatal(err)
	}
	s.up() // what the first try left is no hindrance
	s.write("precious", "kept")
}

// fill writes until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1 << 16, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDiskRunsFull: the log directory of a running broker runs full. It says
// so, refuses what it cannot keep, and has everything else after a restart.
func TestDiskRunsFull(t *testing.T) {
	s := siteIn(t, mount(t, "size=1m"))
	s.overrides["gregor.keeper.data.dir"] = t.TempDir() + "/keeper" // on a disk of its own
	p := s.up()
	s.write("precious", "kept")
	// An idempotent producer would not give up a record that may be in the log.
	acked := flood(t, s.client(kgo.RecordDeliveryTimeout(time.Second), kgo.DisableIdempotentWrite()))
	// No directory is left: it ends, and at once.
	if code, err := p.Wait(t.Context(), 10*time.Second); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if out := p.Output(); !strings.Contains(out, s.path("logs")) || !strings.Contains(out, "no space left on device") ||
		!strings.Contains(out, "make room on that disk") {
		t.Errorf("nothing is said about the disk:\n%s", out)
	}
	remountSize(t, s.dir, "size=16m")
	s.up()
	s.holds("precious", "kept")
	s.counts("flood", acked)
}

func remountSize(t *testing.T, dir, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, options); err != nil {
		t.Fatal(err)
	}
}

// flood produces until the broker refuses, and returns how many records it
// acknowledged.
func flood(t *testing.T, cl *kgo.Client) (acked int) {
	t.Helper()
	for range 10_000 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := cl.ProduceSync(ctx, &kgo.Record{Topic: "flood", Value: make([]byte, 50_000)}).FirstErr()
		cancel()
		if err != nil {
			return acked
		}
		acked++
	}
	t.Fatal("the disk does not run full")
	return 0
}

// counts makes sure that a topic has at least n records that can be read.
func (s *site) counts(topic string, n int) {
	s.t.Helper()
	cl := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for got := 0; got < n; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			s.t.Fatalf("%d of %d acknowledged records of %s: %v", got, n, topic, err)
		}
		got += len(fetches.Records())
	}
}

// TestFullMemoryDisk is the same inside this process, keeper and all on one
// disk, where nobody may mount anything.
func TestFullMemoryDisk(t *testing.T) {
	m := inside.New(2<<20, map[string]string{"auto.create.topics.enable": "true"})
	n, err := m.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(m.Options(), kgo.AllowAutoTopicCreation(), kgo.RecordDeliveryTimeout(time.Second),
		kgo.MetadataMinAge(50*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	acked := flood(t, cl)
	select {
	case <-n.Done():
	case <-time.After(patience):
		t.Fatal("the broker has no directory left and goes on")
	}
	if err := n.Err(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the broker ended with %v", err)
	}
	_ = inside.Stop(n) // a disk that is full cannot be left clean
	room := inside.New(0, m.Properties)
	copyDisk(t, m, room)
	if n, err = room.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := inside.Stop(n); err != nil {
			t.Error(err)
		}
	}()
	reader, err := kgo.NewClient(append(room.Options(), kgo.ConsumeTopics("flood"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for got := 0; got < acked; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil && !kerr.IsRetriable(err) {
			t.Fatal(err)
		}
		got += len(fetches.Records())
	}
}

// copyDisk puts all files of one machine on another, larger one.
func copyDisk(t *testing.T, from, to *inside.Machine) {
	t.Helper()
	var visit func(dir string)
	visit = func(dir string) {
		entries, err := from.Disk.ReadDir(dir)
		if err == nil {
			err = to.Disk.MkdirAll(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := dir + "/" + e.Name()
			if e.IsDir() {
				visit(name)
				continue
			}
			text, err := from.Disk.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := to.Disk.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(text, 0); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	visit("/data")
}
