package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/record"
)

// copyTo makes a future copy of a log in another log directory.
func (b *bench) copyTo(path string, from *Log) *Log {
	b.t.Helper()
	d, err := OpenDir(b.env, path, DirOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	to, err := d.CreateLog(tp, Future, TopicID{}, &b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.catchUp(to, from)
	return to
}

func (b *bench) catchUp(to, from *Log) {
	b.t.Helper()
	for to.EndOffset() < from.EndOffset() {
		s, err := from.Read(max(to.EndOffset(), from.StartOffset()), from.EndOffset(), 300, true)
		if err != nil {
			b.t.Fatal(err)
		}
		data, err := s.AppendTo(nil)
		s.Release()
		if err == nil {
			_, err = to.AppendFollower(Whole(data))
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// replace carries out the steps of a move but for the checkpoints.
func (b *bench) replace(from, to *Log) PartitionDir {
	b.t.Helper()
	if err := to.TakeOver(from); err != nil {
		b.t.Fatal(err)
	}
	if err := to.Rename(Current); err != nil {
		b.t.Fatal(err)
	}
	p, err := from.Retire(to)
	if err == nil {
		err = to.DropMark()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// knows is all that a log tells besides its records.
func knows(t *testing.T, l *Log) string {
	t.Helper()
	producers, err1 := l.ActiveProducers()
	aborted, err2 := l.AbortedTxns(l.StartOffset()+1, l.EndOffset())
	id, err3 := l.TopicID()
	stable, err4 := l.LastStableOffset()
	if err := errors.Join(err1, err2, err3, err4, l.ensureEpochs()); err != nil {
		t.Fatal(err)
	}
	epochs, _ := l.epochs.Entries()
	return fmt.Sprintf("[%d, %d] high %d stable %d\nid %v\nepochs %v\nproducers %v\naborted %v", l.StartOffset(), l.EndOffset(), l.HighWatermark(), stable, id, epochs, producers, aborted)
}

func TestACopyTakesThePlaceOfItsLog(t *testing.T) {
	b := newBench(t)
	from := b.story()
	from.SetHighWatermark(40)
	if err := from.RaiseStart(13); err != nil { // inside a batch
		t.Fatal(err)
	}
	if err := from.StartEpoch(60); err != nil { // without a record
		t.Fatal(err)
	}
	d, err := OpenDir(b.env, "/other", DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	to, err := d.CreateLog(tp, Future, TopicID{}, &b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.TruncateFullyAndStartAt(12, 12); err != nil {
		t.Fatal(err)
	}
	b.catchUp(to, from)
	if to.Kind() != Future || from.Kind() != Current {
		t.Errorf("kinds %v, %v", to.Kind(), from.Kind())
	}
	want, told := readAll(t, from, 4096), knows(t, from)
	span, err := from.Read(20, 40, 100, true)
	if err != nil {
		t.Fatal(err)
	}
	p := b.replace(from, to)
	if got := readAll(t, to, 500); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	if got := knows(t, to); got != told {
		t.Errorf("the copy knows\n%s\nwant\n%s", got, told)
	}
	if to.Kind() != Current || to.Path() != "/other/topic-0" || to.Succeeds() || to.RecoveryPoint() != to.EndOffset() {
		t.Errorf("%s is a %v, marked %v, flushed to %d", to.Path(), to.Kind(), to.Succeeds(), to.RecoveryPoint())
	}
	if p.Kind != Deleted || !strings.HasSuffix(from.Path(), "-delete") || from.Path() != "/logs/"+p.Name {
		t.Errorf("the old directory is %s, told %+v", from.Path(), p)
	}

	// Who found the old log reads on; nobody changes it.
	if raw, err := span.AppendTo(nil); err != nil || len(Whole(raw)) == 0 {
		t.Errorf("span: %d bytes, %v", len(raw), err)
	}
	span.Release()
	if got := readAll(t, from, 500); !slices.Equal(got, want) {
		t.Errorf("the old log gives %d records", len(got))
	}
	if _, err := from.AppendLeader(b.batch("late", 1), AppendOptions{Now: b.now}); !errors.Is(err, ErrClosed) {
		t.Errorf("append to the old log: %v", err)
	}
	if err := from.RaiseStart(20); !errors.Is(err, ErrClosed) {
		t.Errorf("start of the old log: %v", err)
	}
	if err := b.dir.RemovePartition(p); err != nil {
		t.Fatal(err)
	}
	b.append(to, b.batch("next", 1))
}

// A producer whose records retention has deleted is in no copy, but its next
// batch must still follow its last one.
func TestAMoveKeepsProducersWithoutRecords(t *testing.T) {
	b := newBench(t)
	from := b.create()
	write := func(l *Log, seq int32) error {
		var bl record.Builder
		bl.Reset(record.Spec{HasProducer: true, ProducerID: 9, BaseSequence: seq})
		bl.Append(b.now.UnixMilli(), nil, []byte("v"))
		batch, err := bl.Build()
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.AppendLeader(batch, AppendOptions{Now: b.now})
		return err
	}
	if err := write(from, 0); err != nil {
		t.Fatal(err)
	}
	from.SetHighWatermark(1)
	if err := from.RaiseStart(1); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDir(b.env, "/other", DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	to, err := d.CreateLog(tp, Future, TopicID{}, &b.cfg)
	if err == nil {
		err = to.TruncateFullyAndStartAt(1, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.replace(from, to)
	if err := write(to, 7); err == nil {
		t.Error("a batch out of order is taken")
	}
	if err := write(to, 1); err != nil {
		t.Error(err)
	}
}

func TestOnlyALevelCopyTakesOver(t *testing.T) {
	b := newBench(t)
	from := b.create()
	b.append(from, b.batch("a", 3))
	to := b.copyTo("/other", from)
	b.append(from, b.batch("b", 3))
	if err := to.TakeOver(from); !errors.Is(err, ErrBehind) {
		t.Errorf("behind: %v", err)
	}
	// Cut and grown again to the same length: only the cut tells.
	b.catchUp(to, from)
	if _, err := from.TruncateTo(3); err != nil {
		t.Fatal(err)
	}
	b.append(from, b.batch("c", 3))
	if err := to.TakeOver(from); !errors.Is(err, ErrBehind) {
		t.Errorf("cut: %v", err)
	}
	if at, ok := from.TakeCut(); !ok || at != 3 {
		t.Errorf("cut at %d, %v", at, ok)
	}
	if at, ok := from.TakeCut(); ok {
		t.Errorf("cut again at %d", at)
	}
	if err := from.TruncateFullyAndStartAt(3, 3); err != nil {
		t.Fatal(err)
	}
	if at, ok := from.TakeCut(); !ok || at != 0 {
		t.Errorf("emptied: cut at %d, %v", at, ok)
	}
	if err := from.Close(); err != nil {
		t.Fatal(err)
	}
	if err := to.TakeOver(from); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// The mark is found by whoever opens the log, and is gone when it is dropped.
func TestTheMarkSurvives(t *testing.T) {
	b := newBench(t)
	from := b.create()
	b.append(from, b.batch("a", 3))
	to := b.copyTo("/other", from)
	if err := to.TakeOver(from); err != nil {
		t.Fatal(err)
	}
	if err := to.Rename(Current); err != nil {
		t.Fatal(err)
	}
	open := func() *Log {
		n := *b
		n.fs = b.fs.CrashClone(memfs.Crash{})
		n.env.FS = n.fs
		d, err := OpenDir(n.env, "/other", DirOptions{})
		if err != nil {
			t.Fatal(err)
		}
		parts, err := d.Partitions()
		if err != nil || len(parts) != 1 {
			t.Fatal(parts, err)
		}
		l, err := d.OpenLog(parts[0], LogOptions{Config: &b.cfg})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := open(); !l.Succeeds() || l.EndOffset() != 3 {
		t.Errorf("marked %v, ends at %d", l.Succeeds(), l.EndOffset())
	}
	if err := to.DropMark(); err != nil {
		t.Fatal(err)
	}
	if err := b.fs.SyncDir(to.Path()); err != nil {
		t.Fatal(err)
	}
	if l := open(); l.Succeeds() {
		t.Error("still marked")
	}
}

func TestCanMove(t *testing.T) {
	for _, c := range []struct {
		topic string
		want  bool
	}{{"t", true}, {strings.Repeat("t", 213), true}, {strings.Repeat("t", 214), false}} {
		if got := (TopicPartition{c.topic, 0}).CanMove(); got != c.want {
			t.Errorf("topic of %d bytes: %v", len(c.topic), got)
		}
	}
}
