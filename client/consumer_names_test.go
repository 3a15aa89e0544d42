package client_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// oldName is the name in the form of 0.7 that a partition should have now.
func (s *scene) oldName(topic string, partition int32) string {
	s.t.Helper()
	data, _, err := s.zk.Get(s.ctx, znode.TopicPath(topic), false)
	if err != nil {
		s.t.Fatal(err)
	}
	t, err := znode.DecodeTopic(znode.TopicPath(topic), data)
	if err != nil {
		s.t.Fatal(err)
	}
	return znode.OldPartitionName(t.Partitions[partition].Replicas[0], partition)
}

// namedBoth waits until the owners of a topic's partitions, told from 0 on, are the
// same under both names, and there are no other names.
func (s *scene) namedBoth(group, topic, want string) {
	s.t.Helper()
	owners := strings.Fields(want)
	s.until(fmt.Sprintf("%s of %s are owned as %q under both names", topic, group, want), func() bool {
		got := s.owners(group, topic)
		for p, owner := range owners {
			if got[fmt.Sprint(p)] != group+"_"+owner || got[s.oldName(topic, int32(p))] != group+"_"+owner {
				return false
			}
		}
		return len(got) == 2*len(owners)
	})
}

// When the leader moves, owner nodes and offsets stay as they are, whatever broker
// their names have.
func TestOldNamesOutliveLeaders(t *testing.T) {
	s := newScene(t, gregortest.Brokers(3))
	s.topic("t", 6)
	a := s.join("g", "a", client.Topics("t"), client.LegacyPartitionNames())
	s.join("g", "b", client.Topics("t"), client.LegacyPartitionNames())
	s.namedBoth("g", "t", "a-0 a-0 a-0 b-0 b-0 b-0")
	s.produce("t", 6, 20)
	s.await("t", 120)
	owned := map[string]zk.Stat{}
	for p := range int32(6) {
		path := znode.OwnersPath("g", "t") + "/" + s.oldName("t", p)
		owned[path] = s.stat(path)
	}
	before := s.leader("t", 0)
	s.cluster.Broker(int(before)).Kill()
	s.until("another leads", func() bool { l := s.leader("t", 0); return l >= 0 && l != before })
	s.produce("t", 6, 20)
	s.await("t", 240)
	for path, was := range owned {
		if s.stat(path) != was {
			t.Errorf("%s is another node", path)
		}
	}
	// Somebody else takes over while that broker is away, and after it is back.
	a.leave()
	s.namedBoth("g", "t", "b-0 b-0 b-0 b-0 b-0 b-0")
	s.produce("t", 6, 20)
	s.await("t", 360)
	s.cluster.Broker(int(before)).Restart()
	c := s.join("g", "c", client.Topics("t")) // in today's form alone
	s.until("shares", func() bool {
		got := s.owners("g", "t")
		return got["0"] == "g_b-0" && got["5"] == "g_c-0" && got[s.oldName("t", 0)] == "g_b-0" && len(got) == 9
	})
	s.produce("t", 6, 20)
	s.await("t", 480)
	c.leave()
	s.namedBoth("g", "t", "b-0 b-0 b-0 b-0 b-0 b-0")
	s.produce("t", 6, 20)
	s.await("t", 600)
	s.once()
}

// leader is who leads a partition, -1 while nobody does.
func (s *scene) leader(topic string, partition int32) int32 {
	s.t.Helper()
	path := znode.StatePath(topic, partition)
	data, _, err := s.zk.Get(s.ctx, path, false)
	if err != nil {
		s.t.Fatal(err)
	}
	state, err := znode.DecodePartitionState(path, data)
	if err != nil {
		s.t.Fatal(err)
	}
	return state.Leader
}

// A reassignment moves the names along, and neither a record nor an offset is lost.
func TestOldNamesFollowReassignments(t *testing.T) {
	s := newScene(t, gregortest.Brokers(3))
	s.topic("t", 2)
	a := s.join("g", "a", client.Topics("t"), client.LegacyPartitionNames())
	s.namedBoth("g", "t", "a-0 a-0")
	s.produce("t", 2, 20)
	s.await("t", 40)
	old := s.oldName("t", 0)
	adm := kadm.NewClient(s.cluster.Client())
	var to kadm.AlterPartitionAssignmentsReq
	replicas := s.replicas("t", 0)
	slices.Reverse(replicas)
	to.Assign("t", 0, replicas)
	moved, err := adm.AlterPartitionAssignments(s.ctx, to)
	if err == nil {
		err = moved.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.until("the name is another", func() bool { return s.oldName("t", 0) != old })
	s.namedBoth("g", "t", "a-0 a-0")
	s.produce("t", 2, 20)
	s.await("t", 80)
	a.leave()
	for _, name := range []string{"0", s.oldName("t", 0), "1", s.oldName("t", 1)} {
		data, _, err := s.zk.Get(s.ctx, znode.OffsetsPath("g", "t")+"/"+name, false)
		if err != nil || string(data) != "40" {
			t.Errorf("the offset of %s is %q, %v", name, data, err)
		}
	}
	s.once()
}

// replicas are the brokers of a partition.
func (s *scene) replicas(topic string, partition int32) []int32 {
	s.t.Helper()
	data, _, err := s.zk.Get(s.ctx, znode.TopicPath(topic), false)
	if err != nil {
		s.t.Fatal(err)
	}
	t, err := znode.DecodeTopic(znode.TopicPath(topic), data)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.Clone(t.Partitions[partition].Replicas)
}

// Of an offset's names the one written last counts, be its broker gone; an owner
// node in the form of 0.7 that another program made keeps the partition from others.
func TestOldNamesOfOthers(t *testing.T) {
	s := newScene(t)
	s.topic("t", 4)
	s.produce("t", 4, 20)
	offsets := znode.OffsetsPath("g", "t")
	s.put(offsets+"/0", "19")
	s.put(offsets+"/9-0", "5") // written later, and less
	s.put(offsets+"/9-1", "7")
	s.put(offsets+"/0-2", "3")
	s.put(offsets+"/2", "11")
	s.put(offsets+"/rubbish", "x")
	taken := znode.OwnersPath("g", "t") + "/" + s.oldName("t", 3)
	s.put(taken, "somebody")
	a := s.join("g", "a", client.Topics("t"), client.LegacyPartitionNames(), client.RebalanceRetries(2))
	a.complains(taken)
	if got := s.distinct("t-"); got > 0 {
		t.Errorf("%d records were read of partitions that are not free", got)
	}
	if err := s.zk.Delete(s.ctx, taken, -1); err != nil {
		t.Fatal(err)
	}
	s.await("t", 15+13+9+20)
	a.leave()
	s.once()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range []string{"t-0@5", "t-1@7", "t-2@11", "t-3@0"} {
		if len(s.mu.seen[k]) != 1 {
			t.Errorf("%s was delivered to %v", k, s.mu.seen[k])
		}
	}
	if n := len(s.mu.seen); n != 57 {
		t.Errorf("%d records were read, want 57", n)
	}
}
