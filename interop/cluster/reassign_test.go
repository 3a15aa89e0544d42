//go:build interop

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reassign asks for new replicas of a topic's partitions; nil cancels.
func (c *cluster) reassign(topic string, to map[int32][]int32) error {
	rt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	rt.Topic = topic
	for p, replicas := range to {
		rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		rp.Partition, rp.Replicas = p, replicas
		rt.Partitions = append(rt.Partitions, rp)
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 15_000
	req.Topics = append(req.Topics, rt)
	got, err := c.ask(req)
	if err != nil {
		return err
	}
	resp := got.(*kmsg.AlterPartitionAssignmentsResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, p := range resp.Topics[0].Partitions {
		err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
	}
	return err
}

// reassigning lists what is under way in a topic.
func (c *cluster) reassigning(topic string, partitions ...int32) (map[int32]kmsg.ListPartitionReassignmentsResponseTopicPartition, error) {
	rt := kmsg.NewListPartitionReassignmentsRequestTopic()
	rt.Topic, rt.Partitions = topic, partitions
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = 15_000
	req.Topics = append(req.Topics, rt)
	got, err := c.ask(req)
	if err != nil {
		return nil, err
	}
	resp := got.(*kmsg.ListPartitionReassignmentsResponse)
	out := map[int32]kmsg.ListPartitionReassignmentsResponseTopicPartition{}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			out[p.Partition] = p
		}
	}
	return out, kerr.ErrorForCode(resp.ErrorCode)
}

// assigned waits until a topic has these replicas, all in sync, nothing is
// under way, and no other broker has a directory of it.
func (c *cluster) assigned(t *testing.T, topic string, want map[int32][]int32) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		got, err := c.topic(topic)
		if err != nil {
			return err
		}
		for p, replicas := range want {
			if r := got.Partitions[p]; !slices.Equal(r.Replicas, replicas) || len(r.Adding)+len(r.Removing) > 0 {
				return fmt.Errorf("%s-%d is assigned to %+v, want %v", topic, p, r, replicas)
			}
		}
		return nil
	})
	c.inSync(t, topic)
	for p, replicas := range want {
		for _, b := range c.Brokers {
			if !slices.Contains(replicas, b.ID) {
				removed(t, b, check.Partition{Topic: topic, Index: p})
			}
		}
	}
	peer.Eventually(t, patience, func() error {
		got, err := c.reassigning(topic, all...)
		if err == nil && len(got) > 0 {
			err = fmt.Errorf("still under way: %+v", got)
		}
		return err
	})
}

// reassignment moves replicas between brokers of both kinds while they are in
// use, leaders and followers, to fewer and to more.
func reassignment(t *testing.T, c *cluster) {
	const topic = "moves"
	c.createTopic(t, topic, [][]int32{{0, 1}, {1, 2}, {2, 0}}, "segment.bytes=200000")
	l := c.startLoad(t, topic, 3)
	l.more(t, 300)
	rounds := []map[int32][]int32{
		{0: {1, 2}, 1: {2, 0}, 2: {0, 1}}, // every leader leaves
		{0: {1, 0}, 1: {2, 1}, 2: {0, 2}}, // a follower each
		{0: {0}, 1: {1}, 2: {2}},
		{0: {0, 1, 2}, 1: {1, 2, 0}, 2: {2, 0, 1}},
	}
	for _, to := range rounds {
		before := c.mustStates(t, topic)
		peer.Eventually(t, patience, func() error { return c.reassign(topic, to) })
		c.assigned(t, topic, to)
		for p, st := range c.mustStates(t, topic) {
			if was := before[p]; st.LeaderEpoch <= was.LeaderEpoch {
				t.Errorf("%s-%d: leader epoch %d, was %d before it moved", topic, p, st.LeaderEpoch, was.LeaderEpoch)
			}
			if was := before[p].Leader; slices.Contains(to[p], was) && st.Leader != was {
				t.Errorf("%s-%d: leader %d, was %d, which stayed", topic, p, st.Leader, was)
			}
		}
		l.more(t, 100)
	}
	l.finish(t)
}

// cancelledReassignment begins a move to a broker that is frozen and takes it
// back.
func cancelledReassignment(t *testing.T, c *cluster) {
	for i, target := range []*peer.Broker{c.Brokers[2], c.Brokers[0]} {
		rest := others(target)
		c.elect(t, c.Brokers[rest[0]])
		topic := fmt.Sprint("stays-", i)
		c.createTopic(t, topic, [][]int32{rest, {rest[1], rest[0]}})
		p := check.Partition{Topic: topic, Index: 1}
		peer.Eventually(t, patience, func() error { return put(c.Brokers[rest[1]], p, -1, []byte("x")) })
		target.Pause(t)
		to := []int32{rest[0], target.ID}
		if err := c.reassign(topic, map[int32][]int32{1: to}); err != nil {
			t.Error(err)
		}
		got, err := c.reassigning(topic, 0, 1)
		if err != nil {
			t.Error(err)
		}
		r, ok := got[1]
		if !ok || len(got) != 1 || !sameSet(r.Replicas, all) || !slices.Equal(r.AddingReplicas, []int32{target.ID}) || !slices.Equal(r.RemovingReplicas, []int32{rest[1]}) {
			t.Errorf("under way: %+v", got)
		}
		if z := c.mustTopic(t, topic).Partitions[1]; !slices.Equal(z.Replicas, append(slices.Clone(to), rest[1])) || !slices.Equal(z.Adding, []int32{target.ID}) || !slices.Equal(z.Removing, []int32{rest[1]}) {
			t.Errorf("the znode says %+v", z)
		}
		if err := c.reassign(topic, map[int32][]int32{1: nil}); err != nil {
			t.Errorf("cancel: %v", err)
		}
		if err := c.reassign(topic, map[int32][]int32{1: nil}); !errors.Is(err, kerr.NoReassignmentInProgress) {
			t.Errorf("cancel twice: %v", err)
		}
		c.thaw(t, target)
		// What stays is in the order of the target.
		c.assigned(t, topic, map[int32][]int32{0: rest, 1: rest})
		peer.Eventually(t, patience, func() error { return put(c.Brokers[c.mustStates(t, topic)[1].Leader], p, -1, []byte("y")) })
		if log := c.sameReplicas(t, p); len(log) != 2 {
			t.Errorf("%s holds %d records", p, len(log))
		}
	}
}

// allKnow waits until the metadata of every broker names the controller.
func (c *cluster) allKnow(t *testing.T, controller *peer.Broker) {
	t.Helper()
	for _, b := range c.Brokers {
		peer.Eventually(t, patience, func() error {
			req := kmsg.NewPtrMetadataRequest()
			req.Topics = []kmsg.MetadataRequestTopic{}
			resp, err := c.askOf(b, req)
			if err != nil {
				return err
			}
			if m := resp.(*kmsg.MetadataResponse); m.ControllerID != controller.ID || len(m.Brokers) != len(c.Brokers) {
				return fmt.Errorf("broker %d says that %d controls %d brokers", b.ID, m.ControllerID, len(m.Brokers))
			}
			return nil
		})
	}
}
