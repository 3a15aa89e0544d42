package coordinator

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

func TestGroupLivesThroughFailover(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		j := b.join(group.Join{Group: "g", RequireMemberID: true})
		wantCode(t, "first join", j.Code, wire.CodeMemberIDRequired)
		j = b.join(group.Join{Group: "g", Member: j.Member})
		if j.Code != wire.CodeNone || j.Leader != j.Member || len(j.Members) != 1 || len(j.Member) != len("c-")+36 {
			t.Fatalf("joined as %+v", j)
		}
		s := b.sync(group.Sync{Group: "g", Member: j.Member, Generation: 1, Assignments: []group.Assignment{{Member: j.Member, Data: []byte("a")}}})
		if s.Code != wire.CodeNone || string(s.Assignment) != "a" {
			t.Fatalf("synced %+v", s)
		}
		c := offsetOf("g", 42)
		c.Member, c.Generation = j.Member, 1
		wantCode(t, "commit", b.commit(c), wire.CodeNone)
		for i := range 20 {
			wantCode(t, "commit", b.commit(offsetOf(fmt.Sprint("simple", i), int64(i))), wire.CodeNone)
		}

		b.stop()
		b.start()
		b.lead(2)
		if got := b.state("g"); got != "Stable" {
			t.Errorf("loaded as %s", got)
		}
		wantCode(t, "heartbeat", b.heartbeat(group.Heartbeat{Group: "g", Member: j.Member, Generation: 1}), wire.CodeNone)
		b.wantFetch("g", 42, wire.CodeNone)
		for i := range 20 {
			b.wantFetch(fmt.Sprint("simple", i), int64(i), wire.CodeNone)
		}
		if l := b.list(); l.Code != wire.CodeNone || len(l.Groups) != 21 || !slices.IsSortedFunc(l.Groups, func(a, b group.Listed) int {
			return slices.Compare([]byte(a.Group), []byte(b.Group))
		}) {
			t.Errorf("list: %v", l)
		}
		// Its session began anew; then nobody is heard of.
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if got := b.state("g"); got != "Stable" {
			t.Errorf("after 9 s: %s", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := b.state("g"); got != "Empty" {
			t.Errorf("after 11 s: %s", got)
		}
	})
}

// TestBatchesAreKafkas checks the headers of what is appended.
func TestBatchesAreKafkas(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(3)
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeNone)
		ask(func(done func(group.CommitReply)) {
			b.c.TxnCommit(group.TxnCommit{Group: "g", Generation: -1, ProducerID: 9, ProducerEpoch: 2, Topics: offsetOf("g", 2).Topics}, done)
		})
		b.join(group.Join{Group: "g"})
		id := b.join(group.Join{Group: "g", Instance: new("i")})
		wantCode(t, "static join waits for the other, which is gone", id.Code, wire.CodeNone)
		b.sync(group.Sync{Group: "g", Member: id.Member, Generation: id.Generation})
		all := b.log.batches(b.c.PartitionFor("g"))
		f := func(i int, producer int64, epoch int16, sequence int32, txn bool) {
			t.Helper()
			if i >= len(all) {
				t.Fatalf("%d batches", len(all))
			}
			x := all[i]
			if err := x.Verify(); err != nil {
				t.Errorf("batch %d: %v", i, err)
			}
			if x.ProducerID() != producer || x.ProducerEpoch() != epoch || x.BaseSequence() != sequence || x.IsTransactional() != txn ||
				x.Magic() != 2 || x.Codec() != record.None || x.TimestampType() != record.CreateTime || x.BaseTimestamp() == 0 {
				t.Errorf("batch %d: producer %d epoch %d sequence %d transactional %v", i, x.ProducerID(), x.ProducerEpoch(), x.BaseSequence(), x.IsTransactional())
			}
		}
		f(0, -1, -1, 0, false)
		f(1, 9, 2, 0, true)
		f(2, -1, -1, -1, false)
	})
}

func TestNotLedLoadingAndLost(t *testing.T) {
	inBubble(t, func(b *bench) {
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeNotCoordinator)
		wantCode(t, "heartbeat", b.heartbeat(group.Heartbeat{Group: "g", Member: "m"}), wire.CodeNotCoordinator)
		wantCode(t, "list", b.list().Code, wire.CodeNone)

		gate := make(chan struct{})
		b.log.with(0, func(*memoryPart) { b.log.gate = gate })
		b.lead(1)
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeCoordinatorLoadInProgress)
		wantCode(t, "join", b.join(group.Join{Group: "g"}).Code, wire.CodeCoordinatorLoadInProgress)
		wantCode(t, "heartbeat", b.heartbeat(group.Heartbeat{Group: "g", Member: "m"}), wire.CodeNone)
		wantCode(t, "sync", b.sync(group.Sync{Group: "g", Member: "m"}).Code, wire.CodeRebalanceInProgress)
		wantCode(t, "list", b.list().Code, wire.CodeCoordinatorLoadInProgress)
		b.wantFetch("g", -1, wire.CodeCoordinatorLoadInProgress)
		close(gate)
		synctest.Wait()
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeNone)

		p := b.c.PartitionFor("g")
		b.log.with(p, func(m *memoryPart) { m.hold = true })
		j := b.join(group.Join{Group: "g"})
		synced := make(chan group.SyncReply, 1)
		b.c.Sync(group.Sync{Group: "g", Member: j.Member, Generation: 1}, func(r group.SyncReply) { synced <- r })
		joined := make(chan group.JoinReply, 1)
		committed := make(chan group.CommitReply, 1)
		other := "h0"
		for i := 1; b.c.PartitionFor(other) != p; i++ {
			other = fmt.Sprint("h", i)
		}
		b.c.Commit(offsetOf(other, 5), func(r group.CommitReply) { committed <- r })
		synctest.Wait()
		b.c.OnResign(p, 0) // an old one
		b.c.OnResign(p, 2)
		wantCode(t, "waiting sync", (<-synced).Code, wire.CodeNotCoordinator)
		wantCode(t, "waiting commit", (<-committed).Topics[0].Partitions[0].Code, wire.CodeNotCoordinator)
		b.c.Join(joinOf(group.Join{Group: "g"}), func(r group.JoinReply) { joined <- r })
		wantCode(t, "join", (<-joined).Code, wire.CodeNotCoordinator)

		// Led again: what was held comes through late and concerns nobody, but
		// it is in the log.
		b.log.with(p, func(m *memoryPart) {
			m.epoch, m.hold = 3, false
			for _, f := range m.held {
				f()
			}
		})
		b.c.OnLeader(p, 1) // an old one
		b.c.OnLeader(p, 3)
		synctest.Wait()
		if got := b.state("g"); got != "Stable" {
			t.Errorf("loaded as %s", got)
		}
		b.wantFetch(other, 5, wire.CodeNone)
	})
}

func TestEpochsOfOneLeadership(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		p := b.c.PartitionFor("g")
		waiting := make(chan group.JoinReply, 1)
		b.join(group.Join{Group: "g"})
		b.c.Join(joinOf(group.Join{Group: "g"}), func(r group.JoinReply) { waiting <- r })
		synctest.Wait()
		// The next epoch of the same leader changes nothing for its groups.
		b.log.with(p, func(m *memoryPart) { m.epoch = 2 })
		b.c.OnLeader(p, 2)
		b.c.OnLeader(p, 2)
		synctest.Wait()
		if len(waiting) != 0 {
			t.Fatalf("answered %v", <-waiting)
		}
		wantCode(t, "commit in the new epoch", b.commit(offsetOf("s", 1)), wire.CodeNone)
		// One was missed: somebody else may have written.
		b.log.with(p, func(m *memoryPart) { m.epoch = 4 })
		b.c.OnLeader(p, 4)
		wantCode(t, "waiting join", (<-waiting).Code, wire.CodeNotCoordinator)
		synctest.Wait()
		if got := b.state("g"); got != "Dead" {
			t.Errorf("nothing was stored, but the group is %s", got)
		}
		b.c.OnResign(p, -1)
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeNotCoordinator)
	})
}

func TestAppendsThatFail(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		p := b.c.PartitionFor("g")
		b.log.with(p, func(m *memoryPart) { m.code = wire.CodeNotEnoughReplicas })
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeCoordinatorNotAvailable)
		b.log.with(p, func(m *memoryPart) { m.code, m.epoch = wire.CodeNone, 2 })
		wantCode(t, "commit in an old epoch", b.commit(offsetOf("g", 1)), wire.CodeNotCoordinator)
		b.wantFetch("g", -1, wire.CodeNone)
	})
}

func TestFailedLoadIsTriedAgain(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		wantCode(t, "commit", b.commit(offsetOf("g", 7)), wire.CodeNone)
		b.stop()
		b.start()
		b.log.with(0, func(*memoryPart) { b.log.readErr = errDisk })
		b.lead(2)
		b.wantFetch("g", -1, wire.CodeCoordinatorLoadInProgress)
		time.Sleep(2 * loadRetry)
		b.wantFetch("g", -1, wire.CodeCoordinatorLoadInProgress)
		b.log.with(0, func(*memoryPart) { b.log.readErr = nil })
		time.Sleep(loadRetry)
		synctest.Wait()
		b.wantFetch("g", 7, wire.CodeNone)
	})
}

// TestFailedLoadsGetRare: a partition that nobody can read is looked at once a
// minute in the end, with one line in the log each time, whatever can be read
// of it; a new leadership begins anew.
func TestFailedLoadsGetRare(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.stop()
		lines := &lineLog{}
		b.startWith(slog.New(lines))
		b.log.with(3, func(p *memoryPart) { // a record to be skipped, then half a batch
			good := entry(t, record.Spec{BaseOffset: 1}, map[int32]int64{0: 5})
			p.entries = [][]byte{strangeBatch(t), good[:len(good)-1]}
			p.epoch = 1
		})
		b.c.OnLeader(3, 1)
		synctest.Wait()
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			if n := lines.take(); n != 1 {
				t.Fatalf("%d lines for a failed load, want 1", n)
			}
			time.Sleep(pause*time.Second - time.Nanosecond)
			synctest.Wait()
			if n := lines.take(); n != 0 {
				t.Fatalf("%d lines within %d s", n, pause)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
		}
		lines.take()
		b.c.OnResign(3, 2)
		b.c.OnLeader(3, 3)
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if n := lines.take(); n != 2 {
			t.Errorf("%d lines in the first second of a new leadership, want 2", n)
		}
	})
}

func TestExpiryIsScannedFor(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		wantCode(t, "commit", b.commit(offsetOf("g", 7)), wire.CodeNone)
		time.Sleep(7*24*time.Hour - time.Minute)
		b.wantFetch("g", 7, wire.CodeNone)
		time.Sleep(testConfig().RetentionCheck + time.Minute)
		synctest.Wait()
		if got := b.state("g"); got != "Dead" {
			t.Errorf("a week and a scan later: %s", got)
		}
	})
}

func TestDeletions(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		for _, name := range []string{"a", "b", "c", "d"} {
			wantCode(t, "commit", b.commit(offsetOf(name, 7)), wire.CodeNone)
		}
		r := ask(func(done func([]Deleted)) { b.c.Delete([]string{"a", "nobody", "a"}, done) })
		if want := []Deleted{{"a", wire.CodeNone}, {"nobody", wire.CodeGroupIDNotFound}}; !slices.Equal(r, want) {
			t.Errorf("deleted %v, want %v", r, want)
		}
		d := ask(func(done func(group.DeleteOffsetsReply)) {
			b.c.DeleteOffsets(group.DeleteOffsets{Group: "b", Topics: []group.TopicPartitions{{Topic: "t", Partitions: []int32{0}}}}, done)
		})
		wantCode(t, "delete offsets", d.Code, wire.CodeNone)
		b.wantFetch("b", -1, wire.CodeNone)
		// A deletion reported while partitions load counts when they have.
		gate := make(chan struct{})
		b.log.with(0, func(*memoryPart) { b.log.gate = gate })
		p := b.c.PartitionFor("d")
		b.c.OnResign(p, 2)
		b.log.with(p, func(m *memoryPart) { m.epoch = 3 })
		b.c.OnLeader(p, 3)
		b.c.OnPartitionsDeleted([]group.TopicPartitions{{Topic: "t", Partitions: []int32{0, 1}}})
		synctest.Wait()
		close(gate)
		synctest.Wait()
		for _, name := range []string{"c", "d"} {
			b.wantFetch(name, -1, wire.CodeNone)
		}
		if l := b.list(); len(l.Groups) != 0 {
			t.Errorf("left: %v", l.Groups)
		}
	})
}

func TestMarkers(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		p := b.c.PartitionFor("g")
		ask(func(done func(group.CommitReply)) {
			b.c.TxnCommit(group.TxnCommit{Group: "g", Generation: -1, ProducerID: 9, Topics: offsetOf("g", 2).Topics}, done)
		})
		b.wantFetch("g", -1, wire.CodeNone)
		end := func(partition int32) wire.Code {
			return ask(func(done func(group.CodeReply)) { b.c.EndTxn(partition, 9, true, done) }).Code
		}
		// The marker comes while the partition loads, and behind what was read.
		gate := make(chan struct{})
		b.log.with(0, func(*memoryPart) { b.log.gate = gate })
		b.c.OnResign(p, 2)
		b.log.with(p, func(m *memoryPart) { m.epoch = 3 })
		b.c.OnLeader(p, 3)
		ended := make(chan group.CodeReply, 1)
		b.c.EndTxn(p, 9, true, func(r group.CodeReply) { ended <- r })
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("a marker was applied before the load")
		}
		close(gate)
		wantCode(t, "marker", (<-ended).Code, wire.CodeNone)
		b.wantFetch("g", 2, wire.CodeNone)
		b.c.OnResign(p, 4)
		wantCode(t, "marker of a partition led elsewhere", end(p), wire.CodeNone)
	})
}

func TestGroupIDs(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		wantCode(t, "join", b.join(group.Join{}).Code, wire.CodeInvalidGroupID)
		wantCode(t, "sync", b.sync(group.Sync{}).Code, wire.CodeInvalidGroupID)
		wantCode(t, "heartbeat", b.heartbeat(group.Heartbeat{}), wire.CodeInvalidGroupID)
		wantCode(t, "leave", ask(func(done func(group.LeaveReply)) { b.c.Leave(group.Leave{}, done) }).Code, wire.CodeInvalidGroupID)
		wantCode(t, "commit", b.commit(offsetOf("", 3)), wire.CodeNone)
		b.wantFetch("", 3, wire.CodeNone)
		if got := b.state(""); got != "Empty" {
			t.Errorf("the empty group is %s", got)
		}
		if r := ask(func(done func([]group.FetchReply)) { b.c.Fetch(nil, done) }); len(r) != 0 {
			t.Errorf("fetch of no group: %v", r)
		}
	})
}

func TestStopAnswersEverybody(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		b.join(group.Join{Group: "g"})
		waiting := make(chan group.JoinReply, 1)
		b.c.Join(joinOf(group.Join{Group: "g"}), func(r group.JoinReply) { waiting <- r })
		synctest.Wait()
		b.stop()
		wantCode(t, "waiting join", (<-waiting).Code, wire.CodeNotCoordinator)
		wantCode(t, "commit", b.commit(offsetOf("g", 1)), wire.CodeCoordinatorNotAvailable)
		wantCode(t, "list", b.list().Code, wire.CodeCoordinatorNotAvailable)
		wantCode(t, "marker", ask(func(done func(group.CodeReply)) { b.c.EndTxn(0, 1, true, done) }).Code, wire.CodeCoordinatorNotAvailable)
	})
}

func TestFullLoopRefuses(t *testing.T) {
	c := New(testConfig(), newMemoryLog(), nil, nil, nil) // nobody empties its mailboxes
	refused := 0
	for range maxRequests + 5 {
		c.Heartbeat(group.Heartbeat{Group: "g"}, func(group.CodeReply) { refused++ })
	}
	if refused != 5 {
		t.Errorf("%d of %d requests were refused, want 5", refused, maxRequests+5)
	}
	c.OnLeader(c.PartitionFor("g"), 1) // never refused
	if got := len(c.loopOf(c.PartitionFor("g")).box.drain(nil)); got != maxRequests+1 {
		t.Errorf("the mailbox holds %d messages", got)
	}
}

// TestOneRequestLeavesRoom: who asks for many groups at once has a few of them
// in the mailbox at a time, and refuses nobody else.
func TestOneRequestLeavesRoom(t *testing.T) {
	c := New(testConfig(), newMemoryLog(), nil, nil, nil) // nobody empties its mailboxes
	c.Describe(slices.Repeat([]string{"g"}, 2*maxRequests), func([]group.DescribeReply) { t.Error("answered") })
	if got := len(c.loopOf(c.PartitionFor("g")).box.drain(nil)); got == 0 || got > maxRequests/10 {
		t.Errorf("the mailbox holds %d messages", got)
	}
}

// TestManyClients has groups on all loops at once, for the race detector.
func TestManyClients(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.lead(1)
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				name := fmt.Sprint("g", i%10)
				j := b.join(group.Join{Group: name})
				for range 20 {
					b.sync(group.Sync{Group: name, Member: j.Member, Generation: j.Generation, Assignments: []group.Assignment{{Member: j.Member, Data: []byte("a")}}})
					c := offsetOf(name, 1)
					c.Member, c.Generation = j.Member, j.Generation
					b.commit(c)
					b.fetch(name)
					if b.heartbeat(group.Heartbeat{Group: name, Member: j.Member, Generation: j.Generation}) != wire.CodeNone {
						j = b.join(group.Join{Group: name, Member: j.Member})
					}
					if j.Code == wire.CodeUnknownMemberID {
						j = b.join(group.Join{Group: name})
					}
				}
				b.list()
				ask(func(done func(group.LeaveReply)) {
					b.c.Leave(group.Leave{Group: name, Members: []group.LeavingMember{{Member: j.Member}}}, done)
				})
			})
		}
		wg.Wait()
		for i := range 10 {
			if got := b.state(fmt.Sprint("g", i)); got != "Empty" {
				t.Errorf("group %d is %s after all left", i, got)
			}
		}
	})
}

func TestTopicConfigs(t *testing.T) {
	want := map[string]string{"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"}
	if got := TopicConfigs(100 << 20); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
