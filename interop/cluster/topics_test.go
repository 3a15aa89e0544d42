//go:build interop

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/znode"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// expansion gives a topic more partitions while it is in use.
func expansion(t *testing.T, c *cluster) {
	const topic = "grows"
	assignment := rotated(2, all...)
	c.createTopic(t, topic, assignment, "min.insync.replicas=2")
	id := c.mustTopic(t, topic).ID
	l := c.startLoad(t, topic, len(assignment))
	l.more(t, 200)
	more := [][]int32{{2, 1, 0}, {1, 0, 2}, {0, 2, 1}}
	c.createPartitions(t, topic, len(assignment), more)
	assignment = append(assignment, more...)
	c.knownTo(t, topic, assignment, c.Brokers...)
	c.inSync(t, topic)
	grown := c.mustTopic(t, topic)
	for p, want := range assignment {
		if r := grown.Partitions[int32(p)]; !slices.Equal(r.Replicas, want) || len(r.Adding)+len(r.Removing) > 0 {
			t.Errorf("%s-%d is assigned to %+v, want %v", topic, p, r, want)
		}
	}
	if grown.ID != id {
		t.Errorf("the id was %v, now %v", id, grown.ID)
	}
	for p := 2; p < len(assignment); p++ {
		part := check.Partition{Topic: topic, Index: int32(p)}
		putNumbered(t, l.records, c.Brokers[assignment[p][0]], part, -1, len(codecs), 5)
		if log := c.sameReplicas(t, part); len(log) != 5 {
			t.Errorf("%s holds %v", part, log)
		}
	}
	l.more(t, 200)
	l.finish(t)
}

func (c *cluster) mustTopic(t *testing.T, topic string) znode.Topic {
	t.Helper()
	got, err := c.topic(topic)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (c *cluster) createPartitions(t *testing.T, topic string, before int, more [][]int32) {
	t.Helper()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = topic, int32(before+len(more))
	for _, replicas := range more {
		a := kmsg.NewCreatePartitionsRequestTopicAssignment()
		a.Replicas = replicas
		rt.Assignment = append(rt.Assignment, a)
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 15_000
	req.Topics = append(req.Topics, rt)
	peer.Eventually(t, patience, func() error {
		resp, err := c.ask(req)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode)
	})
}

// deleteTopic asks for a deletion.
func (c *cluster) deleteTopic(t *testing.T, topic string) {
	t.Helper()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &topic
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 3000
	req.Topics, req.TopicNames = append(req.Topics, rt), []string{topic}
	peer.Eventually(t, patience, func() error {
		resp, err := c.ask(req)
		if err != nil {
			return err
		}
		err = kerr.ErrorForCode(resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
		if errors.Is(err, kerr.RequestTimedOut) {
			return nil // it is asked for
		}
		return err
	})
}

// deleted waits until nothing is left of a topic: no znode, no directory, no
// word in the metadata of any broker.
func (c *cluster) deleted(t *testing.T, topic string, partitions int) {
	t.Helper()
	c.gone(t, znode.DeleteTopicPath(topic), znode.TopicPath(topic), topicConfigPath(topic))
	for _, b := range c.Brokers {
		for p := range int32(partitions) {
			removed(t, b, check.Partition{Topic: topic, Index: p})
		}
		peer.Eventually(t, patience, func() error {
			if _, err := c.metadata(b, topic); !errors.Is(err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("broker %d still knows %s: %v", b.ID, topic, err)
			}
			return nil
		})
	}
}

// deletion deletes a topic with data and makes another of that name.
func deletion(t *testing.T, c *cluster) {
	const topic = "fleeting"
	c.createTopic(t, topic, rotated(4, all...), "retention.ms=3600000")
	id := c.mustTopic(t, topic).ID
	for p := range int32(4) {
		peer.Eventually(t, patience, func() error {
			return put(c.Brokers[all[p%3]], check.Partition{Topic: topic, Index: p}, -1, []byte("first"))
		})
	}
	c.deleteTopic(t, topic)
	c.deleted(t, topic, 4)
	c.createTopic(t, topic, rotated(2, 2, 1, 0))
	if again := c.mustTopic(t, topic).ID; again == id {
		t.Errorf("both topics have the id %v", id)
	}
	peer.Eventually(t, patience, func() error { return put(c.Brokers[2], check.Partition{Topic: topic}, -1, []byte("second")) })
	if log := c.sameReplicas(t, check.Partition{Topic: topic}); len(log) != 1 || string(log[0].Value) != "second" {
		t.Errorf("the new topic holds %v", log)
	}
	if log := c.sameReplicas(t, check.Partition{Topic: topic, Index: 1}); len(log) != 0 {
		t.Errorf("the new topic holds %v", log)
	}
}

// deletionWaits deletes a topic while one of its brokers is down: the others
// delete it at once, the znodes go when that one is back and has deleted, too.
func deletionWaits(t *testing.T, c *cluster) {
	for i, down := range []*peer.Broker{c.Brokers[1], c.Brokers[0]} {
		topic := fmt.Sprint("half-gone-", i)
		c.createTopic(t, topic, rotated(2, all...))
		down.Stop(t)
		c.registered(t, down, false)
		c.deleteTopic(t, topic)
		for _, id := range others(down) {
			for p := range int32(2) {
				removed(t, c.Brokers[id], check.Partition{Topic: topic, Index: p})
			}
		}
		for _, path := range []string{znode.DeleteTopicPath(topic), znode.TopicPath(topic)} {
			if ok, _, err := c.zk.Exists(path); err != nil || !ok {
				t.Errorf("%s is gone before broker %d is back: %v", path, down.ID, err)
			}
		}
		down.Start(c.scope)
		c.deleted(t, topic, 2)
	}
}
