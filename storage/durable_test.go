package storage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/record"
)

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

// A producer that hears nothing sends again. The answer to the copy promises
// that the first one is on disk.
func TestDuplicatesWaitForTheDisk(t *testing.T) {
	b := newBench(t)
	b.cfg.VerifyTxn = false
	l := b.create()
	send := func() AppendInfo {
		t.Helper()
		var bl record.Builder
		bl.Reset(record.Spec{HasProducer: true, ProducerID: 9})
		bl.Append(b.now.UnixMilli(), nil, []byte("v"))
		batch, err := bl.Build()
		if err != nil {
			t.Fatal(err)
		}
		return b.append(l, bytes.Clone(batch))
	}
	send()
	if l.RecoveryPoint() != 0 {
		t.Fatal("flushed though nobody asked")
	}
	strict := b.cfg
	strict.FlushMessages = 1
	l.SetConfig(&strict)
	if again := send(); !again.Duplicate || l.RecoveryPoint() != 1 {
		t.Errorf("duplicate %v, recovery point %d", again.Duplicate, l.RecoveryPoint())
	}
}

// flush.messages counts what a flush that still runs has not made durable yet:
// an append that comes meanwhile may not be answered before it.
func TestFlushMessagesCountsARunningFlush(t *testing.T) {
	b := newBench(t)
	l := b.create()
	b.append(l, b.batch("a", 3))
	strict := b.cfg
	strict.FlushMessages = 3
	l.SetConfig(&strict)
	l.flush.Lock() // a flush that has begun, and whose disk is slow
	l.mu.Lock()
	_, err := l.beginFlushLocked()
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	var durable atomic.Int64
	go func() {
		b.append(l, b.batch("b", 1))
		durable.Store(l.RecoveryPoint())
		close(answered)
	}()
	for l.EndOffset() < 4 { // written, and visible
		runtime.Gosched()
	}
	l.flush.Unlock()
	<-answered
	if got := durable.Load(); got < 2 {
		t.Errorf("answered with %d of 4 records durable, flush.messages is 3", got)
	}
}

// What recovery cuts off does not come back behind new batches.
func TestACutTailStaysAway(t *testing.T) {
	for seed := range uint64(40) {
		b := newBench(t)
		l := b.create()
		var second int64
		for i, word := range []string{"kept", "torn", "zombie"} {
			if info := b.append(l, b.batch(word, 1)); i == 1 {
				second = int64(info.Bytes)
			}
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		name := l.active().path(suffixLog)
		f, err := b.fs.Open(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, second), second); err != nil { // all three have one length
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		b.kill()
		if err := b.fs.Remove("/logs/recovery-point-offset-checkpoint"); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		l = b.mustReopen()
		if got := readAll(t, l, 1000); !slices.Equal(got, []string{"0:kept-0"}) {
			t.Fatalf("recovered %q", got)
		}
		b.append(l, b.batch("anew", 1))
		b.append(l, b.batch("more", 1)) // the last write may be torn
		b.fs = b.fs.CrashClone(memfs.Crash{Rand: rand.New(rand.NewPCG(seed, 1)), KeepPercent: 50})
		b.env.FS = b.fs
		l = b.mustReopen()
		for _, r := range readAll(t, l, 1000) {
			if strings.Contains(r, "zombie") || strings.Contains(r, "torn") {
				t.Fatalf("seed %d: %q came back", seed, r)
			}
		}
	}
}
