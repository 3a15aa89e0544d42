package snap

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
)

const dir = "/snapshots"

func disk(t testing.TB) *memfs.FS {
	t.Helper()
	f := memfs.New(0, time.Now)
	if err := errors.Join(f.MkdirAll(dir, 0o755), f.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return f
}

var meta = Meta{DirID: 5, Index: 300, Term: 4, Zxid: 7<<32 | 9, Members: Members{Voters: []uint64{1, 2, 3}, Learners: []uint64{4}}, Ensemble: 77}

func chunks(n int) [][]byte {
	var all [][]byte
	for i := range n {
		all = append(all, []byte(strings.Repeat(fmt.Sprint("chunk ", i, ";"), 1+i*3)))
	}
	return all
}

// source gives chunks out as a tree does.
func source(all [][]byte) func([]byte) ([]byte, bool) {
	return func(dst []byte) ([]byte, bool) {
		c := all[0]
		all = all[1:]
		return append(dst, c...), len(all) > 0
	}
}

func ok() error { return nil }

func read(f *memfs.FS, index uint64) (m Meta, all [][]byte, err error) {
	m, err = Read(f, dir, index, 5, func(b []byte) error {
		all = append(all, bytes.Clone(b))
		return nil
	})
	return m, all, err
}

func TestSnapshotComesBack(t *testing.T) {
	f := disk(t)
	want := chunks(20)
	size, err := Write(f, dir, meta, source(want), ok)
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat(dir + "/" + fileName(300))
	if err != nil || st.Size() != size {
		t.Fatalf("size %d, %v", size, err)
	}
	m, got, err := read(f, 300)
	if err != nil || !reflect.DeepEqual(m, meta) || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %d chunks, %v", m, len(got), err)
	}
	if _, err := Read(f, dir, 300, 6, func([]byte) error { return nil }); err == nil || !strings.Contains(err.Error(), "another keeper") {
		t.Fatalf("of another directory: %v", err)
	}
}

func TestCutAndFlippedBytesAreRefused(t *testing.T) {
	f := disk(t)
	if _, err := Write(f, dir, meta, source(chunks(4)), ok); err != nil {
		t.Fatal(err)
	}
	name := dir + "/" + fileName(300)
	whole, err := f.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	try := func(b []byte, what string) {
		t.Helper()
		h, err := f.Open(name, os.O_RDWR|os.O_TRUNC, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := read(f, 300); err == nil || !strings.Contains(err.Error(), name) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for cut := range whole {
		try(whole[:cut], fmt.Sprintf("cut at %d", cut))
	}
	for at := range whole {
		bad := bytes.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		try(bad, fmt.Sprintf("flip at %d", at))
	}
	try(append(whole, 0), "one byte more")
}

func TestLoadErrorNamesTheChunk(t *testing.T) {
	f := disk(t)
	if _, err := Write(f, dir, meta, source(chunks(3)), ok); err != nil {
		t.Fatal(err)
	}
	_, err := Read(f, dir, 300, 5, func(b []byte) error { return errors.New("not a tree") })
	if c, is := errors.AsType[*CorruptError](err); !is || c.Offset == 0 || !strings.Contains(c.Reason, "not a tree") {
		t.Fatalf("%v", err)
	}
}

// TestHalfSnapshotNeverCounts fails or crashes the writing at every call.
func TestHalfSnapshotNeverCounts(t *testing.T) {
	for fail := range 12 {
		f := disk(t)
		first := meta
		first.Index = 100
		if _, err := Write(f, dir, first, source(chunks(2)), ok); err != nil {
			t.Fatal(err)
		}
		calls := 0
		f.SetInjector(func(memfs.Op, string) error {
			if calls++; calls > fail {
				return errors.New("disk is gone")
			}
			return nil
		})
		_, err := Write(f, dir, meta, source(chunks(5)), ok)
		f.SetInjector(nil)
		for _, after := range []*memfs.FS{f, f.CrashClone(memfs.Crash{Rand: rand.New(rand.NewPCG(uint64(fail), 1)), KeepPercent: 50})} {
			found, listErr := List(after, dir)
			if listErr != nil {
				t.Fatal(listErr)
			}
			for _, index := range found {
				if _, _, readErr := read(after, index); readErr != nil {
					t.Fatalf("call %d failed (%v): %v", fail, err, readErr)
				}
			}
			if found[len(found)-1] != 100 {
				t.Fatalf("call %d failed: the older snapshot is gone: %v", fail, found)
			}
		}
	}
	f := disk(t)
	if _, err := Write(f, dir, meta, source(chunks(2)), func() error { return errors.New("stopped") }); err == nil {
		t.Fatal("a stopped snapshot was written")
	}
	if found, err := List(f, dir); err != nil || len(found) != 0 {
		t.Fatalf("%v, %v", found, err)
	}
}

func TestPurgeKeepsTheNewest(t *testing.T) {
	f := disk(t)
	for _, i := range []uint64{10, 40, 20, 30} {
		m := meta
		m.Index = i
		if _, err := Write(f, dir, m, source(chunks(1)), ok); err != nil {
			t.Fatal(err)
		}
	}
	if oldest, err := Purge(f, dir, 3); err != nil || oldest != 20 {
		t.Fatalf("%d, %v", oldest, err)
	}
	if found, err := List(f, dir); err != nil || !reflect.DeepEqual(found, []uint64{40, 30, 20}) {
		t.Fatalf("%v, %v", found, err)
	}
	if oldest, err := Purge(f, dir, 9); err != nil || oldest != 20 {
		t.Fatalf("%d, %v", oldest, err)
	}
}

func FuzzRead(fz *testing.F) {
	f := disk(fz)
	if _, err := Write(f, dir, meta, source(chunks(2)), ok); err != nil {
		fz.Fatal(err)
	}
	whole, err := f.ReadFile(dir + "/" + fileName(300))
	if err != nil {
		fz.Fatal(err)
	}
	fz.Add(whole)
	fz.Add(whole[:headSize+3])
	fz.Fuzz(func(t *testing.T, b []byte) {
		f := disk(t)
		h, err := f.Open(dir+"/"+fileName(300), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		m, all, err := read(f, 300)
		if err != nil {
			return
		}
		g := disk(t)
		if len(all) == 0 {
			return
		}
		if _, err := Write(g, dir, m, source(all), ok); err != nil {
			t.Fatal(err)
		}
		if again, _, err := read(g, 300); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}
