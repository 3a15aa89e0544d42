package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica/follow"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/wire"
)

// led returns the batches of a leader with records of one byte each, n in each
// batch.
func led(t *testing.T, batches, n int) (all []byte, each [][]byte) {
	t.Helper()
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	for range batches {
		s.append("t", 0, n, n)
	}
	all = contents(t, s.lookup("t", 0))
	for b, err := range record.All(all) {
		if err != nil {
			t.Fatal(err)
		}
		each = append(each, b)
	}
	return all, each
}

// follows makes this broker follow broker 2 in t-0, and returns what a fetcher
// gets of it.
func (s *stand) follows(leader int32) *following {
	s.t.Helper()
	s.epoch++
	st := state("t", 0, s.epoch)
	st.Leader, st.Replicas, st.Isr = leader, []int32{me, 2, 3}, []int32{2}
	if codes := s.tell(topicID(1), st); codes[0] != wire.CodeNone {
		s.t.Fatal(codes)
	}
	return &following{p: s.lookup("t", 0), leader: leader, epoch: s.epoch}
}

// said prints a position and an error.
func said(at follow.Position, err error) string {
	if err != nil {
		switch {
		case errors.Is(err, follow.ErrRevoked):
			return "revoked"
		case errors.Is(err, follow.ErrRetry):
			return "retry"
		}
		return err.Error()
	}
	return fmt.Sprintf("%d..%d hw=%d epoch=%d", at.Start, at.End, at.HighWatermark, at.Epoch)
}

func TestFollowerAppends(t *testing.T) {
	all, each := led(t, 3, 2)
	s := loaded(t)
	f := s.follows(2)
	take := func(offset int64, records []byte, high, start int64) string {
		return said(f.Append(follow.Fetched{Offset: offset, Records: slices.Clone(records), HighWatermark: high, LogStart: start}))
	}
	expect(t, "new", said(f.Position()), "0..0 hw=0 epoch=-1")
	expect(t, "a batch and a part of one", take(0, all[:len(each[0])+10], 1, 0), "0..2 hw=1 epoch=1")
	expect(t, "nothing but a watermark beyond the end", take(2, nil, 9, 0), "0..2 hw=2 epoch=1")
	expect(t, "a watermark never falls", take(2, nil, 1, 0), "0..2 hw=2 epoch=1")
	expect(t, "two batches", take(2, all[len(each[0]):], 5, 0), "0..6 hw=5 epoch=1")
	expect(t, "log start", take(6, nil, 6, 3), "3..6 hw=6 epoch=1")
	expect(t, "log start unknown to the leader's version", take(6, nil, 6, -1), "3..6 hw=6 epoch=1")
	expect(t, "another place", take(4, each[2], 6, 0), "retry")
	if !strings.Contains(string(contents(t, f.p)), string(each[2])) {
		t.Error("bytes differ from the leader's")
	}
	bad := slices.Clone(each[2])
	bad[len(bad)-1]++
	expect(t, "damaged", take(6, bad, 6, 0), "retry")
	if got := take(6, each[2], 6, 0); !strings.Contains(got, "do not continue the log at 6") {
		t.Errorf("old batch: %s", got)
	}
	expect(t, "epochs", fmt.Sprint(f.EpochEnd(1)), "1 6 <nil>")
	expect(t, "unknown epoch", fmt.Sprint(f.EpochEnd(2)), "-1 -1 <nil>")
}

// A source that is leader no more may send what it got from the next leader: that
// need not continue what came before.
func TestFollowerTakesNothingOfALaterEpoch(t *testing.T) {
	all, each := led(t, 3, 2)
	s := loaded(t)
	f := s.follows(2)
	first, mixed := len(each[0]), slices.Clone(all)
	record.Batch(mixed[first : first+len(each[1])]).SetLeaderEpoch(2)
	take := func(offset int64, records []byte) string {
		return said(f.Append(follow.Fetched{Offset: offset, Records: slices.Clone(records), HighWatermark: 6}))
	}
	expect(t, "its own before that", take(0, mixed), "0..2 hw=2 epoch=1")
	expect(t, "none of its own", take(2, mixed[first:]), "retry")
	expect(t, "its own again", take(2, each[1]), "0..4 hw=4 epoch=1")
}

// A leader whose log starts inside of a batch sends the whole batch.
func TestFollowerBeginsInsideOfABatch(t *testing.T) {
	_, each := led(t, 2, 4)
	s := loaded(t)
	f := s.follows(2)
	expect(t, "restart", said(f.Restart(6)), "6..6 hw=6 epoch=-1")
	at, err := f.Append(follow.Fetched{Offset: 6, Records: slices.Clone(each[1]), HighWatermark: 8, LogStart: 6})
	expect(t, "append", said(at, err), "6..8 hw=8 epoch=1")
	points, err := s.dirs[0].ReadCheckpoint(storage.RecoveryPoints)
	if tp := (storage.TopicPartition{Topic: "t"}); err != nil || points[tp] != 4 {
		t.Errorf("recovery point %d, %v", points[tp], err)
	}
	if got := string(contents(t, f.p)); got != string(each[1]) {
		t.Error("bytes differ from the leader's")
	}
}

func TestFollowerIsCutOff(t *testing.T) {
	all, _ := led(t, 3, 2)
	s := loaded(t)
	f := s.follows(2)
	if _, err := f.Append(follow.Fetched{Records: all, HighWatermark: 4}); err != nil {
		t.Fatal(err)
	}
	if err := f.p.log().Flush(); err != nil {
		t.Fatal(err)
	}
	s.checkpointLogs()
	tp := storage.TopicPartition{Topic: "t"}
	point := func() int64 {
		t.Helper()
		s.settleCuts()
		points, err := s.dirs[0].ReadCheckpoint(storage.RecoveryPoints)
		if err != nil {
			t.Fatal(err)
		}
		return points[tp]
	}
	expect(t, "nothing to cut", said(f.Truncate(6)), "0..6 hw=4 epoch=1")
	if p := point(); p != 6 {
		t.Errorf("recovery point %d", p)
	}
	expect(t, "inside of a batch", said(f.Truncate(3)), "0..2 hw=2 epoch=1")
	if p := point(); p != 2 {
		t.Errorf("recovery point %d", p)
	}
	marks, err := s.dirs[0].ReadCheckpoint(storage.HighWatermarks)
	if err != nil || marks[tp] != 2 {
		t.Errorf("watermark %d, %v", marks[tp], err)
	}
	expect(t, "restart", said(f.Restart(10)), "10..10 hw=10 epoch=-1")
	if p := point(); p != 10 {
		t.Errorf("recovery point %d", p)
	}
}

// What is appended behind a cut, as a leader or by the fetcher of the next one,
// comes after the recovery point that the cut put down.
func TestACutIsWrittenDownBeforeTheNextRole(t *testing.T) {
	for name, next := range map[string]func(s *stand){
		"it leads":            func(s *stand) { s.withReplicas(me, 2) },
		"it follows another":  func(s *stand) { s.follows(3) },
		"it follows the same": func(s *stand) { s.follows(2) },
	} {
		all, _ := led(t, 3, 2)
		s := loaded(t)
		f := s.follows(2)
		expect(t, name+": append", said(f.Append(follow.Fetched{Records: all, HighWatermark: 4})), "0..6 hw=4 epoch=1")
		if err := f.p.log().Flush(); err != nil {
			t.Fatal(err)
		}
		s.checkpointLogs()
		expect(t, name+": cut", said(f.Truncate(4)), "0..4 hw=4 epoch=1")
		next(s)
		points, err := s.dirs[0].ReadCheckpoint(storage.RecoveryPoints)
		if tp := (storage.TopicPartition{Topic: "t"}); err != nil || points[tp] != 4 {
			t.Errorf("%s: recovery point %d, %v", name, points[tp], err)
		}
		expect(t, name+": the former fetcher", said(f.Truncate(2)), "revoked")
	}
}

// renames is a disk that tells before it replaces a file.
type renames struct {
	env.FS
	before func(name string)
}

// Rename implements env.FS.
func (r *renames) Rename(from, to string) error {
	r.before(to)
	return r.FS.Rename(from, to)
}

// takingOver is a Listener that looks around when this broker becomes a leader.
type takingOver struct {
	*heard
	look func()
}

// BecameLeader implements Listener.
func (b *takingOver) BecameLeader(topic string, partition, epoch int32) {
	b.look()
	b.heard.BecameLeader(topic, partition, epoch)
}

// A leader appends behind a cut, and the rest of the controller's request may take
// long: what the cut put down is on disk before it leads, and no fetcher cuts
// meanwhile.
func TestACutIsWrittenDownBeforeItLeads(t *testing.T) {
	all, _ := led(t, 3, 2)
	e := env.Real()
	fs := memfs.New(0, e.Clock.Now)
	disk := &renames{FS: fs, before: func(string) {}}
	e.FS = disk
	s := openStand(t, e, fs)
	listener := &takingOver{heard: s.heard, look: func() {}}
	s.Manager = New(s.cfg, s.dirs, s.cache, listener, s.env, slog.New(slog.DiscardHandler))
	s.load()
	f := s.follows(2)
	expect(t, "append", said(f.Append(follow.Fetched{Records: all, HighWatermark: 4})), "0..6 hw=4 epoch=1")
	if err := f.p.log().Flush(); err != nil {
		t.Fatal(err)
	}
	s.checkpointLogs()
	expect(t, "cut", said(f.Truncate(4)), "0..4 hw=4 epoch=1")
	written, leads := 0, 0
	disk.before = func(name string) {
		if strings.HasSuffix(name, string(storage.RecoveryPoints)) {
			written++
			expect(t, "the fetcher, while it is written down", said(f.Truncate(2)), "revoked")
			expect(t, "an append, while it is written down", fmt.Sprint(f.p.checkLeader(AnyEpoch)), fmt.Sprint(wire.CodeNotLeaderOrFollower))
		}
	}
	listener.look = func() {
		leads++
		points, err := s.dirs[0].ReadCheckpoint(storage.RecoveryPoints)
		if tp := (storage.TopicPartition{Topic: "t"}); err != nil || points[tp] != 4 {
			t.Errorf("recovery point %d when it leads, %v", points[tp], err)
		}
	}
	s.withReplicas(me, 2)
	if written != 1 || leads != 1 {
		t.Errorf("written %d times, leads %d times", written, leads)
	}
}

// A watermark that a cut lowered is written down, though nothing was flushed: the
// former one would make whatever comes next look committed.
func TestACutBelowTheWatermarkIsWrittenDown(t *testing.T) {
	all, _ := led(t, 3, 2)
	s := loaded(t)
	f := s.follows(2)
	expect(t, "append", said(f.Append(follow.Fetched{Records: all, HighWatermark: 4})), "0..6 hw=4 epoch=1")
	mark := func(want int64) {
		t.Helper()
		marks, err := s.dirs[0].ReadCheckpoint(storage.HighWatermarks)
		if tp := (storage.TopicPartition{Topic: "t"}); err != nil || marks[tp] != want {
			t.Errorf("watermark %d, %v; want %d", marks[tp], err, want)
		}
	}
	s.checkpointWatermarks()
	mark(4)
	expect(t, "cut", said(f.Truncate(2)), "0..2 hw=2 epoch=1")
	s.settleCuts()
	mark(2)
}

// Only an empty log begins inside of a batch: one with records keeps them.
func TestFollowerWithRecordsDoesNotBeginInsideOfABatch(t *testing.T) {
	_, short := led(t, 1, 2)
	_, long := led(t, 1, 4)
	s := loaded(t)
	f := s.follows(2)
	expect(t, "append", said(f.Append(follow.Fetched{Records: short[0], HighWatermark: 2})), "0..2 hw=2 epoch=1")
	if got := said(f.Append(follow.Fetched{Offset: 2, Records: long[0], HighWatermark: 4})); !strings.Contains(got, "do not continue the log at 2") {
		t.Errorf("a batch of 0 to 3: %s", got)
	}
	expect(t, "afterwards", said(f.Position()), "0..2 hw=2 epoch=1")
}

// Records that are not known to be committed are not deleted, whatever the leader
// has deleted.
func TestFollowerDeletesUpToItsWatermark(t *testing.T) {
	all, _ := led(t, 3, 2)
	s := loaded(t)
	f := s.follows(2)
	expect(t, "append", said(f.Append(follow.Fetched{Records: all, HighWatermark: 4, LogStart: 6})), "4..6 hw=4 epoch=1")
	expect(t, "committed", said(f.Append(follow.Fetched{Offset: 6, HighWatermark: 6, LogStart: 6})), "6..6 hw=6 epoch=1")
}

// Whatever ends following in a leader epoch ends what its fetcher may do.
func TestFollowerIsRevoked(t *testing.T) {
	f := func(what string, end func(s *stand)) {
		t.Helper()
		s := loaded(t)
		f := s.follows(2)
		expect(t, what+": before", said(f.Position()), "0..0 hw=0 epoch=-1")
		end(s)
		_, _, err := f.EpochEnd(1)
		for _, got := range []string{
			said(f.Position()), said(f.Append(follow.Fetched{})), said(f.Truncate(0)), said(f.Restart(5)), said(follow.Position{}, err),
		} {
			expect(t, what, got, "revoked")
		}
	}
	f("leads", func(s *stand) { s.lead("t", topicID(1), 0) })
	f("another leader", func(s *stand) { s.follows(3) })
	f("the same leader again", func(s *stand) { s.follows(2) })
	f("no leader", func(s *stand) { s.follows(-1) })
	f("stopped", func(s *stand) { s.StopReplica(0, -1, []Stop{{Topic: "t", LeaderEpoch: s.epoch}}) })
	f("deleted", func(s *stand) { s.delete("t", 0) })
	f("offline", func(s *stand) { s.lookup("t", 0).becomeOffline(s.Manager) })
	f("stops", func(s *stand) {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// Consumers that read from a follower hear of what it learns.
func TestFollowersReadersAreWoken(t *testing.T) {
	after(t, func(t *testing.T) {
		_, each := led(t, 3, 2)
		s := loaded(t)
		f := s.follows(2)
		take := func(records []byte, high int64) {
			t.Helper()
			at, err := f.Position()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Append(follow.Fetched{Offset: at.End, Records: records, HighWatermark: high}); err != nil {
				t.Fatal(err)
			}
		}
		here := func(offset int64) *FetchRequest {
			req := plain(want("t", 0, offset))
			req.Anywhere = true
			return req
		}
		w := s.parked(here(0))
		take(each[0], 0)
		synctest.Wait()
		if w.count() != 0 {
			t.Error("woken by what is not committed")
		}
		take(nil, 2)
		expect(t, "committed", show(w.resume()), "[t-0 hw=2 lso=2 start=0 [0]]")
		w = s.parked(here(2))
		take(each[1], 4)
		expect(t, "both at once", show(w.resume()), "[t-0 hw=4 lso=4 start=0 [2]]")
		w = s.parked(here(4))
		if _, err := f.Truncate(2); err != nil {
			t.Fatal(err)
		}
		expect(t, "cut off below", show(w.resume()), "[t-0 offset 4 is outside of [0, 2]]")
	})
}

func TestFollowersDiskFails(t *testing.T) {
	all, _ := led(t, 1, 1)
	s := loaded(t)
	f := s.follows(2)
	s.fs.SetInjector(func(op memfs.Op, _ string) error {
		if op == memfs.OpWrite {
			return errors.New("bad sector")
		}
		return nil
	})
	_, err := f.Append(follow.Fetched{Records: all})
	if _, ok := errors.AsType[*storage.DirError](err); !ok {
		t.Fatalf("error %v", err)
	}
	f.Fail(err)
	expect(t, "afterwards", said(f.Position()), "revoked")
	if s.Following().Partitions != 0 {
		t.Error("the partition is still copied")
	}
}

// spy is a leader that writes down what followers ask, and answers nothing.
type spy struct {
	mu    sync.Mutex
	asked []string
}

func (s *spy) dial(address, client string) follow.Peer { return &spyPeer{s, address + " " + client} }

type spyPeer struct {
	spy  *spy
	name string
}

// Do implements follow.Peer.
func (p *spyPeer) Do(_ context.Context, call *rpc.Call) error {
	line := fmt.Sprintf("%s v%d", p.name, call.Version)
	if req, ok := call.Request.(*wire.FetchRequest); ok {
		for _, t := range req.Topics {
			for _, q := range t.Partitions {
				line += fmt.Sprintf(" %s/%d-%d epoch=%d", t.Topic, t.TopicID[15], q.Partition, q.CurrentLeaderEpoch)
			}
		}
	}
	p.spy.mu.Lock()
	defer p.spy.mu.Unlock()
	p.spy.asked = append(p.spy.asked, line)
	return errors.New("nobody there")
}

// Close implements follow.Peer.
func (*spyPeer) Close() error { return nil }

// hears returns what was asked since the last call, each thing once.
func (s *spy) hears() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Compact(slices.Sorted(slices.Values(s.asked)))
	s.asked = nil
	return strings.Join(out, "\n")
}

// TestWhomFollowersAsk looks at what becomes of LeaderAndIsr and StopReplica.
func TestWhomFollowersAsk(t *testing.T) {
	after(t, func(t *testing.T) {
		s, spy := newStand(t), &spy{}
		s.cfg.Follow.Listener, s.cfg.Follow.Dial, s.cfg.Follow.Protocol = "INSIDE", spy.dial, latestProtocol(t)
		s.renew()
		s.load()
		s.Start(t.Context())
		s.at(2, "b2")
		f := func(what string, id wire.UUID, want string, change func(*wire.LeaderAndIsrRequestPartitionState)) {
			t.Helper()
			st := state("t", 0, s.epoch)
			st.Leader, st.Replicas = 2, []int32{me, 2}
			change(&st)
			if codes := s.tell(id, st); codes[0] != wire.CodeNone {
				t.Errorf("%s: %v", what, codes[0])
			}
			spy.hears() // what was on its way
			time.Sleep(2 * time.Second)
			expect(t, what, spy.hears(), want)
		}
		same := func(*wire.LeaderAndIsrRequestPartitionState) {}
		none := wire.UUID{}
		s.epoch = 1
		f("no topic id", none, "b2:9 broker-1-fetcher-0 v12 t/0-0 epoch=1", same)
		f("it gets one", topicID(4), "b2:9 broker-1-fetcher-0 v17 t/4-0 epoch=1", same)
		f("it is taken back", none, "b2:9 broker-1-fetcher-0 v12 t/0-0 epoch=1", same)
		s.epoch = 2
		f("next epoch", topicID(4), "b2:9 broker-1-fetcher-0 v17 t/4-0 epoch=2", same)
		s.at(2, "elsewhere")
		time.Sleep(time.Second)
		spy.hears()
		time.Sleep(time.Second)
		expect(t, "the leader listens elsewhere", spy.hears(), "elsewhere:9 broker-1-fetcher-0 v17 t/4-0 epoch=2")
		s.epoch = 3
		f("a leader that nobody knows", topicID(4), "", func(st *wire.LeaderAndIsrRequestPartitionState) { st.Leader = 3 })
		s.at(3, "b3")
		time.Sleep(2 * time.Second)
		expect(t, "it comes", spy.hears(), "b3:9 broker-1-fetcher-0 v17 t/4-0 epoch=3")
		s.epoch = 4
		f("no leader", topicID(4), "", func(st *wire.LeaderAndIsrRequestPartitionState) { st.Leader = -1 })
		s.at(2, "b2")
		s.epoch = 5
		f("again", topicID(4), "b2:9 broker-1-fetcher-0 v17 t/4-0 epoch=5", same)
		if codes := s.tell(topicID(4), state("t", 0, s.epoch)); codes[0] != wire.CodeStaleControllerEpoch {
			t.Errorf("the same epoch: %v", codes)
		}
		s.epoch = 6
		f("leads itself", topicID(4), "", func(st *wire.LeaderAndIsrRequestPartitionState) { st.Leader = me })
		s.epoch = 7
		f("follows", topicID(4), "b2:9 broker-1-fetcher-0 v17 t/4-0 epoch=7", same)
		s.StopReplica(0, -1, []Stop{{Topic: "t", LeaderEpoch: s.epoch}})
		spy.hears()
		time.Sleep(2 * time.Second)
		expect(t, "stopped", spy.hears(), "")
		if got := s.Following(); got != (follow.Stats{}) {
			t.Errorf("left: %+v", got)
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// at makes the metadata name this broker and another one with its listener.
func (s *stand) at(broker int32, host string) {
	s.t.Helper()
	req := wire.NewUpdateMetadataRequest()
	req.LiveBrokers = []wire.UpdateMetadataRequestBroker{{ID: me}, {ID: broker, Endpoints: []wire.UpdateMetadataRequestEndpoint{
		{Host: "outside", Port: 8, Listener: "OUTSIDE"}, {Host: host, Port: 9, Listener: "INSIDE"}}}}
	if _, err := s.cache.Apply(req); err != nil {
		s.t.Fatal(err)
	}
}

func latestProtocol(t *testing.T) config.ProtocolVersion {
	t.Helper()
	p, err := config.ParseProtocolVersion("3.9")
	if err != nil {
		t.Fatal(err)
	}
	return p
}
