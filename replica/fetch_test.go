package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// after runs a story in virtual time.
func after(t *testing.T, story func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, story)
}

// pass lets time go by in a story.
func pass(d time.Duration) { time.Sleep(d) }

func TestFetchReadsWhatIsThere(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0, 1)
	for range 3 {
		s.append("t", 0, 2, 100)
	}
	expect(t, "all", show(s.now(plain(want("t", 0, 0)))), "[t-0 hw=6 lso=6 start=0 [0 2 4]]")
	expect(t, "from inside a batch", show(s.now(plain(want("t", 0, 3), want("t", 1, 0)))),
		"[t-0 hw=6 lso=6 start=0 [2 4]][t-1 hw=0 lso=0 start=0 []]")
	expect(t, "beyond the end", show(s.now(plain(want("t", 0, 7)))), "[t-0 offset 7 is outside of [0, 6]]")
	expect(t, "no such partition", show(s.now(plain(want("t", 9, 0), want("u", 0, 0)))),
		"[t-9 UNKNOWN_TOPIC_OR_PARTITION][u-0 UNKNOWN_TOPIC_OR_PARTITION]")
	expect(t, "nothing asked for", show(s.now(plain())), "")
}

func TestOnlyTheFirstBatchMayExceedTheLimit(t *testing.T) {
	s := loaded(t)
	s.lead("t", topicID(1), 0, 1, 2)
	for i := range int32(3) {
		s.append("t", i, 1, 1000)
		s.append("t", i, 1, 1000)
	}
	req := plain(want("t", 0, 0), want("t", 1, 0), want("t", 2, 0))
	req.MaxBytes = 10
	expect(t, "whole batches", show(s.now(req)),
		"[t-0 hw=2 lso=2 start=0 [0]][t-1 hw=2 lso=2 start=0 []][t-2 hw=2 lso=2 start=0 []]")
	req.MaxBytes, req.Partitions[0].MaxBytes, req.Partitions[1].MaxBytes = 1<<20, 10, 10
	expect(t, "partition limits", show(s.now(req)),
		"[t-0 hw=2 lso=2 start=0 [0]][t-1 hw=2 lso=2 start=0 []][t-2 hw=2 lso=2 start=0 [0 1]]")
	req.WholeBatches = false // version 2 and before
	res := s.now(req)
	if n := res.Partitions[0].Span.Size(); n != 0 {
		t.Errorf("%d bytes where the first batch does not fit", n)
	}
	show(res)
}

func TestFetchWaits(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		began := time.Now()
		w := s.parked(plain(want("t", 0, 0)))
		if s.linked("t", 0) != 1 {
			t.Errorf("%d subscribers", s.linked("t", 0))
		}
		time.Sleep(100 * time.Millisecond)
		s.append("t", 0, 1, 10)
		if w.count() != 1 || time.Since(began) != 100*time.Millisecond {
			t.Fatalf("woken %d times after %v", w.count(), time.Since(began))
		}
		expect(t, "woken", show(w.resume()), "[t-0 hw=1 lso=1 start=0 [0]]")
		if s.linked("t", 0) != 0 {
			t.Error("a finished fetch stays in the partition's list")
		}
		w = s.parked(plain(want("t", 0, 1)))
		time.Sleep(499 * time.Millisecond)
		if w.count() != 0 {
			t.Error("woken before its time")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if w.count() != 1 {
			t.Fatal("not woken when its time was over")
		}
		expect(t, "expired", show(w.resume()), "[t-0 hw=1 lso=1 start=0 []]")
	})
}

// A fetch that found less than min.bytes rests until there is enough: neither
// does it spin, nor does it forget what it found.
func TestFetchWaitsForMinBytes(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0, 1)
		s.append("t", 0, 1, 100)
		one := len(batch(t, 1, 100))
		req := plain(want("t", 0, 0), want("t", 1, 0))
		req.MinBytes = 3 * one
		w := s.parked(req)
		s.append("t", 1, 1, 100)
		if w.count() != 0 {
			t.Fatal("woken by too little")
		}
		s.append("t", 0, 1, 100)
		if w.count() != 1 {
			t.Fatal("not woken by enough")
		}
		expect(t, "reply", show(w.resume()), "[t-0 hw=2 lso=2 start=0 [0 1]][t-1 hw=1 lso=1 start=0 [0]]")
		req.MinBytes, req.MaxBytes = 1<<30, one
		expect(t, "no more than may be returned is waited for", show(s.now(req)), "[t-0 hw=2 lso=2 start=0 [0]][t-1 hw=1 lso=1 start=0 []]")
	})
}

func TestCancelLeavesNothingBehind(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		w := s.parked(plain(want("t", 0, 0)))
		w.Cancel()
		if s.linked("t", 0) != 0 {
			t.Error("a cancelled fetch stays in the partition's list")
		}
		s.append("t", 0, 1, 10)
		time.Sleep(time.Second)
		if w.count() != 0 {
			t.Error("a cancelled fetch was woken")
		}
		// The connection goes away between the wake-up and the answer.
		w = s.parked(plain(want("t", 0, 1)))
		s.append("t", 0, 1, 10)
		w.Cancel()
		if s.linked("t", 0) != 0 {
			t.Error("a woken and cancelled fetch stays in the partition's list")
		}
		expect(t, "resumed all the same", show(w.resume()), "")
	})
}

func TestFetchHearsOfRoles(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		w := s.parked(plain(want("t", 0, 0)))
		s.delete("t", 0)
		if w.count() != 1 {
			t.Fatal("not woken by the deletion")
		}
		// The metadata still names it here: clients look again.
		expect(t, "deleted", show(w.resume()), "[t-0 NOT_LEADER_OR_FOLLOWER]")

		s.lead("t", topicID(2), 0)
		w = s.parked(plain(want("t", 0, 0)))
		s.epoch++
		moved := state("t", 0, s.epoch)
		moved.Leader, moved.Isr, moved.Replicas = 2, []int32{2}, []int32{2, me}
		s.tell(topicID(2), moved)
		expect(t, "led elsewhere", show(w.resume()), "[t-0 NOT_LEADER_OR_FOLLOWER]")
		expect(t, "told again", show(s.now(plain(want("t", 0, 0)))), "[t-0 NOT_LEADER_OR_FOLLOWER]")

		s.lead("t", topicID(2), 0)
		behind, ahead := want("t", 0, 0), want("t", 0, 0)
		behind.LeaderEpoch, ahead.LeaderEpoch = s.epoch-1, s.epoch+1
		expect(t, "old epoch", show(s.now(plain(behind))), "[t-0 FENCED_LEADER_EPOCH]")
		expect(t, "unknown epoch", show(s.now(plain(ahead))), "[t-0 UNKNOWN_LEADER_EPOCH]")

		w = s.parked(plain(want("t", 0, 0)))
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		expect(t, "the broker stops", show(w.resume()), "[t-0 NOT_LEADER_OR_FOLLOWER]")
	})
}

func byID(id wire.UUID, index int32, offset int64) FetchPartition {
	p := want("", index, offset)
	p.TopicID = id
	return p
}

func TestFetchByTopicID(t *testing.T) {
	after(t, func(t *testing.T) {
		s := loaded(t)
		s.lead("t", topicID(1), 0)
		s.append("t", 0, 1, 10)
		fetch := func(p ...FetchPartition) *FetchRequest {
			req := plain(p...)
			req.ByID = true
			return req
		}
		expect(t, "known", show(s.now(fetch(byID(topicID(1), 0, 0)))), "[t-0 hw=1 lso=1 start=0 [0]]")
		expect(t, "unknown", show(s.now(fetch(byID(topicID(9), 0, 0)))), "[9-0 UNKNOWN_TOPIC_ID]")
		s.publish("t", topicID(3), 0) // the metadata runs ahead of LeaderAndIsr
		expect(t, "another topic of this name", show(s.now(fetch(byID(topicID(3), 0, 0)))), "[3-0 INCONSISTENT_TOPIC_ID]")

		s.publish("t", topicID(1), 0)
		w := s.parked(fetch(byID(topicID(1), 0, 1)))
		s.delete("t", 0)
		s.lead("t", topicID(2), 0)
		expect(t, "made anew while parked", show(w.resume()), "[1-0 UNKNOWN_TOPIC_ID]")
		expect(t, "the new one", show(s.now(fetch(byID(topicID(2), 0, 1)))), "[t-0 offset 1 is outside of [0, 0]]")
		if n := s.linked("t", 0); n != 0 {
			t.Errorf("%d subscribers left", n)
		}
	})
}

// transactional is one batch of an open transaction.
func transactional(t *testing.T, seq int32) []byte {
	return specBatch(t, record.Spec{HasProducer: true, ProducerID: 7, ProducerEpoch: 0, BaseSequence: seq, Transactional: true}, 1, 100)
}

func TestReadCommittedWaitsForTheEndOfTransactions(t *testing.T) {
	after(t, func(t *testing.T) {
		s := newStand(t)
		s.topic.VerifyTxn = false
		s.renew()
		s.load()
		s.lead("t", topicID(1), 0)
		committed := func(offset int64) *FetchRequest {
			req := plain(want("t", 0, offset))
			req.Isolation = ReadCommitted
			return req
		}
		w := s.parked(committed(0))
		dirty := s.parked(plain(want("t", 0, 0)))
		if r := s.appendBytes("t", 0, transactional(t, 0)); r.Err != nil {
			t.Fatal(r.Err)
		}
		if w.count() != 0 || dirty.count() != 1 {
			t.Fatalf("an open transaction woke read_committed %d times, read_uncommitted %d", w.count(), dirty.count())
		}
		expect(t, "read_uncommitted", show(dirty.resume()), "[t-0 hw=1 lso=0 start=0 [0]]")
		marker := record.AppendEndTxnMarker(nil, 7, 0, record.EndTxnMarker{Type: record.ControlAbort, CoordinatorEpoch: 1}, time.Now().UnixMilli())
		s.Append(&AppendRequest{Topic: "t", Records: marker, Acks: AcksAll, LeaderEpoch: AnyEpoch, Origin: producer.Coordinator}, func(r AppendResult) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		})
		if w.count() != 1 {
			t.Fatal("the marker woke nobody")
		}
		res := w.resume()
		if a := res.Partitions[0].Aborted; len(a) != 1 || a[0].ProducerID != 7 || a[0].FirstOffset != 0 {
			t.Errorf("aborted %v", a)
		}
		expect(t, "read_committed", show(res), "[t-0 hw=2 lso=2 start=0 [0 1]]")
	})
}
