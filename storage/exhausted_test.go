package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/storage/index"
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

// An append that needs a new segment and cannot have it changes nothing,
// whichever file cannot be opened; one that fits the old segment goes there.
func TestNoFileLeftForANewSegment(t *testing.T) {
	for _, suffix := range []string{suffixLog, suffixIndex, suffixTimeIndex, suffixSnapshot + suffixTmp} {
		b := newBench(t)
		b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes = 200, 0
		l := b.create()
		b.append(l, b.batch("old", 1))
		long := b.batch(strings.Repeat("long", 30), 1)
		b.withoutFiles(syscall.ENFILE, suffix, func() {
			for range 2 {
				if _, err := l.AppendLeader(slices.Clone(long), AppendOptions{Now: b.now}); !errors.Is(err, ErrExhausted) {
					t.Errorf("%s: leader: %v", suffix, err)
				}
				copied := slices.Clone(long)
				copied[7] = byte(l.EndOffset()) // its base offset
				if _, err := l.AppendFollower(copied); !errors.Is(err, ErrExhausted) {
					t.Errorf("%s: follower: %v", suffix, err)
				}
			}
			b.append(l, b.batch("fits", 1))
		})
		b.append(l, slices.Clone(long))
		want := []string{"0:old-0", "1:fits-0", "2:" + strings.Repeat("long", 30) + "-0"}
		if got := readAll(t, l, 1000); !slices.Equal(got, want) || l.SegmentCount() != 2 || b.dir.Failed() != nil {
			t.Errorf("%s: %q in %d segments, directory: %v", suffix, got, l.SegmentCount(), b.dir.Failed())
		}
		b.kill()
		if got := readAll(t, b.mustReopen(), 1000); !slices.Equal(got, want) {
			t.Errorf("%s: recovered %q", suffix, got)
		}
	}
}

// A flush without descriptors leaves its work to the next one.
func TestNoFileLeftForAFlush(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	end := l.EndOffset()
	b.dir.files.closeIdle(true)
	for _, suffix := range []string{fileEpochs + suffixTmp, filePartition, suffixLog, suffixIndex, suffixSnapshot} {
		b.withoutFiles(syscall.EMFILE, suffix, func() {
			if err := l.Flush(); !errors.Is(err, ErrExhausted) || l.RecoveryPoint() == end {
				t.Errorf("%s: %v, recovery point %d", suffix, err, l.RecoveryPoint())
			}
			b.dir.files.closeIdle(true)
		})
	}
	b.cfg.FlushMs = 10 // by age, it comes again without an append
	b.now = b.now.Add(time.Second)
	if err := l.FlushDue(); err != nil || l.RecoveryPoint() != end {
		t.Errorf("flush: %v, recovery point %d of %d", err, l.RecoveryPoint(), end)
	}
	if _, err := b.fs.CrashClone(memfs.Crash{}).Stat(l.Path()); err != nil {
		t.Errorf("after a power cut: %v", err)
	}
	b.checkpoint(l)
	want := readAll(t, l, 1000)
	b = b.crash(memfs.Crash{}) // keeps what was synced only
	l = b.mustReopen()
	if got := readAll(t, l, 1000); !slices.Equal(got, want) {
		t.Errorf("after a power cut %q, want %q", got, want)
	}
	if id, err := l.TopicID(); err != nil || id == (TopicID{}) {
		t.Errorf("after a power cut: topic id %v, %v", id, err)
	}
}

// A partition that cannot be made can be made later.
func TestNoFileLeftForANewPartition(t *testing.T) {
	b := newBench(t)
	b.withoutFiles(syscall.EMFILE, filePartition+suffixTmp, func() {
		if _, err := b.dir.CreateLog(tp, Current, TopicID{1}, &b.cfg); !errors.Is(err, ErrExhausted) || b.dir.Failed() != nil {
			t.Errorf("create: %v, directory: %v", err, b.dir.Failed())
		}
	})
	b.append(b.create(), b.batch("yes", 1))
}

// Whenever a descriptor is missing, the disk is not blamed and nothing that was
// acknowledged is lost.
func TestFilesComeAndGo(t *testing.T) {
	for seed := range uint64(10) {
		b := newBench(t)
		rnd := rand.New(rand.NewPCG(seed, 2))
		b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes, b.cfg.RetentionMs = 600, 100, time.Hour.Milliseconds()
		l := b.create()
		share := 0 // of the opens that fail, in percent
		b.fs.SetInjector(func(op memfs.Op, name string) error {
			opens := op == memfs.OpOpen || op == memfs.OpSyncDir || op == memfs.OpRead && strings.HasSuffix(name, fileEpochs)
			if opens && rnd.IntN(100) < share {
				return syscall.EMFILE
			}
			return nil
		})
		tell := func(what string, err error) {
			t.Helper()
			if err != nil && !errors.Is(err, ErrExhausted) {
				t.Fatalf("seed %d: %s: %v", seed, what, err)
			}
		}
		var want []string
		var times []int64
		for i := range 300 {
			share = rnd.IntN(60)
			b.now = b.now.Add(time.Second)
			word := fmt.Sprintf("%d-%s", i, strings.Repeat("x", rnd.IntN(150)))
			info, err := l.AppendLeader(b.batch(word, 1), AppendOptions{Now: b.now, LeaderEpoch: int32(i / 50)})
			tell("append", err)
			if err == nil {
				want = append(want, fmt.Sprintf("%d:%s-0", info.FirstOffset, word))
				times = append(times, b.now.UnixMilli())
			}
			switch rnd.IntN(10) {
			case 0:
				tell("flush", l.Flush())
			case 1:
				b.dir.files.closeIdle(true)
			case 2:
				tell("checkpoint", b.dir.WriteCheckpoint(RecoveryPoints, nil))
			case 3:
				l.SetHighWatermark(l.EndOffset())
				_, err := l.Retain(b.now)
				tell("retain", err)
			case 4:
				_, _, err := l.OffsetForTime(b.now.UnixMilli() - 20_000)
				tell("lookup", err)
			case 5:
				share = 0
				if rnd.IntN(2) == 0 {
					b.kill()
				} else {
					b.stop(l)
				}
				l = b.mustReopen()
			}
		}
		share = 0
		if got := readAll(t, l, 1000); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d records, want %d", seed, len(got), len(want))
		}
		for i, ms := range times {
			if at, ok, err := l.OffsetForTime(ms); err != nil || !ok || at.Offset != int64(i) {
				t.Fatalf("seed %d: time of record %d is at %v %v %v", seed, i, at, ok, err)
			}
		}
	}
}

// Index entries that cannot be written wait in memory, and the appends go on.
func TestNoFileLeftForIndexEntries(t *testing.T) {
	b := newBench(t)
	b.cfg.IndexIntervalBytes = 0
	l := b.create()
	var times []int64
	write := func() {
		b.now = b.now.Add(time.Second)
		times = append(times, b.now.UnixMilli())
		b.append(l, b.batch("x", 1))
	}
	write()
	b.withoutFiles(syscall.EMFILE, "index", func() {
		for range index.FlushEntries + 5 {
			write()
		}
	})
	write() // writes them
	b.kill()
	if got := b.files(l, suffixTimeIndex); got != 1 {
		t.Errorf("%d time indexes", got)
	}
	for i, ms := range times {
		if at, ok, err := l.OffsetForTime(ms); err != nil || !ok || at.Offset != int64(i) {
			t.Fatalf("time of record %d is at %v %v %v", i, at, ok, err)
		}
	}
}

// An index that could not be made anew is not taken for an empty one.
func TestNoFileLeftToRebuildAnIndex(t *testing.T) {
	b := newBench(t)
	l := b.segmented()
	first := l.segments()[0].path(suffixIndex)
	b.stop(l)
	if err := b.fs.Remove(first); err != nil {
		t.Fatal(err)
	}
	l = b.mustReopen()
	b.withoutFiles(syscall.EMFILE, suffixTimeIndex, func() {
		if _, _, err := l.OffsetForTime(0); !errors.Is(err, ErrExhausted) {
			t.Error(err)
		}
	})
	if at, ok, err := l.OffsetForTime(0); err != nil || !ok || at.Offset != 0 {
		t.Errorf("the first time is at %v %v %v", at, ok, err)
	}
}
