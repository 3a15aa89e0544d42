//go:build interop

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/znode"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topic reads a topic's assignment.
func (c *cluster) topic(topic string) (znode.Topic, error) {
	path := znode.TopicPath(topic)
	data, _, err := c.zk.Get(path)
	if err != nil {
		return znode.Topic{}, fmt.Errorf("%s: %w", path, err)
	}
	return znode.DecodeTopic(path, data)
}

// state reads a partition's state.
func (c *cluster) state(topic string, partition int32) (znode.PartitionState, error) {
	path := znode.StatePath(topic, partition)
	data, _, err := c.zk.Get(path)
	if err != nil {
		return znode.PartitionState{}, fmt.Errorf("%s: %w", path, err)
	}
	return znode.DecodePartitionState(path, data)
}

// states reads the states of all partitions of a topic, by partition.
func (c *cluster) states(topic string) (map[int32]znode.PartitionState, znode.Topic, error) {
	assignment, err := c.topic(topic)
	if err != nil {
		return nil, assignment, err
	}
	out := map[int32]znode.PartitionState{}
	for p := range assignment.Partitions {
		if out[p], err = c.state(topic, p); err != nil {
			return nil, assignment, err
		}
	}
	return out, assignment, nil
}

// mustStates is states of a topic that must be there.
func (c *cluster) mustStates(t *testing.T, topic string) map[int32]znode.PartitionState {
	t.Helper()
	states, _, err := c.states(topic)
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// inSync waits until all replicas of a topic are in sync, and one of them
// leads each partition.
func (c *cluster) inSync(t *testing.T, topic string) map[int32]znode.PartitionState {
	t.Helper()
	var states map[int32]znode.PartitionState
	peer.Eventually(t, patience, func() error {
		s, assignment, err := c.states(topic)
		if err != nil {
			return err
		}
		states = s
		for p, st := range s {
			want := assignment.Partitions[p].Replicas
			if !sameSet(st.ISR, want) || !slices.Contains(want, st.Leader) {
				return fmt.Errorf("%s-%d: leader %d, in sync %v, replicas %v", topic, p, st.Leader, st.ISR, want)
			}
		}
		return nil
	})
	return states
}

// without waits until a broker is neither leader nor in sync anywhere in a
// topic, and every partition has a leader.
func (c *cluster) without(t *testing.T, topic string, b *peer.Broker) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		states, _, err := c.states(topic)
		if err != nil {
			return err
		}
		return led(topic, states, b)
	})
}

// led checks that every partition has a leader that is in sync and that b is
// out of sync everywhere.
func led(topic string, states map[int32]znode.PartitionState, b *peer.Broker) error {
	for p, st := range states {
		if !slices.Contains(st.ISR, st.Leader) || slices.Contains(st.ISR, b.ID) {
			return fmt.Errorf("%s-%d: leader %d, in sync %v without %d", topic, p, st.Leader, st.ISR, b.ID)
		}
	}
	return nil
}

// gone waits until none of the znodes is there.
func (c *cluster) gone(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		peer.Eventually(t, patience, func() error {
			ok, _, err := c.zk.Exists(path)
			if err == nil && ok {
				err = errors.New(path + " is there")
			}
			return err
		})
	}
}

// empty waits until a znode has no children.
func (c *cluster) empty(t *testing.T, path string) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		children, _, err := c.zk.Children(path)
		if err == nil && len(children) > 0 {
			err = fmt.Errorf("%s has %v", path, children)
		}
		return err
	})
}

// controllerEpoch is the epoch of the last election.
func (c *cluster) controllerEpoch(t *testing.T) int32 {
	t.Helper()
	data, _, err := c.zk.Get(znode.ControllerEpochPath)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := znode.DecodeControllerEpoch(znode.ControllerEpochPath, data)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

// registered waits until a broker is registered, or is not.
func (c *cluster) registered(t *testing.T, b *peer.Broker, want bool) {
	t.Helper()
	path := znode.BrokerPath(b.ID)
	peer.Eventually(t, 5*time.Second+2*peer.SessionTimeout*time.Millisecond, func() error {
		ok, _, err := c.zk.Exists(path)
		if err == nil && ok != want {
			err = fmt.Errorf("%s: exists is %v", path, ok)
		}
		return err
	})
}

// elect makes a broker the controller and returns when all brokers know: it
// takes the node away while the others are frozen, who would be faster.
func (c *cluster) elect(t *testing.T, b *peer.Broker) {
	t.Helper()
	now := c.controller(t)
	c.allKnow(t, now) // nobody is about to renew a watch, and would miss what follows
	if now == b {
		return
	}
	for _, id := range others(b) {
		c.Brokers[id].Pause(t)
	}
	err := c.zk.Delete(znode.ControllerPath, -1)
	if err == nil {
		now = c.controller(t)
	}
	for _, id := range others(b) {
		c.thaw(t, c.Brokers[id])
	}
	if err != nil || now != b {
		t.Fatalf("broker %d is not elected: %v", b.ID, err)
	}
	c.allKnow(t, b)
}

// thaw lets a frozen broker go on and waits until ZooKeeper has answered it, in
// a new session if need be. A broker of Apache's that is given a partition
// before that leaves a directory behind which keeps it from starting again.
func (c *cluster) thaw(t *testing.T, b *peer.Broker) {
	t.Helper()
	b.Resume(t)
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, steady // read from ZooKeeper for every request
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, rr)
	peer.Eventually(t, patience, func() error {
		resp, err := c.askOf(b, req)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.(*kmsg.DescribeConfigsResponse).Resources[0].ErrorCode)
	})
	c.registered(t, b, true)
}

func sameSet(a, b []int32) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func topicConfigPath(topic string) string {
	return znode.EntityConfigPath(znode.Entity{Topic: znode.Named(topic)})
}
