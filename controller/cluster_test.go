package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// member registers a broker that does not campaign.
func (c *cluster) member(id int32) *broker {
	c.t.Helper()
	b := &broker{c: c, id: id, ctl: New(Config{}, c.env)} // hears its watches, and does nothing
	b.connect()
	if err := b.register(c.t.Context(), 0); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// trio is a controller, broker 1, and two others that obey it.
func (c *cluster) trio() (boss, second, third *broker) {
	c.t.Helper()
	boss = c.broker(1)
	eventually(c.t, "election", boss.ctl.Active)
	second, third = c.member(2), c.member(3)
	eventually(c.t, "three brokers", func() bool { return boss.ctl.Snapshot().Brokers == 3 })
	return boss, second, third
}

func (b *broker) create(name string, assignment map[int32][]int32) {
	b.c.t.Helper()
	if _, err := b.admin.CreateTopic(b.c.t.Context(), admin.NewTopic{Name: name, Assignment: assignment}, nil); err != nil {
		b.c.t.Fatal(err)
	}
}

// state reads a partition's state node, as leader/epoch/ISR and its version.
func (b *broker) state(topic string) (told string, leaderEpoch, version int32) {
	data, stat, err := b.sess.Get(b.c.t.Context(), znode.StatePath(topic, 0), false)
	if err != nil {
		return err.Error(), 0, 0
	}
	s, err := znode.DecodePartitionState("", data)
	if err != nil {
		b.c.t.Error(err)
	}
	return fmt.Sprintf("leader %d isr %v", s.Leader, s.ISR), s.LeaderEpoch, stat.Version
}

func (b *broker) become(topic, want string) {
	b.c.t.Helper()
	eventually(b.c.t, topic+": "+want, func() bool { got, _, _ := b.state(topic); return got == want })
}

// propose tells the controller, as a leader, who is in sync.
func (b *broker) propose(boss *broker, topic string, isr ...int32) decide.ISRResult {
	b.c.t.Helper()
	_, epoch, version := b.state(topic)
	a := boss.ctl.Ask(b.c.t.Context(), func(tag uint64) decide.Event {
		return decide.AlterPartition{Tag: tag, Broker: b.id, BrokerEpoch: b.epoch, Version: 1,
			Items: []decide.ISRProposal{{Topic: topic, LeaderEpoch: epoch, ISR: isr, PartitionEpoch: version}}}
	})
	results, ok := a.(decide.ISRResults)
	if !ok {
		b.c.t.Fatalf("%s: %+v", topic, a)
	}
	return results.Items[0]
}

// A broker that does not answer holds up nobody else; when it is gone what
// waited for it is gone, and when it is back it gets everything anew.
func TestAStuckBrokerHoldsUpNobody(t *testing.T) {
	c := newCluster(t)
	boss, second, _ := c.trio()
	boss.create("before", map[int32][]int32{0: {2, 3, 1}})
	eventually(t, "2 leads", func() bool { return slices.Equal(c.led("h:9092"), []string{"before-0"}) })
	c.mu.Lock()
	c.mu.stuck["h:9092"] = true
	c.mu.Unlock()
	for i := range 5 {
		boss.create(fmt.Sprint("t", i), map[int32][]int32{0: {3, 2, 1}})
	}
	eventually(t, "3 leads all of them", func() bool { return len(c.led("h:9093")) == 5 })
	eventually(t, "requests wait for 2 alone", func() bool {
		r := boss.ctl.Snapshot().Requests
		return len(r) == 3 && r[1] == 0 && r[2] > 0 && r[3] == 0
	})
	if err := second.sess.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	boss.become("before", "leader 3 isr [3 1]")
	eventually(t, "nothing waits for 2", func() bool { _, waits := boss.ctl.Snapshot().Requests[2]; return !waits })
	c.mu.Lock()
	delete(c.mu.stuck, "h:9092")
	c.mu.heard["h:9092"] = nil
	c.mu.Unlock()
	c.member(2)
	eventually(t, "2 hears of all six topics", func() bool { return len(c.follows("h:9092")) == 6 })
}

// follows returns the topics that a broker was told to hold.
func (c *cluster) follows(address string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := map[string]bool{}
	for _, req := range c.mu.heard[address] {
		if r, ok := req.(*wire.LeaderAndIsrRequest); ok {
			for _, ts := range r.TopicStates {
				set[ts.TopicName] = true
			}
		}
	}
	var out []string
	for name := range set {
		out = append(out, name)
	}
	return out
}

// A broker reports a failed log directory; what it then answers for its
// replicas decides which of them are lost.
func TestFailedLogDirectory(t *testing.T) {
	c := newCluster(t)
	boss, second, _ := c.trio()
	boss.create("good", map[int32][]int32{0: {2, 3}})
	boss.create("bad", map[int32][]int32{0: {2, 3}})
	boss.become("bad", "leader 2 isr [2 3]")
	boss.become("good", "leader 2 isr [2 3]")
	c.mu.Lock()
	c.mu.bad["h:9092"] = map[string]bool{"bad": true}
	c.mu.Unlock()
	report := func() {
		t.Helper()
		if _, _, err := second.sess.Create(t.Context(), znode.LogDirEventPrefix, znode.EncodeLogDirEvent(2), zk.OpenACL(), zk.PersistentSequential); err != nil {
			t.Fatal(err)
		}
	}
	report()
	boss.become("bad", "leader 3 isr [3]")
	eventually(t, "the notification is deleted", func() bool {
		left, _, err := boss.sess.Children(t.Context(), znode.LogDirEventsPath, false)
		return err == nil && len(left) == 0
	})
	if got, _, _ := boss.state("good"); got != "leader 2 isr [2 3]" {
		t.Errorf("the good one: %s", got)
	}
	eventually(t, "one replica is offline", func() bool { return boss.ctl.Snapshot().OfflineDirReplicas == 1 })
}

// A reassignment and an election from end to end, with leaders that report.
func TestReassignAndElect(t *testing.T) {
	c := newCluster(t)
	boss, second, third := c.trio()
	boss.create("t", map[int32][]int32{0: {1, 2}})
	boss.become("t", "leader 1 isr [1 2]")
	tp := decide.TopicPartition{Topic: "t"}
	reassign := func(target ...int32) decide.Answer {
		return boss.ctl.Ask(t.Context(), func(tag uint64) decide.Event {
			return decide.AlterReassignments{Tag: tag, Items: []decide.Reassignment{{TopicPartition: tp, Target: target}}}
		})
	}
	ongoing := func() int {
		a, ok := boss.ctl.Ask(t.Context(), func(tag uint64) decide.Event { return decide.ListReassignments{Tag: tag} }).(decide.Reassignments)
		if !ok {
			t.Fatal("not listed")
		}
		return len(a.Items)
	}
	if a, ok := reassign(2, 3).(decide.ReassignmentResults); !ok || a.Items[0].Err != wire.CodeNone || ongoing() != 1 {
		t.Fatalf("%+v, %d under way", a, ongoing())
	}
	if r := boss.propose(boss, "t", 1, 2, 3); r.Err != wire.CodeNone {
		t.Fatalf("%+v", r)
	}
	boss.become("t", "leader 2 isr [2 3]")
	eventually(t, "done", func() bool { return ongoing() == 0 })

	if a, ok := reassign(3, 2).(decide.ReassignmentResults); !ok || a.Items[0].Err != wire.CodeNone {
		t.Fatalf("%+v", a)
	}
	elect := func() decide.ElectionResult {
		a, ok := boss.ctl.Ask(t.Context(), func(tag uint64) decide.Event {
			return decide.ElectLeaders{Tag: tag, Partitions: []decide.TopicPartition{tp}}
		}).(decide.ElectionResults)
		if !ok {
			t.Fatal("no results")
		}
		return a.Items[0]
	}
	if r := second.propose(boss, "t", 2); r.Err != wire.CodeNone {
		t.Errorf("%+v", r)
	}
	if r := elect(); r.Err != wire.CodePreferredLeaderNotAvailable ||
		r.Message != "Failed to elect leader for partition t-0 under strategy PreferredReplicaPartitionLeaderElectionStrategy" {
		t.Errorf("not in sync: %+v", r)
	}
	if r := second.propose(boss, "t", 2, 3); r.Err != wire.CodeNone {
		t.Errorf("%+v", r)
	}
	if r := elect(); r.Err != wire.CodeNone || r.Leader != 3 {
		t.Errorf("elected: %+v", r)
	}
	if r := elect(); r.Err != wire.CodeElectionNotNeeded {
		t.Errorf("again: %+v", r)
	}
	// A leader of the past is told that it is.
	if r := third.propose(boss, "t", 3); r.Err != wire.CodeNone || r.Leadership.Leader != 3 {
		t.Errorf("the new leader: %+v", r)
	}
}
