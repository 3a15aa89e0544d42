package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// kill ends the broker without a word: the lock is released, nothing else.
func (b *bench) kill() {
	b.t.Helper()
	if err := b.dir.lock.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// reopen opens directory and log as a broker does at start.
func (b *bench) reopen() (*Log, error) {
	b.t.Helper()
	d := b.openDir()
	points, err := d.ReadCheckpoint(RecoveryPoints)
	if err != nil {
		b.t.Log(err)
	}
	starts, err := d.ReadCheckpoint(LogStarts)
	if err != nil {
		b.t.Log(err)
	}
	if err := d.RemoveCleanMark(); err != nil {
		b.t.Fatal(err)
	}
	parts, err := d.Partitions()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range parts {
		if p.Kind == Current {
			return d.OpenLog(p, LogOptions{&b.cfg, points[tp], starts[tp]})
		}
	}
	return nil, fs.ErrNotExist
}

func (b *bench) mustReopen() *Log {
	b.t.Helper()
	l, err := b.reopen()
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// stop is a clean stop.
func (b *bench) stop(l *Log) {
	b.t.Helper()
	if err := l.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.checkpoint(l)
	if err := b.dir.MarkClean(-1); err != nil {
		b.t.Fatal(err)
	}
	if err := b.dir.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) checkpoint(l *Log) {
	b.t.Helper()
	err := b.dir.WriteCheckpoint(RecoveryPoints, []checkpoint.Offset{{Topic: tp.Topic, Partition: tp.Partition, Offset: l.RecoveryPoint()}})
	if err != nil {
		b.t.Fatal(err)
	}
	var starts []checkpoint.Offset
	if o, ok := l.CheckpointStart(); ok {
		starts = append(starts, checkpoint.Offset{Topic: tp.Topic, Partition: tp.Partition, Offset: o})
	}
	if err := b.dir.WriteCheckpoint(LogStarts, starts); err != nil {
		b.t.Fatal(err)
	}
}

// disk is all files of a directory tree.
type disk map[string][]byte

func (b *bench) copyDisk() disk {
	out := disk{}
	var visit func(string)
	visit = func(dir string) {
		entries, err := b.fs.ReadDir(dir)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if e.IsDir() {
				visit(name)
			} else if out[name], err = b.fs.ReadFile(name); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	visit("/logs")
	return out
}

// on makes a new machine whose disk has these files.
func (b *bench) on(d disk) *bench {
	n := &bench{t: b.t, now: b.now, cfg: b.cfg}
	n.fs = memfs.New(0, b.clock)
	n.env = b.env
	n.env.FS, n.env.Clock = n.fs, fixedClock{n}
	for name, content := range d {
		if err := n.fs.MkdirAll(path.Dir(name), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := writeFile(n.fs, name, content, true); err != nil {
			b.t.Fatal(err)
		}
	}
	return n
}

// story writes a log that has everything: several segments, idempotent and
// transactional producers, an abort, epochs. It returns what was appended.
func (b *bench) story() *Log {
	b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes = 1000, 150
	l := b.create()
	for i := range 24 {
		if i%8 == 4 {
			if err := l.StartEpoch(int32(i)); err != nil {
				b.t.Fatal(err)
			}
		}
		b.produce(l, int64(i%3), int32(i/8*8+4))
		b.now = b.now.Add(1000)
	}
	return l
}

// produce appends two records: plain, idempotent, or a whole transaction that
// is aborted.
func (b *bench) produce(l *Log, kind int64, epoch int32) {
	b.t.Helper()
	b.pid++
	spec := record.Spec{HasProducer: kind > 0, ProducerID: b.pid, Transactional: kind == 2}
	var bl record.Builder
	bl.Reset(spec)
	for i := range 2 {
		bl.Append(b.now.UnixMilli(), []byte("key"), fmt.Appendf(nil, "producer %d wrote %d", b.pid, i))
	}
	batch, err := bl.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	b.cfg.VerifyTxn = false
	if _, err := l.AppendLeader(batch, AppendOptions{Now: b.now, LeaderEpoch: epoch}); err != nil {
		b.t.Fatal(err)
	}
	if kind == 2 {
		m := record.AppendEndTxnMarker(nil, b.pid, 0, record.EndTxnMarker{Type: record.ControlAbort}, b.now.UnixMilli())
		if _, err := l.AppendLeader(m, AppendOptions{Now: b.now, LeaderEpoch: epoch, Origin: 1}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// check says what is wrong with a log that was reopened: it must hold a prefix
// of want, from its start on, that is at least as long as least; and go on.
func (b *bench) check(l *Log, want []string, least int) error {
	got := readAll(b.t, l, 333)
	skip := 0
	for skip < len(want) && offsetOf(want[skip]) < l.StartOffset() {
		skip++
	}
	for i, r := range got {
		if skip+i >= len(want) || r != want[skip+i] {
			return fmt.Errorf("record %d is %q", i, r)
		}
	}
	if skip+len(got) < least {
		return fmt.Errorf("%d records, want at least %d", skip+len(got), least)
	}
	if _, err := l.AbortedTxns(0, l.EndOffset()); err != nil {
		return err
	}
	if _, err := l.ActiveProducers(); err != nil {
		return err
	}
	if _, _, err := l.OffsetForTime(b.now.UnixMilli() - 12_500); err != nil {
		return err
	}
	end := l.EndOffset()
	info, err := l.AppendLeader(b.batch("next", 1), AppendOptions{Now: b.now, LeaderEpoch: 99})
	if err != nil || info.FirstOffset != end {
		return fmt.Errorf("append at %d: %+v, %v", end, info, err)
	}
	if again := readAll(b.t, l, 1<<20); len(again) != len(got)+1 {
		return fmt.Errorf("%d records after an append to %d", len(again), len(got))
	}
	return nil
}

func offsetOf(r string) (o int64) {
	_, _ = fmt.Sscanf(r, "%d:", &o)
	return o
}

func TestStoryIsThereAfterKillAndAfterCleanStop(t *testing.T) {
	b := newBench(t)
	l := b.story()
	want := readAll(t, l, 4096)
	producers, _ := l.ActiveProducers()
	aborted, _ := l.AbortedTxns(0, l.EndOffset())
	epochs, _ := l.epochs.Entries()
	if l.SegmentCount() < 4 || len(aborted) != 8 || len(producers) != 16 || len(epochs) != 3 {
		t.Fatalf("%d segments, %d aborted, %d producers, epochs %v", l.SegmentCount(), len(aborted), len(producers), epochs)
	}
	same := func(how string, l *Log) {
		t.Helper()
		l.SetHighWatermark(l.EndOffset())
		if stable, err := l.LastStableOffset(); err != nil || stable != l.EndOffset() {
			t.Errorf("%s: last stable offset %d, %v", how, stable, err)
		}
		if got, _ := l.ActiveProducers(); fmt.Sprint(got) != fmt.Sprint(producers) {
			t.Errorf("%s: producers\n%v, want\n%v", how, got, producers)
		}
		if got, _ := l.AbortedTxns(0, l.EndOffset()); fmt.Sprint(got) != fmt.Sprint(aborted) {
			t.Errorf("%s: aborted %v, want %v", how, got, aborted)
		}
		if err := l.ensureEpochs(); err != nil {
			t.Error(err)
		}
		if got, _ := l.epochs.Entries(); fmt.Sprint(got) != fmt.Sprint(epochs) {
			t.Errorf("%s: epochs %v, want %v", how, got, epochs)
		}
		if got := readAll(t, l, 100); !slices.Equal(got, want) {
			t.Errorf("%s: %d records, want %d", how, len(got), len(want))
		}
	}
	b.kill()
	l = b.mustReopen()
	same("after kill -9", l)
	b.stop(l)
	l = b.mustReopen()
	same("after a clean stop", l)
	b.stop(l)
	l = b.mustReopen()
	same("after two clean stops", l)
	if err := b.check(l, want, len(want)); err != nil {
		t.Error(err)
	}
}

func lastLog(d disk) string {
	names := slices.Sorted(maps.Keys(d))
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, suffixLog) })
	return names[len(names)-1]
}

func TestTailCutAtEveryByte(t *testing.T) {
	b := newBench(t)
	l := b.story()
	want := readAll(t, l, 4096)
	segs := l.segments()
	before := int(segs[len(segs)-1].base)
	b.kill()
	files := b.copyDisk()
	name := lastLog(files)
	for cut := range len(files[name]) + 1 {
		d := maps.Clone(files)
		d[name] = d[name][:cut]
		n := b.on(d)
		l, err := n.reopen()
		if err == nil {
			err = n.check(l, want, recordsBelow(want, before))
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func recordsBelow(want []string, offset int) int {
	n := 0
	for n < len(want) && offsetOf(want[n]) < int64(offset) {
		n++
	}
	return n
}

func TestTailWithAFlippedByte(t *testing.T) {
	b := newBench(t)
	l := b.story()
	want := readAll(t, l, 4096)
	segs := l.segments()
	before := int(segs[len(segs)-1].base)
	b.kill()
	files := b.copyDisk()
	name := lastLog(files)
	for at := range files[name] {
		for _, mask := range []byte{0x01, 0x80} {
			d := maps.Clone(files)
			d[name] = slices.Clone(d[name])
			d[name][at] ^= mask
			n := b.on(d)
			l, err := n.reopen()
			if err == nil && !uncovered(files[name], at) {
				err = n.check(l, want, recordsBelow(want, before))
			}
			if err != nil {
				t.Fatalf("byte %d ^ %#x: %v", at, mask, err)
			}
		}
	}
}

// uncovered says that a byte is outside of its batch's checksum, as base offset
// and leader epoch are: a flip there cannot always be told.
func uncovered(log []byte, at int) bool {
	for pos := 0; ; {
		b, _, err := record.Next(log[pos:])
		if err != nil {
			return true
		}
		if at < pos+len(b) {
			return at-pos < 8 || at-pos >= 12 && at-pos < 16
		}
		pos += len(b)
	}
}

// TestDerivedFilesDamaged cuts and flips every byte of all that can be made
// anew from the log: after a clean stop and after a kill, no record is missing
// or changed.
func TestDerivedFilesDamaged(t *testing.T) {
	for _, clean := range []bool{true, false} {
		b := newBench(t)
		l := b.story()
		want := readAll(t, l, 4096)
		if clean {
			b.stop(l)
		} else {
			b.kill()
		}
		files := b.copyDisk()
		for _, name := range slices.Sorted(maps.Keys(files)) {
			base := path.Base(name)
			if strings.HasSuffix(name, suffixLog) || path.Dir(name) == "/logs" {
				continue
			}
			for at := range files[name] {
				b.damage(files, name, at, func(n *bench, how string) {
					l, err := n.reopen()
					if err == nil {
						err = n.check(l, want, len(want))
					}
					if err != nil {
						t.Fatalf("clean %v: %s %s at %d: %v", clean, how, base, at, err)
					}
				})
			}
		}
	}
}

func (b *bench) damage(files disk, name string, at int, f func(n *bench, how string)) {
	d := maps.Clone(files)
	d[name] = files[name][:at]
	f(b.on(d), "cut")
	d[name] = slices.Clone(files[name])
	d[name][at] ^= 0x41
	f(b.on(d), "flip")
}

func TestDerivedFilesMissing(t *testing.T) {
	for _, clean := range []bool{true, false} {
		b := newBench(t)
		l := b.story()
		want := readAll(t, l, 4096)
		if clean {
			b.stop(l)
		} else {
			b.kill()
		}
		files := b.copyDisk()
		for name := range files {
			if strings.HasSuffix(name, suffixLog) {
				continue
			}
			d := maps.Clone(files)
			delete(d, name)
			n := b.on(d)
			l, err := n.reopen()
			if err == nil {
				err = n.check(l, want, len(want))
			}
			if err != nil {
				t.Fatalf("clean %v, without %s: %v", clean, name, err)
			}
		}
	}
}

// TestPreallocatedIndexes opens what a killed Apache broker leaves, and what a
// careless copy after a clean stop may leave: indexes with zeros behind the
// entries.
func TestPreallocatedIndexes(t *testing.T) {
	for _, clean := range []bool{true, false} {
		b := newBench(t)
		l := b.story()
		want := readAll(t, l, 4096)
		if clean {
			b.stop(l)
		} else {
			b.kill()
		}
		d := b.copyDisk()
		for name := range d {
			if strings.HasSuffix(name, suffixIndex) {
				d[name] = append(slices.Clone(d[name]), make([]byte, 8*100)...)
			}
			if strings.HasSuffix(name, suffixTimeIndex) {
				d[name] = append(slices.Clone(d[name]), make([]byte, 12*100)...)
			}
		}
		n := b.on(d)
		if err := n.check(n.mustReopen(), want, len(want)); err != nil {
			t.Fatalf("clean %v: %v", clean, err)
		}
	}
}

// TestPowerCut cuts the power at random moments of random histories: what was
// flushed is there, and nothing that was not appended.
func TestPowerCut(t *testing.T) {
	for seed := range uint64(150) {
		if err := powerCut(t, seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func powerCut(t *testing.T, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := newBench(t)
	b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes, b.cfg.VerifyTxn = 700, 100, false
	l := b.create()
	if err := l.Flush(); err != nil {
		return err
	}
	if err := b.fs.SyncDir("/logs"); err != nil {
		return err
	}
	safe := int64(0)
	for range 5 + rnd.IntN(60) {
		switch rnd.IntN(8) {
		case 0:
			if err := l.Flush(); err != nil {
				return err
			}
			safe = l.EndOffset()
		case 1:
			b.checkpoint(l)
		default:
			b.produce(l, rnd.Int64N(3), int32(rnd.IntN(2)))
		}
	}
	if err := l.Flush(); err == nil && rnd.IntN(2) == 0 {
		safe = l.EndOffset()
		b.produce(l, rnd.Int64N(3), 5)
	}
	want := readAll(t, l, 4096)
	if rnd.IntN(3) == 0 {
		b.stop(l)
		safe = l.EndOffset()
	}
	n := b.crash(memfs.Crash{Rand: rnd, KeepPercent: rnd.IntN(101)})
	l, err := n.reopen()
	if err != nil {
		return err
	}
	return n.check(l, want, recordsBelow(want, int(safe)))
}

func (b *bench) crash(c memfs.Crash) *bench {
	n := &bench{t: b.t, now: b.now, cfg: b.cfg, pid: b.pid}
	n.fs = b.fs.CrashClone(c)
	n.env = b.env
	n.env.FS, n.env.Clock = n.fs, fixedClock{n}
	return n
}

// TestDiskFails lets every single call of the disk fail once: the log says so,
// takes the directory offline, and has lost nothing that it acknowledged.
func TestDiskFails(t *testing.T) {
	for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
		for nth := 1; ; nth++ {
			failed, err := diskFails(t, nth, errno)
			if err != nil {
				t.Fatalf("%v at call %d: %v", errno, nth, err)
			}
			if !failed {
				break
			}
		}
	}
}

func diskFails(t *testing.T, nth int, errno error) (failed bool, err error) {
	b := newBench(t)
	b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes = 500, 100
	l := b.create()
	calls := 0
	b.fs.SetInjector(func(op memfs.Op, name string) error {
		if calls++; calls == nth {
			failed = true
			return errno
		}
		return nil
	})
	var acked []string
	for i := range 12 {
		word := fmt.Sprintf("w%d", i)
		info, err := l.AppendLeader(b.batch(word, 1), AppendOptions{Now: b.now, LeaderEpoch: int32(i / 4)})
		if err != nil {
			if b.dir.Failed() == nil {
				return failed, fmt.Errorf("append failed with %v, but the directory is not offline", err)
			}
			break
		}
		acked = append(acked, fmt.Sprintf("%d:%s-0", info.FirstOffset, word))
		if i == 6 && l.Flush() != nil {
			break
		}
	}
	_ = l.Close() // reports the failure again
	b.fs.SetInjector(nil)
	b.kill()
	l, err = b.reopen()
	if err != nil {
		return failed, err
	}
	got := readAll(t, l, 4096)
	if len(got) < len(acked) || !slices.Equal(got[:len(acked)], acked) {
		return failed, fmt.Errorf("read %v, acknowledged %v", got, acked)
	}
	return failed, b.check(l, got, len(got))
}

func TestOfflineDirRefusesEverything(t *testing.T) {
	b := newBench(t)
	noted := 0
	b.dir.notify = func(*DirError) { noted++ }
	l := b.create()
	b.append(l, b.batch("a", 1))
	b.fs.SetInjector(func(op memfs.Op, name string) error {
		if op == memfs.OpWrite {
			return syscall.EIO
		}
		return nil
	})
	for range 2 {
		if _, err := l.AppendLeader(b.batch("b", 1), AppendOptions{Now: b.now}); !isDirError(err) {
			t.Errorf("append: %v", err)
		}
	}
	if _, err := l.Read(0, 1, 100, true); !isDirError(err) {
		t.Errorf("read: %v", err)
	}
	if err := l.Flush(); !isDirError(err) {
		t.Errorf("flush: %v", err)
	}
	if noted != 1 || b.dir.Failed() == nil || l.EndOffset() != 1 {
		t.Errorf("notified %d times, failed %v, end %d", noted, b.dir.Failed(), l.EndOffset())
	}
}

func isDirError(err error) bool {
	_, ok := errors.AsType[*DirError](err)
	return ok
}
