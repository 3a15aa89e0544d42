package replica

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica/follow"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// answers collects results of appends.
type answers struct {
	mu  sync.Mutex
	all []AppendResult
}

func (a *answers) add(r AppendResult) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, r)
}

func (a *answers) take() []AppendResult {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.all
	a.all = nil
	return out
}

func (s *stand) send(a *answers, acks int16, epoch int32, timeout time.Duration) {
	s.Append(&AppendRequest{Topic: "t", Records: batch(s.t, 1, 10), Acks: acks, LeaderEpoch: epoch, Timeout: timeout, Origin: producer.Client}, a.add)
}

// follow makes brokers 1 and 2 replicas, this one the leader, with an ISR.
func (s *stand) withReplicas(isr ...int32) {
	s.t.Helper()
	s.epoch++
	st := state("t", 0, s.epoch)
	st.Replicas, st.Isr = []int32{me, 2}, isr
	if codes := s.tell(topicID(1), st); codes[0] != wire.CodeNone {
		s.t.Fatal(codes)
	}
}

func TestAppendAnswers(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0)
	for _, acks := range []int16{AcksNone, AcksLeader, AcksAll} {
		if r := s.append("t", 0, 3, 30); r.Err != nil || r.LastOffset != r.BaseOffset+2 || r.LogAppendTime != -1 || r.LogStart != 0 {
			t.Errorf("acks %d: %+v", acks, r)
		}
	}
	f := func(req AppendRequest, want error, start int64) {
		t.Helper()
		req.Records = batch(t, 1, 1)
		s.Append(&req, func(r AppendResult) {
			if !errors.Is(r.Err, want) || r.BaseOffset != -1 || r.LogAppendTime != -1 || r.LogStart != start {
				t.Errorf("%+v, want %v, start %d", r, want, start)
			}
		})
	}
	f(AppendRequest{Topic: "u", LeaderEpoch: AnyEpoch}, wire.CodeUnknownTopicOrPartition, -1)
	if _, err := s.DeleteRecords("t", 0, 4); err != nil {
		t.Fatal(err)
	}
	f(AppendRequest{Topic: "t", LeaderEpoch: s.epoch + 1}, wire.CodeNotLeaderOrFollower, 4)
	s.publish("v", topicID(2), 0)
	f(AppendRequest{Topic: "v", LeaderEpoch: AnyEpoch}, wire.CodeNotLeaderOrFollower, -1)
	if r := s.appendBytes("t", 0, []byte("not a batch, but long enough to have a header, which is 61 bytes long")); r.Err == nil {
		t.Error("garbage was appended")
	}
	again := specBatch(t, record.Spec{HasProducer: true, ProducerID: 5}, 2, 10)
	first := s.appendBytes("t", 0, again)
	record.Batch(again).SetBaseOffset(0)
	if second := s.appendBytes("t", 0, again); second.Err != nil || second.BaseOffset != first.BaseOffset {
		t.Errorf("duplicate: %+v, first %+v", second, first)
	}
}

func TestAcksAllWaitsForTheWatermark(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.withReplicas(me, 2)
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Second)
		s.send(&a, AcksLeader, AnyEpoch, 0)
		if got := a.take(); len(got) != 1 || got[0].BaseOffset != 1 {
			t.Fatalf("acks=1 beside acks=all: %+v", got)
		}
		expect(t, "consumers see nothing", show(s.parkedNow(want("t", 0, 0))), "[t-0 hw=0 lso=0 start=0 []]")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := a.take(); len(got) != 1 || got[0].Err != wire.CodeRequestTimedOut {
			t.Fatalf("timeout: %+v", got)
		}
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		s.withReplicas(me) // the other one left the ISR: what it lacks is committed
		if got := a.take(); len(got) != 1 || got[0].Err != nil || got[0].BaseOffset != 2 {
			t.Fatalf("alone: %+v", got)
		}
		if hw := s.lookup("t", 0).log().HighWatermark(); hw != 3 {
			t.Errorf("watermark %d", hw)
		}
		s.withReplicas(me, 2) // and it never falls
		if hw := s.lookup("t", 0).log().HighWatermark(); hw != 3 {
			t.Errorf("watermark %d after the ISR grew", hw)
		}
		s.send(&a, AcksAll, AnyEpoch, time.Minute)
		s.epoch++
		st := state("t", 0, s.epoch)
		st.Leader, st.Replicas, st.Isr = 2, []int32{me, 2}, []int32{me, 2}
		s.tell(topicID(1), st)
		if got := a.take(); len(got) != 1 || got[0].Err != wire.CodeNotLeaderOrFollower {
			t.Fatalf("resigned: %+v", got)
		}
		time.Sleep(time.Hour) // no timer speaks twice
		synctest.Wait()
		if got := a.take(); len(got) != 0 {
			t.Errorf("answered again: %+v", got)
		}
	})
}

// parkedNow fetches with no time to wait.
func (s *stand) parkedNow(p FetchPartition) *FetchResult {
	req := plain(p)
	req.MaxWait = 0
	return s.now(req)
}

// An append whose broker stopped leading between the write and the wait is not
// left to its timeout, nor is it answered by what a later leadership commits.
func TestAwaitLooksAtTheRole(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.withReplicas(me, 2)
		p := s.lookup("t", 0)
		epoch := s.epoch
		park := func() *answers {
			a := &answers{}
			p.await(&ackWait{after: 1, done: a.add}, true, epoch, time.Hour)
			return a
		}
		if got := park().take(); len(got) != 0 {
			t.Fatalf("leader: %+v", got)
		}
		s.withReplicas(me, 2)
		if got := park().take(); len(got) != 0 {
			t.Fatalf("leader without a break: %+v", got)
		}
		s.epoch++
		st := state("t", 0, s.epoch)
		st.Leader, st.Replicas = 2, []int32{me, 2}
		s.tell(topicID(1), st)
		if got := park().take(); len(got) != 1 || got[0].Err != wire.CodeNotLeaderOrFollower {
			t.Fatalf("follower: %+v", got)
		}
		s.withReplicas(me, 2)
		if got := park().take(); len(got) != 1 || got[0].Err != wire.CodeNotLeaderOrFollower {
			t.Fatalf("leader again: %+v", got)
		}
	})
}

// TestMinISR is reference trap 68: the watermark stands while the ISR is too
// small, also for acks=1.
func TestMinISR(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t)
		s.min = 2
		s.load()
		s.withReplicas(me)
		var a answers
		s.send(&a, AcksAll, AnyEpoch, time.Second)
		if got := a.take(); len(got) != 1 || got[0].Err != wire.CodeNotEnoughReplicas {
			t.Fatalf("acks=all: %+v", got)
		}
		s.send(&a, AcksLeader, AnyEpoch, time.Second)
		if got := a.take(); len(got) != 1 || got[0].Err != nil {
			t.Fatalf("acks=1: %+v", got)
		}
		p := s.lookup("t", 0)
		if p.log().HighWatermark() != 0 || p.log().EndOffset() != 1 {
			t.Errorf("watermark %d, end %d", p.log().HighWatermark(), p.log().EndOffset())
		}
		w := s.parked(plain(want("t", 0, 0)))
		s.min = 1
		s.UpdateTopic("t")
		expect(t, "with a smaller minimum", show(w.resume()), "[t-0 hw=1 lso=1 start=0 [0]]")
		// One replica only: the minimum cannot be above the replication factor.
		s.min = 2
		s.UpdateAll()
		s.epoch++
		s.tell(topicID(1), state("t", 0, s.epoch))
		s.send(&a, AcksAll, AnyEpoch, time.Second)
		if got := a.take(); len(got) != 1 || got[0].Err != nil {
			t.Fatalf("replication factor 1: %+v", got)
		}
	})
}

// A follower's fetch sees records that are not committed, and is woken by them.
func TestFollowersReadToTheEnd(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.withReplicas(me, 2)
		req := plain(want("t", 0, 0))
		req.ReplicaID = 2
		w, consumer := s.parked(req), s.parked(plain(want("t", 0, 0)))
		var a answers
		s.send(&a, AcksLeader, AnyEpoch, 0)
		expect(t, "follower", show(w.resume()), "[t-0 hw=0 lso=0 start=0 [0]]")
		if consumer.count() != 0 {
			t.Error("a consumer was woken by a record that is not committed")
		}
		consumer.Cancel()
	})
}

// A disk error takes the partitions of its directory offline, answers all that
// wait, and leaves the other directory alone.
func TestFailedDirectory(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t, "/d1", "/d2")
		var failures []int
		s.cfg.DirFailed = func(err *storage.DirError, live int) { failures = append(failures, live) }
		s.renew()
		s.load()
		s.lead("t", topicID(1), 0, 1, 2)
		if s.lookup("t", 0).log().Dir() != s.dirs[0] || s.lookup("t", 1).log().Dir() != s.dirs[1] {
			t.Fatal("partitions are not spread")
		}
		bad := s.lookup("t", 0).log().Path()
		w := s.parked(plain(want("t", 2, 0)))
		s.heard.take()
		s.fs.SetInjector(func(op memfs.Op, name string) error {
			if op == memfs.OpWrite && len(name) > len(bad) && name[:len(bad)] == bad {
				return syscall.EIO
			}
			return nil
		})
		if _, ok := errors.AsType[*storage.DirError](s.append("t", 0, 1, 10).Err); !ok {
			t.Error("no disk error")
		}
		s.fs.SetInjector(nil)
		if r := s.append("t", 2, 1, 10); r.Err != wire.CodeKafkaStorageError {
			t.Errorf("same directory: %v", r.Err)
		}
		expect(t, "woken", show(w.resume()), "[t-2 KAFKA_STORAGE_ERROR]")
		if r := s.append("t", 1, 1, 10); r.Err != nil {
			t.Errorf("other directory: %v", r.Err)
		}
		if len(failures) != 1 || failures[0] != 1 {
			t.Errorf("told of failures: %v", failures)
		}
		if got := s.heard.take(); len(got) != 2 {
			t.Errorf("heard %v", got)
		}
		s.epoch++
		old := state("t", 7, s.epoch)
		old.IsNew = false // may lie on the disk that failed
		fresh := state("t", 8, s.epoch)
		same := state("t", 0, s.epoch)
		codes := s.tell(topicID(1), old, fresh, same)
		if codes[0] != wire.CodeKafkaStorageError || codes[1] != wire.CodeNone || codes[2] != wire.CodeKafkaStorageError {
			t.Errorf("codes %v", codes)
		}
		if d := s.lookup("t", 8).log().Dir(); d != s.dirs[1] {
			t.Errorf("made in %s", d.Path())
		}
		_, stopped := s.StopReplica(0, -1, []Stop{{Topic: "t", Partition: 0, LeaderEpoch: noEpoch}})
		if stopped[0] != wire.CodeKafkaStorageError {
			t.Errorf("stopped %v", stopped)
		}
		if desc := s.DescribeDirs(nil); desc[0].Err == nil || desc[1].Err != nil || len(desc[1].Replicas) != 2 {
			t.Errorf("described %+v", desc)
		}
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		for i, clean := range []bool{false, true} {
			if _, err := s.fs.Stat(s.dirs[i].Path() + "/.kafka_cleanshutdown"); (err == nil) != clean {
				t.Errorf("clean mark of directory %d: %v", i, err)
			}
		}
	})
}

// Between an append and the look at the watermark another broker may have become
// leader, and this one its follower, cut off and filled again: a watermark beyond
// the append then says nothing about it.
func TestAppendThatAnotherLeaderReplaced(t *testing.T) {
	others, _ := led(t, 3, 2)
	s := loaded(t)
	s.withReplicas(me, 2)
	p := s.lookup("t", 0)
	info, epoch, err := p.append(&AppendRequest{Topic: "t", Records: batch(t, 1, 10), Acks: AcksAll, LeaderEpoch: AnyEpoch, Origin: producer.Client}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := s.follows(2)
	if _, err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	at, err := f.Append(follow.Fetched{Records: others, HighWatermark: 6})
	expect(t, "the other leader's log", said(at, err), "0..6 hw=6 epoch=1")
	var a answers
	w := &ackWait{after: info.LastOffset + 1, done: a.add}
	p.await(w, true, epoch, time.Minute)
	if got := a.take(); len(got) != 1 || !errors.Is(got[0].Err, wire.CodeNotLeaderOrFollower) {
		t.Errorf("answers %+v", got)
	}
	s.withReplicas(me, 2) // it leads again, but not without a break
	p.await(w, true, epoch, time.Minute)
	if got := a.take(); len(got) != 1 || !errors.Is(got[0].Err, wire.CodeNotLeaderOrFollower) {
		t.Errorf("answers %+v", got)
	}
}
