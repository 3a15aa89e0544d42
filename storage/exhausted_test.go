package storage

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
)

// withoutFiles makes opens of files of a kind fail while f runs.
func (b *bench) withoutFiles(errno error, suffix string, f func()) {
	b.fs.SetInjector(func(op memfs.Op, name string) error {
		if op == memfs.OpOpen && strings.HasSuffix(name, suffix) {
			return errno
		}
		return nil
	})
	defer b.fs.SetInjector(nil)
	f()
}

// A process that is short of descriptors or memory fails the request that needs
// one, and not the disk.
func TestNoFileLeftFailsTheRequestOnly(t *testing.T) {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		b := newBench(t)
		b.cfg.IndexIntervalBytes = 0
		l := b.segmented()
		b.cfg.SegmentBytes = 1000 // room to append
		want := len(readAll(t, l, 1000))
		refuses := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, ErrExhausted) || !errors.Is(err, errno) || b.dir.Failed() != nil {
				t.Errorf("%s: got %v, directory: %v; want %v alone", what, err, b.dir.Failed(), errno)
			}
		}
		use := func() {
			b.dir.files.closeIdle(true)
			b.withoutFiles(errno, suffixLog, func() {
				refuses("read", second(l.Read(1, l.EndOffset(), 1000, true)))
				_, _, err := l.OffsetForTime(b.now.UnixMilli() - 1_000_000)
				refuses("lookup", err)
				refuses("append", second(l.AppendLeader(b.batch("no", 1), AppendOptions{Now: b.now})))
				again := b.batch("no", 1)
				again[7] = byte(l.EndOffset()) // its base offset
				refuses("append of a follower", second(l.AppendFollower(again)))
			})
		}
		use()
		b.stop(l)
		l = b.mustReopen() // nothing of it is loaded
		b.withoutFiles(errno, suffixIndex, func() {
			refuses("read of an index", second(l.Read(1, l.EndOffset(), 1000, true)))
		})
		use()
		if got := len(readAll(t, l, 1000)); got != want {
			t.Errorf("%v: %d records, want %d", errno, got, want)
		}
		if info := b.append(l, b.batch("yes", 1)); info.FirstOffset != int64(want) {
			t.Errorf("%v: appended at %d, want %d", errno, info.FirstOffset, want)
		}
	}
}

func TestNoFileLeftForTheFirstAppend(t *testing.T) {
	b := newBench(t)
	l := b.create()
	b.withoutFiles(syscall.EMFILE, suffixLog, func() {
		if _, err := l.AppendLeader(b.batch("no", 1), AppendOptions{Now: b.now}); !errors.Is(err, ErrExhausted) {
			t.Error(err)
		}
	})
	b.append(l, b.batch("yes", 1))
}

// What was begun is not undone: the directory goes offline as after any error.
func TestNoFileLeftInTheMiddleOfAChange(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	b.dir.files.closeIdle(true)
	b.withoutFiles(syscall.EMFILE, suffixLog, func() {
		if _, err := l.TruncateTo(3); !isDirError(err) || b.dir.Failed() == nil {
			t.Errorf("truncate: %v", err)
		}
	})
}
