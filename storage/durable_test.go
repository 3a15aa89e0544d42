package storage

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
)

func TestNewDirectoriesOutliveAPowerCut(t *testing.T) {
	b := newBench(t)
	for _, dir := range []string{"/new/with/parents", "/new/with/brother", "/alone", "below/here"} {
		if err := makeDurable(b.fs, dir); err != nil {
			t.Fatal(err)
		}
		if _, err := b.fs.CrashClone(memfs.Crash{}).Stat(dir); err != nil {
			t.Errorf("after a power cut: %v", err)
		}
	}
}

// A flush that does not get to its end still spares the next recovery what it
// has made durable.
func TestRecoveryPointFollowsTheFlush(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentBytes = 200
	l := b.create()
	for i := range 40 {
		b.append(l, b.batch(fmt.Sprintf("word%d", i), 2))
	}
	segs := l.segments()
	if len(segs) < 6 {
		t.Fatalf("%d segments", len(segs))
	}
	stop := segs[4]
	b.fs.SetInjector(func(op memfs.Op, name string) error {
		if op == memfs.OpSync && strings.HasSuffix(name, filepath.Base(stop.path(suffixLog))) {
			return syscall.EIO
		}
		return nil
	})
	if err := l.Flush(); err == nil {
		t.Fatal("Flush worked on a disk that fails")
	}
	if got := l.RecoveryPoint(); got != stop.base {
		t.Errorf("recovery point %d, want %d: all before it was synced", got, stop.base)
	}
	// What the point relies on is there when the power goes, and no more.
	after := b.fs.CrashClone(memfs.Crash{})
	for _, s := range segs[1:4] {
		for _, suffix := range []string{suffixLog, suffixIndex, suffixTimeIndex, suffixSnapshot} {
			want, err := b.fs.ReadFile(s.path(suffix))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := after.ReadFile(s.path(suffix)); err != nil || string(got) != string(want) {
				t.Errorf("%s%s after a power cut: %d bytes of %d, %v", filepath.Base(s.path("")), suffix, len(got), len(want), err)
			}
		}
	}
}
