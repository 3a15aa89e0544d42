package keeper_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
)

const (
	endFile = "/data/keeper.end"
	logFile = "/data/log/0000000000000001.log"
)

// killed is the disk as a process that was killed leaves it: all that it wrote
// is there.
func killed(t *testing.T, f *memfs.FS) *memfs.FS {
	t.Helper()
	g := memfs.New(0, time.Now)
	for _, dir := range []string{"/data", "/data/log", "/data/snapshots"} {
		if err := g.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		files, err := f.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range files {
			if name := dir + "/" + e.Name(); !e.IsDir() {
				write(t, g, name, read(t, f, name))
			}
		}
	}
	return g
}

func read(t *testing.T, f *memfs.FS, name string) []byte {
	t.Helper()
	b, err := f.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, f *memfs.FS, name string, b []byte) {
	t.Helper()
	h, err := f.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// refuses expects that a keeper does not start, and says so.
func refuses(t *testing.T, f *memfs.FS, how string, texts ...string) {
	t.Helper()
	k, err := keeper.Start(t.Context(), piped(), onDisk(f), quiet)
	if err == nil {
		stop(t, k)
		t.Fatalf("%s: the keeper started", how)
	}
	for _, want := range texts {
		if !strings.Contains(err.Error(), want) {
			t.Fatalf("%s: %v, want %q", how, err, want)
		}
	}
}

// TestACutLogIsRefused cuts the log of a keeper at each byte, one that stopped in
// order and one that was killed: none of them is taken for what a power cut
// leaves.
func TestACutLogIsRefused(t *testing.T) {
	for how, end := range map[string]func(t *testing.T, f *memfs.FS, k *keeper.Keeper) *memfs.FS{
		"stopped": func(t *testing.T, f *memfs.FS, k *keeper.Keeper) *memfs.FS { stop(t, k); return f },
		"killed": func(t *testing.T, f *memfs.FS, k *keeper.Keeper) *memfs.FS {
			defer stop(t, k)
			return killed(t, f)
		},
	} {
		t.Run(how, func(t *testing.T) {
			f := memfs.New(0, time.Now)
			k := boot(t, piped(), onDisk(f))
			c := pipeClient(t, k)
			c.must(create("/acknowledged", zk.Persistent))
			f = end(t, f, k)
			whole := read(t, f, logFile)
			for cut := len(whole) - 1; cut >= 0; cut-- {
				write(t, f, logFile, whole[:cut])
				refuses(t, f, fmt.Sprintf("cut to %d of %d bytes", cut, len(whole)), logFile, "nothing was changed", "restore", "keeper.end")
				if got := len(read(t, f, logFile)); got != cut {
					t.Fatalf("cut to %d bytes: the log has %d after the refusal", cut, got)
				}
			}
			write(t, f, logFile, whole)
			k = boot(t, piped(), onDisk(f)) // as good as it was
			defer stop(t, k)
			pipeClient(t, k).must(&zk.ExistsRequest{Path: "/acknowledged"})
		})
	}
}

// A log that only looks like a power cut, for a sector of zeros, is told by the
// mark too.
func TestAWipedEndIsRefused(t *testing.T) {
	f := memfs.New(0, time.Now)
	k := boot(t, piped(), onDisk(f))
	large := create("/large", zk.Persistent)
	large.Data = bytes.Repeat([]byte("x"), 2000)
	pipeClient(t, k).must(large)
	g := killed(t, f)
	stop(t, k)
	log := read(t, g, logFile)
	clear(log[len(log)-1000:])
	write(t, g, logFile, log)
	refuses(t, g, "wiped", logFile, "though it was durable")
	if err := g.Remove(endFile); err != nil {
		t.Fatal(err)
	}
	stop(t, boot(t, piped(), onDisk(g))) // what the mark is for
}

func TestAMissingSegmentIsRefused(t *testing.T) {
	f := memfs.New(0, time.Now)
	stop(t, boot(t, piped(), onDisk(f)))
	log := read(t, f, logFile)
	if err := f.Remove(logFile); err != nil {
		t.Fatal(err)
	}
	refuses(t, f, "without a log", logFile+" is missing", "put it back")
	write(t, f, logFile, log)
	newer := strings.Replace(string(read(t, f, endFile)), "0000000000000001.log", "0000000000000002.log", 1)
	newer = newer[:strings.Index(newer, "crc=")]
	newer += fmt.Sprintf("crc=%08x\n", crc32.Checksum([]byte(newer), crc32.MakeTable(crc32.Castagnoli)))
	write(t, f, endFile, []byte(newer))
	refuses(t, f, "without the newest segment", "0000000000000002.log is missing", "put it back")
	if err := f.Remove("/data/keeper.meta"); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(logFile); err != nil {
		t.Fatal(err)
	}
	refuses(t, f, "without log and meta data", "keeper.meta is missing")
}

// A mark that is old, or cannot be read, is no reason to refuse anything.
func TestAMarkThatSaysLess(t *testing.T) {
	f := memfs.New(0, time.Now)
	k := boot(t, piped(), onDisk(f))
	old := read(t, f, endFile)
	pipeClient(t, k).must(create("/a", zk.Persistent))
	g := killed(t, f)
	stop(t, k)
	mark := read(t, g, endFile)
	if bytes.Equal(mark, old) || len(mark) != len(old) {
		t.Fatalf("%q after %q", mark, old)
	}
	for i := range mark {
		torn := slices.Concat(mark[:i], old[i:])
		write(t, g, endFile, torn)
		stop(t, boot(t, piped(), onDisk(killed(t, g))))
	}
	// Digits of two marks in a row may say more than either: then nothing counts.
	log := read(t, g, logFile)
	write(t, g, logFile, log[:len(log)-1])
	for i := range mark {
		bad := bytes.Clone(mark)
		bad[i] ^= 1
		write(t, g, endFile, bad)
		stop(t, boot(t, piped(), onDisk(killed(t, g))))
	}
	write(t, g, endFile, mark)
	refuses(t, g, "with the whole mark", logFile)
}

// A mark that cannot be written costs the evidence, and nothing else.
func TestAMarkThatCannotBeWritten(t *testing.T) {
	f := memfs.New(0, time.Now)
	k := boot(t, piped(), onDisk(f))
	f.SetInjector(func(op memfs.Op, name string) error {
		if op == memfs.OpWrite && name == endFile {
			return syscall.ENOSPC
		}
		return nil
	})
	c := pipeClient(t, k)
	c.must(create("/a", zk.Persistent))
	c.must(create("/b", zk.Persistent))
	stop(t, k)
	k = boot(t, piped(), onDisk(f))
	pipeClient(t, k).must(&zk.ExistsRequest{Path: "/b"})
	stop(t, k)
}
