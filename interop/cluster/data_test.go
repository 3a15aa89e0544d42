//go:build interop

package cluster

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// put sends one record to the broker that leads a partition and returns what
// it is answered.
func put(b *peer.Broker, p check.Partition, acks int16, value []byte) error {
	var bl record.Builder
	bl.Reset(record.Spec{})
	bl.Append(time.Now().UnixMilli(), nil, value)
	batch, err := bl.Build()
	if err != nil {
		return err
	}
	conn, err := peer.Dial(b.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = acks, 10_000
	req.TopicData = []wire.ProduceRequestTopicData{{Name: p.Topic, PartitionData: []wire.ProduceRequestPartitionData{
		{Index: p.Index, Records: wire.Records{Bytes: batch}}}}}
	resp, err := conn.Call(req, 9)
	if err != nil {
		return err
	}
	if code := resp.(*wire.ProduceResponse).Responses[0].PartitionResponses[0].ErrorCode; code != wire.CodeNone {
		return code
	}
	return nil
}

// putNumbered sends records with values of a producer, numbered from the
// history's next on, until each is acknowledged.
func putNumbered(t *testing.T, h *check.History, b *peer.Broker, p check.Partition, acks int16, producer, n int) {
	t.Helper()
	for range n {
		v := h.Next(producer, p)
		peer.Eventually(t, patience, func() error { return put(b, p, acks, v.Encode(p, 50)) })
	}
}

// replication writes to leaders of each kind, with followers of each kind.
func replication(t *testing.T, c *cluster) {
	const topic, partitions = "replicated", 6
	c.createTopic(t, topic, rotated(partitions, all...), "min.insync.replicas=2", "segment.bytes=100000")
	for p, st := range c.mustStates(t, topic) {
		want := znode.PartitionState{Leader: all[int(p)%len(all)], ISR: st.ISR, ControllerEpoch: c.controllerEpoch(t)}
		if fmt.Sprint(st) != fmt.Sprint(want) {
			t.Errorf("%s-%d: state %+v, want %+v", topic, p, st, want)
		}
	}
	l := c.startLoad(t, topic, partitions)
	l.more(t, 2000)
	l.finish(t)
	for p, st := range c.mustStates(t, topic) {
		if st.LeaderEpoch != 0 || st.Leader != all[int(p)%len(all)] {
			t.Errorf("%s-%d: leader %d of epoch %d, though nothing had happened", topic, p, st.Leader, st.LeaderEpoch)
		}
	}
}

// topicConfigs changes a config through each broker and sees every leader obey.
func topicConfigs(t *testing.T, c *cluster) {
	const topic = "configured"
	c.createTopic(t, topic, rotated(3, all...))
	large := make([]byte, 5000)
	accepted := map[int32]int{}
	tell := func(p int32) error {
		err := put(c.Brokers[p], check.Partition{Topic: topic, Index: p}, -1, large)
		if err == nil {
			accepted[p]++
		}
		return err
	}
	for _, through := range c.Brokers {
		c.alterTopic(t, through, topic, kmsg.IncrementalAlterConfigOpSet, "max.message.bytes", "1000")
		for p := range int32(3) {
			peer.Eventually(t, patience, func() error {
				if err := tell(p); !errors.Is(err, wire.CodeMessageTooLarge) {
					return fmt.Errorf("broker %d, after a change through %d: %v", p, through.ID, err)
				}
				return nil
			})
		}
		c.alterTopic(t, through, topic, kmsg.IncrementalAlterConfigOpDelete, "max.message.bytes", "")
		for p := range int32(3) {
			peer.Eventually(t, patience, func() error { return tell(p) })
		}
	}
	for p, log := range c.allSame(t, topic) {
		if len(log) != accepted[p] {
			t.Errorf("%s-%d holds %d records, %d were acknowledged", topic, p, len(log), accepted[p])
		}
	}
	config, _, err := c.zk.Get(topicConfigPath(topic))
	if err != nil || string(config) != `{"version":1,"config":{}}` {
		t.Errorf("the config's znode holds %s, %v", config, err)
	}
}

// alterTopic changes one config of a topic through a broker.
func (c *cluster) alterTopic(t *testing.T, through *peer.Broker, topic string, op kmsg.IncrementalAlterConfigOp, key, value string) {
	t.Helper()
	c.alterConfig(t, through, kmsg.ConfigResourceTypeTopic, topic, op, key, value)
}

func (c *cluster) alterConfig(t *testing.T, through *peer.Broker, kind kmsg.ConfigResourceType, name string, op kmsg.IncrementalAlterConfigOp, key, value string) {
	t.Helper()
	rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	rc.Name, rc.Op, rc.Value = key, op, &value
	rr := kmsg.NewIncrementalAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kind, name
	rr.Configs = append(rr.Configs, rc)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, rr)
	peer.Eventually(t, patience, func() error {
		resp, err := c.askOf(through, req)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode)
	})
}

// shrinking freezes a follower: its leaders, of both kinds, take it out of the
// ISR and refuse what asks for more, until it is back.
func shrinking(t *testing.T, c *cluster) {
	frozen := c.Brokers[2]
	// Its session outlives the story: it is for leaders to find that it lags,
	// before the controller finds that it is dead.
	c.restart(t, frozen, "zookeeper.session.timeout.ms", "60000")
	defer c.restart(t, frozen, "zookeeper.session.timeout.ms", strconv.Itoa(peer.SessionTimeout))
	c.elect(t, c.Brokers[0])
	pairs, triples := "shrinking-to-1", "shrinking-to-2"
	c.createTopic(t, pairs, [][]int32{{0, 2}, {1, 2}}, "min.insync.replicas=2")
	c.createTopic(t, triples, [][]int32{{0, 1, 2}, {1, 0, 2}}, "min.insync.replicas=2")
	parts := []check.Partition{{Topic: pairs}, {Topic: pairs, Index: 1}, {Topic: triples}, {Topic: triples, Index: 1}}
	for _, p := range parts {
		peer.Eventually(t, patience, func() error { return put(c.Brokers[p.Index], p, -1, []byte("before")) })
	}
	frozen.Pause(t)
	for _, p := range parts { // somebody has to be behind
		if err := put(c.Brokers[p.Index], p, 1, []byte("meanwhile")); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	c.without(t, pairs, frozen)
	c.without(t, triples, frozen)
	for _, p := range parts {
		// Unlike the controller, a leader does not begin an epoch.
		if st, err := c.state(p.Topic, p.Index); err != nil || st.Leader != p.Index || st.LeaderEpoch != 0 {
			t.Errorf("%s: %+v, %v", p, st, err)
		}
		switch err := put(c.Brokers[p.Index], p, -1, []byte("refused or not")); {
		case p.Topic == pairs && !errors.Is(err, wire.CodeNotEnoughReplicas):
			t.Errorf("%s: acks=all with 1 in sync: %v", p, err)
		case p.Topic == triples && err != nil:
			t.Errorf("%s: acks=all with 2 in sync: %v", p, err)
		}
	}
	c.thaw(t, frozen)
	c.inSync(t, pairs)
	c.inSync(t, triples)
	for _, p := range parts {
		want := 2
		if p.Topic == triples {
			want = 3
		}
		if log := c.sameReplicas(t, p); len(log) != want {
			t.Errorf("%s holds %d records, want %d", p, len(log), want)
		}
		peer.Eventually(t, patience, func() error { return put(c.Brokers[p.Index], p, -1, []byte("after")) })
	}
}

// restart stops a broker and starts it with a property changed.
func (c *cluster) restart(t *testing.T, b *peer.Broker, key, value string) {
	t.Helper()
	b.Stop(t)
	c.registered(t, b, false)
	b.Properties[key] = value
	b.Start(c.scope)
}
