//go:build interop

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/znode"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fault is one way to lose a broker.
type fault struct {
	broker int
	clean  bool
}

// failover loses each broker once under load, the controller twice, and in the
// long form each in both ways.
func failover(t *testing.T, c *cluster) {
	const topic, partitions = "failover", 6
	c.elect(t, c.Brokers[0])
	c.createTopic(t, topic, rotated(partitions, all...), "min.insync.replicas=2", "segment.bytes=500000")
	l := c.startLoad(t, topic, partitions)
	l.more(t, 500)
	faults := []fault{{0, false}, {1, false}, {2, true}, {0, true}}
	if long {
		faults = append(faults, fault{2, false}, fault{1, true}, fault{0, false}, fault{2, true})
	}
	for _, f := range faults {
		name := fmt.Sprintf("kill %d", f.broker)
		if f.clean {
			name = fmt.Sprintf("stop %d", f.broker)
		}
		t.Logf("%s (%s), the controller is %d", name, c.Brokers[f.broker].Kind, c.controller(t).ID)
		c.lose(t, l, f)
		if t.Failed() {
			t.Fatalf("after %s", name)
		}
	}
	l.finish(t)
}

// lose takes a broker away under load and brings it back.
func (c *cluster) lose(t *testing.T, l *load, f fault) {
	t.Helper()
	b := c.Brokers[f.broker]
	before, epoch, controlled := c.inSync(t, l.topic), c.controllerEpoch(t), c.controller(t) == b
	if f.clean {
		b.Stop(t)
		// Leadership moves before the broker goes: no client is to wait for that.
		if err := led(l.topic, c.mustStates(t, l.topic), b); err != nil {
			t.Errorf("after a clean stop: %v", err)
		}
	} else {
		b.Kill(t)
		c.registered(t, b, false)
		c.without(t, l.topic, b)
	}
	for p, st := range c.mustStates(t, l.topic) {
		if was := before[p]; was.Leader == b.ID && st.LeaderEpoch <= was.LeaderEpoch {
			t.Errorf("%s-%d: leader %d of epoch %d became %d of epoch %d", l.topic, p, was.Leader, was.LeaderEpoch, st.Leader, st.LeaderEpoch)
		}
	}
	now := c.controller(t)
	if got := c.controllerEpoch(t); controlled && (now == b || got != epoch+1) || !controlled && got != epoch {
		t.Errorf("the controller is %d of epoch %d, was of epoch %d", now.ID, got, epoch)
	}
	l.more(t, 300)
	l.checkCommits(t)
	b.Start(c.scope)
	c.inSync(t, l.topic)
	c.allKnow(t, now)
	l.more(t, 100)
	l.checkCommits(t)
}

// elect asks for elections of a topic's partitions and returns the error of each.
func (c *cluster) electLeaders(t *testing.T, kind int8, topic string, partitions ...int32) map[int32]error {
	t.Helper()
	rt := kmsg.NewElectLeadersRequestTopic()
	rt.Topic, rt.Partitions = topic, partitions
	req := kmsg.NewPtrElectLeadersRequest()
	req.ElectionType, req.TimeoutMillis = kind, 15_000
	req.Topics = append(req.Topics, rt)
	out := map[int32]error{}
	peer.Eventually(t, patience, func() error {
		got, err := c.ask(req)
		if err != nil {
			return err
		}
		resp := got.(*kmsg.ElectLeadersResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return err
		}
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				out[p.Partition] = kerr.ErrorForCode(p.ErrorCode)
			}
		}
		return nil
	})
	return out
}

// Kinds of elections.
const (
	preferred int8 = 0
	unclean   int8 = 1
)

// preferredElection gives leadership back to the preferred replicas, of each
// kind and by each controller.
func preferredElection(t *testing.T, c *cluster) {
	for i, controller := range c.Brokers {
		topic := fmt.Sprint("preferred-", i)
		c.elect(t, controller)
		c.createTopic(t, topic, rotated(3, all...))
		// The reverse order makes others preferred and leaves the leaders.
		to := map[int32][]int32{0: {2, 1, 0}, 1: {0, 2, 1}, 2: {1, 0, 2}}
		peer.Eventually(t, patience, func() error { return c.reassign(topic, to) })
		c.assigned(t, topic, to)
		for p, st := range c.mustStates(t, topic) {
			if st.Leader != p {
				t.Errorf("%s-%d: leader %d after replicas in another order", topic, p, st.Leader)
			}
		}
		for round, want := range []error{nil, kerr.ElectionNotNeeded} {
			for p, err := range c.electLeaders(t, preferred, topic, 0, 1, 2) {
				if err != want {
					t.Errorf("%s-%d, round %d: %v, want %v", topic, p, round, err, want)
				}
			}
		}
		for p, st := range c.inSync(t, topic) {
			if st.Leader != to[p][0] {
				t.Errorf("%s-%d: leader %d, preferred %d", topic, p, st.Leader, to[p][0])
			}
			part := check.Partition{Topic: topic, Index: p}
			peer.Eventually(t, patience, func() error { return put(c.Brokers[st.Leader], part, -1, []byte("x")) })
		}
		c.allSame(t, topic)
		if got := c.electLeaders(t, preferred, topic, 7); got[7] != kerr.UnknownTopicOrPartition {
			t.Errorf("a partition that is not there: %v", got)
		}
	}
}

// uncleanElection makes a replica leader that lacks what the last leader had:
// once an admin client asks for it, once the topic's config allows it. The last
// leader gives up what it has more, when it is back, though it is of the other
// kind, and says so.
func uncleanElection(t *testing.T, c *cluster) {
	third := c.Brokers[2]
	pairs := [][2]*peer.Broker{{c.Brokers[0], c.Brokers[1]}, {c.Brokers[1], c.Brokers[0]}}
	for i, pair := range pairs {
		first, second := pair[0], pair[1]
		c.elect(t, third)
		p := check.Partition{Topic: fmt.Sprint("unclean-", i)}
		h := check.NewHistory()
		c.createTopic(t, p.Topic, [][]int32{{first.ID, second.ID}}, "unclean.leader.election.enable=false")
		putNumbered(t, h, first, p, -1, 0, 20)
		second.Stop(t)
		putNumbered(t, h, first, p, 1, 1, 15) // to be lost
		first.Kill(t)
		c.registered(t, first, false)
		c.leaderless(t, p, first)
		second.Start(c.scope)
		c.leaderless(t, p, first)
		if i == 0 {
			if err := c.electLeaders(t, unclean, p.Topic, 0)[0]; err != nil {
				t.Errorf("unclean election: %v", err)
			}
		} else {
			c.alterTopic(t, third, p.Topic, kmsg.IncrementalAlterConfigOpSet, "unclean.leader.election.enable", "true")
		}
		peer.Eventually(t, patience, func() error {
			st, err := c.state(p.Topic, 0)
			if err == nil && (st.Leader != second.ID || !slices.Equal(st.ISR, []int32{second.ID})) {
				err = fmt.Errorf("no unclean election: %+v", st)
			}
			return err
		})
		putNumbered(t, h, second, p, 1, 2, 10)
		first.Start(c.scope)
		c.inSync(t, p.Topic)
		if st, err := c.state(p.Topic, 0); err != nil || st.Recovering || st.Leader != second.ID {
			t.Errorf("in the end: %+v, %v", st, err)
		}
		log := c.sameReplicas(t, p)
		for _, err := range h.Log(p, log, 0) {
			t.Error(err)
		}
		if len(log) != 30 {
			t.Errorf("%s holds %d records, want 20 and 10", p, len(log))
		}
		said := `partition=` + p.String() + ` from=35 to=20`
		if first.Apache() {
			said = "Truncating partition " + p.String() + " with TruncationState(offset=20, completed=true)"
		}
		contains(t, first.Stdout()+first.Stderr(), said)
	}
}

// leaderless waits until a partition has no leader, and last in its ISR alone.
func (c *cluster) leaderless(t *testing.T, p check.Partition, last *peer.Broker) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		st, err := c.state(p.Topic, p.Index)
		if err == nil && (st.Leader != -1 || !slices.Equal(st.ISR, []int32{last.ID}) || st.Recovering) {
			err = fmt.Errorf("%s: %+v", p, st)
		}
		return err
	})
}

// logDirFailure takes a directory from a running broker of each kind: it goes
// on with the other one, and the cluster with the other brokers.
func logDirFailure(t *testing.T, c *cluster) {
	for _, b := range c.Brokers[:2] {
		topic, partitions := fmt.Sprint("disk-", b.ID), 6
		c.createTopic(t, topic, rotated(partitions, all...), "min.insync.replicas=2", "segment.bytes=100000")
		l := c.startLoad(t, topic, partitions)
		l.more(t, 200)
		bad := b.LogDirs[1]
		lost := c.replicasIn(b, bad, topic, partitions)
		if len(lost) == 0 || len(lost) == partitions {
			t.Fatalf("broker %d keeps %d of %d replicas in %s", b.ID, len(lost), partitions, bad)
		}
		c.inSync(t, topic)
		breakDir(t, bad)
		c.awaitLost(t, b, topic, lost)
		c.empty(t, znode.LogDirEventsPath)
		l.more(t, 200)
		c.offlineSaid(t, b, bad, topic, lost)
		b.Stop(t)
		if err := os.Remove(bad); err != nil {
			t.Fatal(err)
		}
		b.Start(c.scope)
		l.more(t, 100)
		l.finish(t)
	}
}

// replicasIn returns the partitions whose replicas lie in a directory.
func (c *cluster) replicasIn(b *peer.Broker, dir, topic string, partitions int) []int32 {
	var out []int32
	for p := range int32(partitions) {
		if d := replicaDir(b, check.Partition{Topic: topic, Index: p}); filepath.Dir(d) == dir {
			out = append(out, p)
		}
	}
	return out
}

// breakDir makes a directory one in which nothing can be written any more, as
// a disk that is gone: a plain file takes its place.
func breakDir(t *testing.T, dir string) {
	t.Helper()
	// A broker may make a file while they are deleted.
	peer.Eventually(t, patience, func() error { return os.RemoveAll(dir) })
	if err := os.WriteFile(dir, nil, 0o400); err != nil {
		t.Fatal(err)
	}
}

// awaitLost waits until the replicas of a broker that are lost, and no others,
// are out of sync.
func (c *cluster) awaitLost(t *testing.T, b *peer.Broker, topic string, lost []int32) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		states, _, err := c.states(topic)
		if err != nil {
			return err
		}
		for p, st := range states {
			if slices.Contains(st.ISR, b.ID) == slices.Contains(lost, p) || !slices.Contains(st.ISR, st.Leader) {
				return fmt.Errorf("%s-%d: leader %d, in sync %v; of broker %d are lost %v", topic, p, st.Leader, st.ISR, b.ID, lost)
			}
		}
		return nil
	})
}

// offlineSaid checks what is said of a failed directory: an error in its own
// broker's list, offline replicas in everybody's metadata.
func (c *cluster) offlineSaid(t *testing.T, b *peer.Broker, dir, topic string, lost []int32) {
	t.Helper()
	resp, err := c.askOf(b, kmsg.NewPtrDescribeLogDirsRequest())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range resp.(*kmsg.DescribeLogDirsResponse).Dirs {
		want := error(nil)
		if d.Dir == dir {
			want = kerr.KafkaStorageError
		}
		if got := kerr.ErrorForCode(d.ErrorCode); got != want {
			t.Errorf("broker %d says of %s: %v", b.ID, d.Dir, got)
		}
	}
	for _, other := range c.Brokers {
		peer.Eventually(t, patience, func() error {
			m, err := c.metadata(other, topic)
			if err != nil {
				return err
			}
			for _, p := range m.Partitions {
				if slices.Contains(p.OfflineReplicas, b.ID) != slices.Contains(lost, p.Partition) {
					return fmt.Errorf("broker %d says that %v of %s-%d are offline", other.ID, p.OfflineReplicas, topic, p.Partition)
				}
			}
			return nil
		})
	}
}
