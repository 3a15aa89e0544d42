package wal

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
)

// restarted is a log of 5 entries that began anew behind 100, and went on to 105.
func restarted(t *testing.T) (f *memfs.FS, name string, before, reset int) {
	t.Helper()
	f = disk(t)
	l, err := Create(f, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 5; i++ {
		err = errors.Join(err, l.Append([]Entry{entry(i)}, &State{Term: i, Vote: 2}))
	}
	before = int(l.size)
	err = errors.Join(err, l.Reset(100, &State{Term: 11, Vote: 3}))
	reset = int(l.size)
	for i := uint64(101); i <= 105; i++ {
		err = errors.Join(err, l.Append([]Entry{entry(i)}, nil))
	}
	if err != nil {
		t.Fatal(err)
	}
	return f, l.segments[0].name, before, reset
}

// TestResetIsCutAnywhere: behind a snapshot that another member sent, a log goes on
// wherever power went, and its state is never older than what was durable.
func TestResetIsCutAnywhere(t *testing.T) {
	f, name, before, reset := restarted(t)
	whole, err := f.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for cut := before; cut <= len(whole); cut++ {
		g := disk(t)
		put(t, g, name, whole[:cut])
		behind := opts
		behind.Behind = true
		l, c, err := Open(g, dir, behind, 100)
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, len(whole), err)
		}
		if cut < reset && len(c.Entries) > 0 || c.State.Term < 5 || cut >= reset && c.State != (State{Term: 11, Vote: 3}) {
			t.Fatalf("cut at %d of %d: %d entries, state %+v", cut, len(whole), len(c.Entries), c.State)
		}
		for i, e := range c.Entries {
			if e.Index != uint64(101+i) {
				t.Fatalf("cut at %d: entry %d at place %d", cut, e.Index, i)
			}
		}
		next := uint64(101 + len(c.Entries))
		if err := l.Append([]Entry{entry(next)}, nil); err != nil {
			t.Fatal(err)
		}
		if _, again, err := Open(g, dir, behind, 100); err != nil || len(again.Entries) != len(c.Entries)+1 {
			t.Fatalf("cut at %d, after an append: %d entries, %v", cut, len(again.Entries), err)
		}
	}
}

// TestResetNeedsItsSnapshot: without it, and without leave to begin anew, nothing
// is made up.
func TestResetNeedsItsSnapshot(t *testing.T) {
	f, name, before, reset := restarted(t)
	if _, _, err := Open(f, dir, opts, 5); !errors.Is(err, ErrMissing) {
		t.Errorf("with the snapshot of before: %v", err)
	}
	if _, c, err := Open(f, dir, opts, 100); err != nil || len(c.Entries) != 5 {
		t.Errorf("with the snapshot: %d entries, %v", len(c.Entries), err)
	}
	whole, err := f.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	put(t, f, name, whole[:before])
	if _, _, err := Open(f, dir, opts, 100); !errors.Is(err, ErrMissing) {
		t.Errorf("cut before the reset, with the snapshot of a member's own: %v", err)
	}
	durable := opts
	durable.Behind, durable.Durable = true, End{filepath.Base(name), int64(reset)}
	if _, _, err := Open(f, dir, durable, 100); err == nil {
		t.Error("a reset that was durable is gone, and nobody says so")
	}
}

func TestFlippedResetIsNeverAccepted(t *testing.T) {
	f, name, before, reset := restarted(t)
	whole, err := f.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	behind := opts
	behind.Behind = true
	for at := before; at < reset; at++ {
		bad := bytes.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		put(t, f, name, bad)
		var damaged *CorruptError
		if _, c, err := Open(f, dir, behind, 100); !errors.As(err, &damaged) {
			t.Fatalf("flip at %d: %d entries, %v", at, len(c.Entries), fmt.Sprint(err))
		}
	}
}
