//go:build interop

package cluster

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
)

// call asks a broker as another broker does.
func call[R wire.Body](t *testing.T, b *peer.Broker, req wire.Body, version int16) R {
	t.Helper()
	conn, err := peer.Dial(b.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := conn.Call(req, version)
	if err != nil {
		t.Fatalf("%T to broker %d: %v", req, b.ID, err)
	}
	return got.(R)
}

// brokerEpoch is that of a broker's registration.
func (c *cluster) brokerEpoch(t *testing.T, b *peer.Broker) int64 {
	t.Helper()
	_, stat, err := c.zk.Get(znode.BrokerPath(b.ID))
	if err != nil {
		t.Fatal(err)
	}
	return stat.Czxid
}

// refusals sends what a controller that was deposed and brokers of a former
// life would: everybody refuses it, and does none of it.
func refusals(t *testing.T, c *cluster) {
	for i, controller := range c.Brokers[:2] {
		c.elect(t, controller)
		p := check.Partition{Topic: fmt.Sprint("refused-", i)}
		c.createTopic(t, p.Topic, rotated(1, all...))
		for _, b := range c.Brokers {
			epoch, registered := c.controllerEpoch(t), c.brokerEpoch(t, b)
			c.refusesControl(t, b, p, epoch-1, registered, wire.CodeStaleControllerEpoch)
			c.refusesControl(t, b, p, epoch, registered-1, wire.CodeStaleBrokerEpoch)
			c.refusesBroker(t, controller, b, registered-1, wire.CodeStaleBrokerEpoch, wire.CodeStaleBrokerEpoch)
		}
		for _, b := range c.Brokers {
			if b != controller {
				c.refusesBroker(t, b, controller, c.brokerEpoch(t, controller), wire.CodeNotController, wire.CodeStaleControllerEpoch)
			}
		}
		if st, err := c.state(p.Topic, 0); err != nil || st.Leader != 0 || st.LeaderEpoch != 0 || !sameSet(st.ISR, all) {
			t.Errorf("%s: %+v, %v", p, st, err)
		}
		peer.Eventually(t, patience, func() error { return put(c.Brokers[0], p, -1, []byte("as ever")) })
		if log := c.sameReplicas(t, p); len(log) != 1 {
			t.Errorf("%s holds %d records", p, len(log))
		}
	}
}

// refusesControl tells a broker to follow another leader, of a topic that is
// not there, and to delete its replica, all of which it refuses.
func (c *cluster) refusesControl(t *testing.T, b *peer.Broker, p check.Partition, epoch int32, brokerEpoch int64, want wire.Code) {
	t.Helper()
	controller := c.controller(t).ID
	id := c.mustTopic(t, p.Topic).ID
	lead := call[*wire.LeaderAndIsrResponse](t, b, &wire.LeaderAndIsrRequest{ControllerID: controller, ControllerEpoch: epoch, BrokerEpoch: brokerEpoch,
		TopicStates: []wire.LeaderAndIsrRequestTopicState{{TopicName: p.Topic, TopicID: id, PartitionStates: []wire.LeaderAndIsrRequestPartitionState{
			{ControllerEpoch: epoch, Leader: 1, LeaderEpoch: 5, Isr: []int32{1}, PartitionEpoch: 5, Replicas: all}}}}}, 7)
	if lead.ErrorCode != want {
		t.Errorf("LeaderAndIsr to broker %d: %v, want %v", b.ID, lead.ErrorCode, want)
	}
	const nowhere = "never-created"
	update := call[*wire.UpdateMetadataResponse](t, b, &wire.UpdateMetadataRequest{ControllerID: controller, ControllerEpoch: epoch, BrokerEpoch: brokerEpoch,
		TopicStates: []wire.UpdateMetadataRequestTopicState{{TopicName: nowhere, TopicID: wire.UUID{1}, PartitionStates: []wire.UpdateMetadataRequestPartitionState{
			{ControllerEpoch: epoch, Isr: all, Replicas: all}}}}}, 8)
	if update.ErrorCode != want {
		t.Errorf("UpdateMetadata to broker %d: %v, want %v", b.ID, update.ErrorCode, want)
	}
	if m, err := c.metadata(b, nowhere); err == nil {
		t.Errorf("broker %d knows %+v", b.ID, m)
	}
	stop := call[*wire.StopReplicaResponse](t, b, &wire.StopReplicaRequest{ControllerID: controller, ControllerEpoch: epoch, BrokerEpoch: brokerEpoch,
		TopicStates: []wire.StopReplicaRequestTopicState{{TopicName: p.Topic, PartitionStates: []wire.StopReplicaRequestPartitionState{
			{LeaderEpoch: 5, DeletePartition: true}}}}}, 4)
	if stop.ErrorCode != want {
		t.Errorf("StopReplica to broker %d: %v, want %v", b.ID, stop.ErrorCode, want)
	}
	if replicaDir(b, p) == "" {
		t.Errorf("broker %d has deleted %s", b.ID, p)
	}
}

// refusesBroker asks a broker what only a controller does, for another one. A
// broker that does not control answers a controlled shutdown in its own way.
func (c *cluster) refusesBroker(t *testing.T, asked, asking *peer.Broker, epoch int64, want, wantShutdown wire.Code) {
	t.Helper()
	if got := call[*wire.ControlledShutdownResponse](t, asked, &wire.ControlledShutdownRequest{BrokerID: asking.ID, BrokerEpoch: epoch}, 3).ErrorCode; got != wantShutdown {
		t.Errorf("ControlledShutdown of %d to %d: %v, want %v", asking.ID, asked.ID, got, wantShutdown)
	}
	if got := call[*wire.AllocateProducerIDsResponse](t, asked, &wire.AllocateProducerIDsRequest{BrokerID: asking.ID, BrokerEpoch: epoch}, 0).ErrorCode; got != want {
		t.Errorf("AllocateProducerIds of %d to %d: %v, want %v", asking.ID, asked.ID, got, want)
	}
	if got := call[*wire.AlterPartitionResponse](t, asked, &wire.AlterPartitionRequest{BrokerID: asking.ID, BrokerEpoch: epoch}, 3).ErrorCode; got != want {
		t.Errorf("AlterPartition of %d to %d: %v, want %v", asking.ID, asked.ID, got, want)
	}
}

// producerIDs takes blocks of producer ids from controllers of each kind: one
// goes on where the other one was, and no id is given out twice.
func producerIDs(t *testing.T, c *cluster) {
	given := map[int64]int32{}
	for _, controller := range []*peer.Broker{c.Brokers[0], c.Brokers[1], c.Brokers[0]} {
		c.elect(t, controller)
		for _, b := range c.Brokers {
			before := c.producerIDBlock(t, b)
			got := call[*wire.AllocateProducerIDsResponse](t, controller, &wire.AllocateProducerIDsRequest{BrokerID: b.ID, BrokerEpoch: c.brokerEpoch(t, b)}, 0)
			want, _ := before.Next(b.ID)
			if got.ErrorCode != wire.CodeNone || got.ProducerIDStart != want.Start || got.ProducerIDLen != znode.ProducerIDBlockSize {
				t.Errorf("broker %d was given %+v by %d after %+v", b.ID, got, controller.ID, before)
			}
			if now := c.producerIDBlock(t, b); now != want {
				t.Errorf("the znode says %+v, want %+v", now, want)
			}
			// Broker's own block is another one.
			for range 3 {
				id := c.initProducer(t, b)
				if by, twice := given[id]; twice || id >= want.Start {
					t.Errorf("broker %d gives out %d, as broker %d did; the last block began at %d", b.ID, id, by, want.Start)
				}
				given[id] = b.ID
			}
		}
	}
}

// producerIDBlock is the last block that was allocated, after a broker has one.
func (c *cluster) producerIDBlock(t *testing.T, b *peer.Broker) znode.ProducerIDs {
	t.Helper()
	c.initProducer(t, b)
	data, _, err := c.zk.Get(znode.ProducerIDBlockPath)
	if err != nil {
		t.Fatal(err)
	}
	block, err := znode.DecodeProducerIDs(znode.ProducerIDBlockPath, data)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func (c *cluster) initProducer(t *testing.T, b *peer.Broker) int64 {
	t.Helper()
	var id int64
	peer.Eventually(t, patience, func() error {
		resp := call[*wire.InitProducerIDResponse](t, b, &wire.InitProducerIDRequest{TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1}, 4)
		if resp.ErrorCode != wire.CodeNone {
			return resp.ErrorCode
		}
		id = resp.ProducerID
		return nil
	})
	return id
}

// leaderEpochs lets each broker lead a partition in turn, and asks each where
// the epochs of all of them end.
func leaderEpochs(t *testing.T, c *cluster) {
	p := check.Partition{Topic: "epochs"}
	c.createTopic(t, p.Topic, rotated(1, all...))
	h := check.NewHistory()
	written := map[int32]int64{} // the ends of epochs that have records
	for i, replicas := range [][]int32{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}} {
		leader, followers := c.Brokers[replicas[0]], replicas[1:]
		if i > 0 {
			to := map[int32][]int32{0: replicas}
			peer.Eventually(t, patience, func() error { return c.reassign(p.Topic, to) })
			c.assigned(t, p.Topic, to)
			if err := c.electLeaders(t, preferred, p.Topic, 0)[0]; err != nil {
				t.Fatal(err)
			}
		}
		putNumbered(t, h, leader, p, -1, i, 5)
		st := c.mustStates(t, p.Topic)[0]
		if st.Leader != leader.ID {
			t.Fatalf("%s: %+v", p, st)
		}
		written[st.LeaderEpoch] = int64(5 * (i + 1))
		for asked := range st.LeaderEpoch + 2 {
			want := wire.OffsetForLeaderEpochResponseEpochEndOffset{LeaderEpoch: -1, EndOffset: -1}
			for epoch, end := range written {
				if epoch <= asked && asked <= st.LeaderEpoch && epoch > want.LeaderEpoch {
					want.LeaderEpoch, want.EndOffset = epoch, end
				}
			}
			for _, asking := range []int32{-1, followers[0], followers[1]} {
				if got := epochEnd(t, leader, p, asking, st.LeaderEpoch, asked); got != want {
					t.Errorf("broker %d says to %d of epoch %d: %+v, want %+v", leader.ID, asking, asked, got, want)
				}
			}
		}
		for current, want := range map[int32]wire.Code{st.LeaderEpoch - 1: wire.CodeFencedLeaderEpoch, st.LeaderEpoch + 1: wire.CodeUnknownLeaderEpoch} {
			if current < 0 {
				continue // names none
			}
			if got := epochEnd(t, leader, p, followers[0], current, 0).ErrorCode; got != want {
				t.Errorf("broker %d, asked in epoch %d of %d: %v, want %v", leader.ID, current, st.LeaderEpoch, got, want)
			}
		}
		for _, id := range followers {
			if got := epochEnd(t, c.Brokers[id], p, leader.ID, -1, 0).ErrorCode; got != wire.CodeNotLeaderOrFollower {
				t.Errorf("broker %d, a follower: %v", id, got)
			}
		}
	}
	c.sameReplicas(t, p)
}

// epochEnd asks a broker where an epoch ends in its log.
func epochEnd(t *testing.T, b *peer.Broker, p check.Partition, asking, current, epoch int32) wire.OffsetForLeaderEpochResponseEpochEndOffset {
	t.Helper()
	resp := call[*wire.OffsetForLeaderEpochResponse](t, b, &wire.OffsetForLeaderEpochRequest{ReplicaID: asking,
		Topics: []wire.OffsetForLeaderEpochRequestOffsetForLeaderTopic{{Topic: p.Topic, Partitions: []wire.OffsetForLeaderEpochRequestOffsetForLeaderPartition{
			{Partition: p.Index, CurrentLeaderEpoch: current, LeaderEpoch: epoch}}}}}, 4)
	return resp.Topics[0].Partitions[0]
}
