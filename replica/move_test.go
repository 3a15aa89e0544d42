package replica

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/quota"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// movers is a stand over log directories /d1, /d2, ... that has not started:
// moves go on when the test says so.
func movers(t testing.TB, dirs int) *stand {
	t.Helper()
	var paths []string
	for i := range dirs {
		paths = append(paths, fmt.Sprintf("/d%d", i+1))
	}
	s := newStand(t, paths...)
	s.cfg.Moves.Backoff = time.Second
	s.renew()
	s.load()
	return s
}

// reopen is another manager over a disk, as after a restart of the broker.
func (s *stand) reopen(disk *memfs.FS) *stand {
	s.t.Helper()
	e := s.env
	e.FS = disk
	var paths []string
	for _, d := range s.dirs {
		paths = append(paths, d.Path())
	}
	next := openStand(s.t, e, disk, paths...)
	next.topic, next.epoch, next.cache, next.cfg.Moves = s.topic, s.epoch, s.cache, s.cfg.Moves
	next.cfg.Topic = func(string) TopicConfig { c := next.topic; return TopicConfig{Storage: &c, MinISR: next.min} }
	next.renew()
	return next
}

// to asks for a partition to lie in a directory.
func (s *stand) to(dir, topic string, index int32) error {
	s.t.Helper()
	return s.AlterDirs([]DirChange{{topic, index, dir}})[0]
}

func (s *stand) mustTo(dir, topic string, index int32) {
	s.t.Helper()
	if err := s.to(dir, topic, index); err != nil {
		s.t.Fatalf("move %s-%d to %s: %v", topic, index, dir, err)
	}
}

// step works on the moves to one directory once; it reports whether there was
// something to do.
func (s *stand) step(dir string) bool {
	for _, d := range s.dirs {
		c := copier{m: s.Manager, dir: d}
		if d.Path() == dir && c.choose() == 0 {
			c.work()
			return true
		}
	}
	return false
}

// move works on all moves until none can go on.
func (s *stand) move() {
	for more := true; more; {
		more = false
		for _, d := range s.dirs {
			more = s.step(d.Path()) || more
		}
	}
}

// values lists the records of a partition that lie below the watermark.
func (s *stand) values(topic string, index int32) []string {
	s.t.Helper()
	p := s.lookup(topic, index)
	if p == nil {
		return nil
	}
	return valuesOf(s.t, p.log())
}

func valuesOf(t testing.TB, l *storage.Log) (out []string) {
	t.Helper()
	for at := l.StartOffset(); at < l.EndOffset(); {
		span, err := l.Read(at, l.EndOffset(), 1<<20, true)
		if err != nil {
			t.Fatalf("read at %d: %v", at, err)
		}
		raw, err := span.AppendTo(nil)
		span.Release()
		if err != nil {
			t.Fatal(err)
		}
		before := at
		for b, err := range record.All(storage.Whole(raw)) {
			if err != nil {
				t.Fatal(err)
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if r.Offset >= at && !b.IsControl() {
					out = append(out, fmt.Sprintf("%d:%s", r.Offset, r.Value))
				}
			}
			at = b.LastOffset() + 1
		}
		if at == before {
			t.Fatalf("nothing at %d of %d", at, l.EndOffset())
		}
	}
	return out
}

// say appends one record.
func (s *stand) say(topic string, index int32, value string) AppendResult {
	s.t.Helper()
	return s.appendBytes(topic, index, saying(s.t, record.Spec{}, value))
}

func saying(t testing.TB, spec record.Spec, value string) []byte {
	t.Helper()
	var b record.Builder
	b.Reset(spec)
	b.Append(time.Now().UnixMilli(), nil, []byte(value))
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out)
}

func (s *stand) sayAll(topic string, index int32, prefix string, n int) {
	s.t.Helper()
	for i := range n {
		if r := s.say(topic, index, fmt.Sprint(prefix, i)); r.Err != nil {
			s.t.Fatal(r.Err)
		}
	}
}

// where tells the directories of a partition: its replica, and copies.
func (s *stand) where(topic string) string {
	var out []string
	for _, d := range s.DescribeDirs(func(name string, _ int32) bool { return name == topic }) {
		for _, r := range d.Replicas {
			kind := ""
			if r.IsFuture {
				kind = " future"
			}
			out = append(out, fmt.Sprintf("%s/%s-%d%s lag %d", d.Path, r.Topic, r.Partition, kind, r.Lag))
		}
	}
	return strings.Join(out, ", ")
}

// names lists the directories of partitions in a log directory, without what is
// random in them.
func (s *stand) names(dir string) string {
	s.t.Helper()
	entries, err := s.fs.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			name, mark, _ := strings.Cut(e.Name(), ".")
			_, kind, _ := strings.Cut(mark, "-")
			out = append(out, strings.TrimSpace(name+" "+kind))
		}
	}
	return strings.Join(out, ", ")
}

func (s *stand) points(dir int, name storage.Checkpoint) string {
	return fmt.Sprint(s.checkpoint(s.dirs[dir], name))
}

func TestAReplicaMovesToAnotherDirectory(t *testing.T) {
	s := movers(t, 2)
	s.topic.SegmentBytes = 300
	s.lead("t", topicID(1), 0)
	s.sayAll("t", 0, "v", 20)
	if _, err := s.DeleteRecords("t", 0, 7); err != nil {
		t.Fatal(err)
	}
	want := s.values("t", 0)
	old := s.lookup("t", 0).log()
	span, err := old.Read(10, 20, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	s.mustTo("/d2", "t", 0)
	expect(t, "begun", s.where("t"), "/d1/t-0 lag 0, /d2/t-0 future lag 20")
	expect(t, "on disk", s.names("/d1")+" | "+s.names("/d2"), "t-0 | t-0 future")
	if s.LogCount() != 2 {
		t.Errorf("%d logs", s.LogCount())
	}
	s.move()
	expect(t, "moved", s.where("t"), "/d2/t-0 lag 0")
	expect(t, "on disk", s.names("/d1")+" | "+s.names("/d2"), "t-0 delete | t-0")
	if s.LogCount() != 1 || s.logCount[s.dirs[1]] != 1 {
		t.Errorf("%v logs", s.logCount)
	}
	expect(t, "left checkpoints", s.points(0, storage.RecoveryPoints)+s.points(0, storage.HighWatermarks)+s.points(0, storage.LogStarts), "map[]map[]map[]")
	expect(t, "checkpoints", s.points(1, storage.RecoveryPoints)+s.points(1, storage.HighWatermarks)+s.points(1, storage.LogStarts), "map[t-0:20]map[t-0:20]map[]")
	if got := s.values("t", 0); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	expect(t, "fetched", show(s.now(plain(want1("t", 0, 7)))), "[t-0 hw=20 lso=20 start=7 [7 8 9 10]]")
	if raw, err := span.AppendTo(nil); err != nil || len(raw) == 0 {
		t.Errorf("a span of the old log: %d bytes, %v", len(raw), err)
	}
	span.Release()
	if r := s.say("t", 0, "after"); r.Err != nil || r.BaseOffset != 20 {
		t.Errorf("append after the move: %+v", r)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	next := s.reopen(s.fs)
	next.load()
	next.lead("t", topicID(1), 0)
	if got := next.values("t", 0); len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) {
		t.Errorf("after a restart: %q", got)
	}
}

func want1(topic string, index int32, offset int64) FetchPartition {
	w := want(topic, index, offset)
	w.MaxBytes = 10 << 20
	return w
}

func TestAlterDirsCodes(t *testing.T) {
	s := movers(t, 3)
	s.lead("t", topicID(1), 0, 1, 2)
	s.publish("u", topicID(2), 0)
	f := func(what, dir, topic string, index int32, want error) {
		t.Helper()
		if got := s.to(dir, topic, index); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	f("no such directory", "/d9", "t", 0, wire.CodeLogDirNotFound)
	f("no such directory and partition", "/d9", "x", 0, wire.CodeLogDirNotFound)
	f("a replica that is not here", "/d2", "u", 0, wire.CodeReplicaNotAvailable)
	f("a topic that nobody knows", "/d2", "x", 0, wire.CodeUnknownTopicOrPartition)
	f("a name too long", "/d9", strings.Repeat("t", 240), 0, wire.CodeInvalidTopicException)
	f("where it lies", "/d1", "t", 0, nil)
	f("another", "/d2", "t", 0, nil)
	f("again", "/d2/", "t", 0, nil)
	expect(t, "once", s.names("/d2"), "t-0 future, t-1")

	s.fs.SetInjector(func(_ memfs.Op, name string) error {
		if strings.HasPrefix(name, "/d3") {
			return fmt.Errorf("broken")
		}
		return nil
	})
	s.append("t", 2, 1, 1)
	expect(t, "broken", s.lookup("t", 2).log().Dir().Path(), "/d3")
	if !s.lookup("t", 2).offline() {
		t.Fatal("t-2 is not offline")
	}
	f("an offline replica", "/d1", "t", 2, wire.CodeKafkaStorageError)
	if err := s.to("/d3", "t", 0); err != s.dirs[2].Failed() {
		t.Errorf("to an offline directory: %v", err)
	}
	if err := s.to("/d1", "t", 1); err != s.dirs[2].Failed() {
		t.Errorf("a new copy while a directory is offline: %v", err)
	}
	f("a move goes on", "/d2", "t", 0, nil)
	expect(t, "t", s.where("t"), "/d1/t-0 lag 0, /d2/t-0 future lag 0, /d2/t-1 lag 0")
}

func TestAMissingDirectory(t *testing.T) {
	s := newStand(t, "/d1", "/d2")
	s.cfg.Missing = []MissingDir{{Path: "/gone", Err: fmt.Errorf("gone")}}
	s.renew()
	s.load()
	s.lead("t", topicID(1), 0)
	for _, dir := range []string{"/gone", "/d2"} {
		if err := s.to(dir, "t", 0); err != wire.CodeKafkaStorageError {
			t.Errorf("to %s: %v", dir, err)
		}
	}
}

// A replica that comes later is made where it was asked for.
func TestPreferredDirectory(t *testing.T) {
	s := movers(t, 3)
	s.lead("t", topicID(1), 0, 1, 2)
	s.publish("u", topicID(2), 0, 1)
	if err := s.to("/d3", "u", 0); err != wire.CodeReplicaNotAvailable {
		t.Fatal(err)
	}
	s.lead("u", topicID(2), 0, 1)
	expect(t, "u", s.where("u"), "/d1/u-1 lag 0, /d3/u-0 lag 0")
}

// The next wish replaces the former one, and the present directory ends it.
func TestAMoveIsReplacedAndCancelled(t *testing.T) {
	s := movers(t, 3)
	s.lead("t", topicID(1), 0)
	s.sayAll("t", 0, "v", 5)
	s.mustTo("/d2", "t", 0)
	s.mustTo("/d3", "t", 0)
	expect(t, "replaced", s.where("t"), "/d1/t-0 lag 0, /d3/t-0 future lag 5")
	expect(t, "on disk", s.names("/d2"), "t-0 delete")
	s.mustTo("/d1", "t", 0)
	expect(t, "cancelled", s.where("t"), "/d1/t-0 lag 0")
	s.move()
	expect(t, "still", s.where("t"), "/d1/t-0 lag 0")
	if s.LogCount() != 1 {
		t.Errorf("%d logs", s.LogCount())
	}
	s.mustTo("/d3", "t", 0)
	s.move()
	expect(t, "and again", s.where("t"), "/d3/t-0 lag 0")
	if got := s.values("t", 0); len(got) != 5 {
		t.Errorf("%q", got)
	}
}

func TestDeletingAPartitionDeletesItsCopy(t *testing.T) {
	s := movers(t, 2)
	s.lead("t", topicID(1), 0)
	s.sayAll("t", 0, "old", 5)
	s.mustTo("/d2", "t", 0)
	s.delete("t", 0)
	s.move()
	expect(t, "deleted", s.where("t"), "")
	expect(t, "on disk", s.names("/d1")+" | "+s.names("/d2"), "t-0 delete | t-0 delete")
	if s.LogCount() != 0 {
		t.Errorf("%d logs", s.LogCount())
	}
	s.lead("t", topicID(2), 0)
	if got := s.values("t", 0); len(got) != 0 {
		t.Errorf("made anew with %q", got)
	}

	// After a restart, also when no LeaderAndIsr named it.
	s.mustTo("/d2", "t", 0)
	s = s.restartMoves()
	s.delete("t", 0)
	if s.LogCount() != 0 || s.where("t") != "" {
		t.Errorf("%d logs, %s", s.LogCount(), s.where("t"))
	}
}

func (s *stand) restartMoves() *stand {
	s.t.Helper()
	if err := s.Stop(); err != nil {
		s.t.Fatal(err)
	}
	next := s.reopen(s.fs)
	next.load()
	return next
}

func TestMovesGoOnAfterARestart(t *testing.T) {
	s := movers(t, 3)
	s.lead("t", topicID(1), 0, 1)
	s.lead("u", topicID(2), 0)
	s.sayAll("t", 0, "v", 5)
	s.sayAll("u", 0, "v", 5)
	s.mustTo("/d3", "t", 0)
	s.step("/d3") // copied, not yet replaced
	s.sayAll("t", 0, "w", 5)
	s.mustTo("/d1", "u", 0)
	s = s.restartMoves()
	expect(t, "nobody asked for it yet", s.where("t"), "/d1/t-0 lag 0, /d2/t-1 lag 0, /d3/t-0 future lag -1")
	s.move()
	s.lead("t", topicID(1), 0, 1)
	expect(t, "found again", s.where("t"), "/d1/t-0 lag 0, /d2/t-1 lag 0, /d3/t-0 future lag 5")
	s.move()
	expect(t, "done", s.where("t"), "/d2/t-1 lag 0, /d3/t-0 lag 0")
	if got := s.values("t", 0); len(got) != 10 {
		t.Errorf("%q", got)
	}
	// Another topic of that name came meanwhile: its replica has nothing to do
	// with the copy.
	expect(t, "u", s.where("u"), "/d1/u-0 future lag -1, /d3/u-0 lag 0")
	if err := s.unclaimedLog(partitionKey{"u", 0}).Dir().RemovePartition(storage.PartitionDir{Name: "u-0/partition.metadata"}); err != nil {
		t.Fatal(err)
	}
	s = s.restartMoves()
	s.lead("u", topicID(3), 0)
	s.move()
	expect(t, "another u", s.where("u"), "/d3/u-0 lag 0")
}

// A copy follows its log when that is cut, while it is filled and while the
// broker was down.
func TestACopyFollowsTruncation(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := movers(t, 2)
		s.lead("t", topicID(1), 0)
		s.sayAll("t", 0, "a", 10) // epoch 1
		s.lead("t", topicID(1), 0)
		s.sayAll("t", 0, "b", 10) // epoch 2
		s.mustTo("/d2", "t", 0)
		s.move()
		expect(t, "first", s.where("t"), "/d2/t-0 lag 0")
		s.mustTo("/d1", "t", 0)
		c := copier{m: s.Manager, dir: s.dirs[0]}
		c.choose()
		log, future := s.lookup("t", 0).log(), s.moves.find(partitionKey{"t", 0}).copy
		if n, err := c.piece(log, future); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := log.TruncateTo(13); err != nil {
			t.Fatal(err)
		}
		if restart {
			s = s.restartMoves()
		}
		s.epoch = 6
		s.lead("t", topicID(1), 0)
		s.sayAll("t", 0, "c", 12) // epoch 7
		s.move()
		expect(t, "moved", s.where("t"), "/d1/t-0 lag 0")
		got := s.values("t", 0)
		if len(got) != 25 || got[12] != "12:b2" || got[13] != "13:c0" || got[24] != "24:c11" {
			t.Errorf("restart %v: %q", restart, got)
		}
		if e, end, err := s.lookup("t", 0).log().EndOffsetForEpoch(2); e != 2 || end != 13 || err != nil {
			t.Errorf("epoch %d ends at %d, %v", e, end, err)
		}
	}
}

// Logs that lost their head, or all, while they were copied.
func TestACopyFollowsTheStart(t *testing.T) {
	s := movers(t, 2)
	s.lead("t", topicID(1), 0)
	s.append("t", 0, 4, 40)
	s.sayAll("t", 0, "v", 3)
	s.mustTo("/d2", "t", 0)
	c := copier{m: s.Manager, dir: s.dirs[1]}
	c.choose()
	p := s.lookup("t", 0)
	future := s.moves.find(p.key).copy
	f := func(what string, start, end int64) {
		t.Helper()
		for {
			if _, err := agree(p.log(), future); err != nil {
				t.Fatal(err)
			}
			if n, err := c.piece(p.log(), future); err != nil {
				t.Fatalf("%s: %v", what, err)
			} else if n == 0 {
				break
			}
		}
		if future.StartOffset() != start || future.EndOffset() != end || future.HighWatermark() != p.log().HighWatermark() {
			t.Errorf("%s: [%d, %d] high %d, want [%d, %d]", what, future.StartOffset(), future.EndOffset(), future.HighWatermark(), start, end)
		}
	}
	if err := p.log().RaiseStart(2); err != nil { // inside of the first batch
		t.Fatal(err)
	}
	f("inside of a batch", 2, 7)
	if err := p.log().RaiseStart(7); err != nil {
		t.Fatal(err)
	}
	s.sayAll("t", 0, "w", 2)
	f("behind all that was copied", 7, 9)
	if err := p.log().TruncateFullyAndStartAt(50, 50); err != nil {
		t.Fatal(err)
	}
	f("begun anew", 50, 50)
	s.sayAll("t", 0, "x", 2)
	f("and grown", 50, 52)
	if err := p.log().TruncateFullyAndStartAt(10, 10); err != nil {
		t.Fatal(err)
	}
	s.sayAll("t", 0, "y", 3)
	f("begun anew below", 10, 13)
	s.move()
	if got := fmt.Sprint(s.values("t", 0)); got != "[10:y0 11:y1 12:y2]" {
		t.Error(got)
	}
}

// A producer that retries after the move finds its batch known.
func TestAMoveKeepsIdempotence(t *testing.T) {
	s := movers(t, 2)
	s.lead("t", topicID(1), 0)
	send := func(seq int32) AppendResult {
		return s.appendBytes("t", 0, saying(t, record.Spec{HasProducer: true, ProducerID: 5, BaseSequence: seq}, "v"))
	}
	send(0)
	first := send(1)
	s.mustTo("/d2", "t", 0)
	s.move()
	if again := send(1); again.Err != nil || again.BaseOffset != first.BaseOffset {
		t.Errorf("%+v, want %+v", again, first)
	}
	if r := send(3); r.Err == nil {
		t.Errorf("out of order: %+v", r)
	}
	if r := send(2); r.Err != nil || r.BaseOffset != 2 {
		t.Errorf("next: %+v", r)
	}
}

func TestACopyTakesItsTopicsSettings(t *testing.T) {
	s := movers(t, 2)
	s.lead("t", topicID(1), 0)
	s.mustTo("/d2", "t", 0)
	s.topic.SegmentBytes = 777
	s.UpdateTopic("t")
	if got := s.moves.find(partitionKey{"t", 0}).copy.Config().SegmentBytes; got != 777 {
		t.Errorf("segment.bytes %d", got)
	}
}

// Appends and fetches go on while a replica moves to and fro.
func TestServiceGoesOnWhileAReplicaMoves(t *testing.T) {
	after(t, func(t *testing.T) {
		s := movers(t, 3)
		s.topic.SegmentBytes = 5000
		s.Start(t.Context())
		s.lead("t", topicID(1), 0)
		const appends, moves = 3000, 30
		var acked []string
		g := run.NewGroup(t.Context())
		g.Go("appends", func(context.Context) error {
			for i := range appends {
				r := s.say("t", 0, fmt.Sprint("v", i))
				if r.Err != nil {
					return r.Err
				}
				acked = append(acked, fmt.Sprintf("%d:v%d", r.BaseOffset, i))
				if i%10 == 0 {
					time.Sleep(time.Millisecond) // virtual
				}
			}
			return nil
		})
		g.Go("moves", func(context.Context) error {
			for i := range moves {
				dir := s.dirs[(i+1)%3]
				s.mustTo(dir.Path(), "t", 0)
				for s.lookup("t", 0).log().Dir() != dir {
					time.Sleep(time.Millisecond)
				}
			}
			return nil
		})
		var read []string
		g.Go("fetches", func(context.Context) error {
			for at := int64(0); at < appends; {
				res, pending := s.Fetch(&FetchRequest{ReplicaID: -1, MaxBytes: 1 << 20, MinBytes: 1, WholeBatches: true, SessionEpoch: finalEpoch,
					Partitions: []FetchPartition{want("t", 0, at)}}, func(func() *FetchResult) {})
				if pending != nil {
					return fmt.Errorf("a fetch without a wait is parked")
				}
				p := res.Partitions[0]
				if p.Err != nil {
					return fmt.Errorf("fetch at %d: %w", at, p.Err)
				}
				raw, err := p.Span.AppendTo(nil)
				p.Span.Release()
				if err != nil {
					return err
				}
				for b, err := range record.All(storage.Whole(raw)) {
					if err != nil {
						return err
					}
					for r := range b.Records() {
						read = append(read, fmt.Sprintf("%d:%s", r.Offset, r.Value))
					}
					at = b.LastOffset() + 1
				}
				if len(raw) == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			return nil
		})
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(read, acked) {
			t.Errorf("%d records read, %d acknowledged", len(read), len(acked))
		}
		if got := s.values("t", 0); !slices.Equal(got, acked) {
			t.Errorf("%d records in the log, %d acknowledged", len(got), len(acked))
		}
		time.Sleep(2 * time.Minute) // the former directories go
		synctest.Wait()
		home := s.lookup("t", 0).log().Dir().Path()
		for _, d := range s.dirs {
			want := ""
			if d.Path() == home {
				want = "t-0"
			}
			expect(t, d.Path(), s.names(d.Path()), want)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A move keeps to its throttle, and takes a new limit at once.
func TestAMoveIsThrottled(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t, "/d1", "/d2")
		throttle := quota.NewReplication(quota.Window{Samples: 11, Length: time.Second})
		throttle.SetLimit(100 << 10)
		s.cfg.Moves = MoveConfig{Backoff: time.Second, Throttle: throttle}
		s.renew()
		s.load()
		s.Start(t.Context())
		s.lead("t", topicID(1), 0)
		for range 6 {
			s.append("t", 0, 1, 900<<10)
		}
		began := s.env.Clock.Now()
		s.mustTo("/d2", "t", 0)
		time.Sleep(5 * time.Second)
		if at := s.where("t"); at != "/d1/t-0 lag 0, /d2/t-0 future lag 5" {
			t.Errorf("after 5 s: %s", at)
		}
		time.Sleep(20 * time.Second)
		if at := s.where("t"); !strings.Contains(at, "future") {
			t.Errorf("after 25 s: %s", at)
		}
		throttle.SetLimit(quota.Unlimited)
		for strings.Contains(s.where("t"), "future") {
			time.Sleep(100 * time.Millisecond)
		}
		if took := s.env.Clock.Now().Sub(began); took > 27*time.Second {
			t.Errorf("done after %v", took)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A copy that cannot be filled is tried again, and its log serves on.
func TestADamagedLogDoesNotMove(t *testing.T) {
	after(t, func(t *testing.T) {
		s := movers(t, 2)
		s.Start(t.Context())
		s.lead("t", topicID(1), 0)
		s.sayAll("t", 0, "v", 10)
		p := s.lookup("t", 0)
		name := p.log().Path() + "/00000000000000000000.log"
		raw, err := s.fs.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.fs.Open(name, 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(bytes.Index(raw, []byte("v5")))
		if _, err := f.WriteAt([]byte("X"), at); err != nil {
			t.Fatal(err)
		}
		s.mustTo("/d2", "t", 0)
		time.Sleep(time.Minute)
		expect(t, "damaged", s.where("t"), "/d1/t-0 lag 0, /d2/t-0 future lag 10")
		if r := s.say("t", 0, "on"); r.Err != nil {
			t.Error(r.Err)
		}
		if _, err := f.WriteAt([]byte("v"), at); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		expect(t, "mended", s.where("t"), "/d2/t-0 lag 0")
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}
