package metadata

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/wire"
)

func id(b byte) (u wire.UUID) {
	u[0], u[15] = b, b
	return u
}

func state(index, leader, epoch int32) wire.UpdateMetadataRequestPartitionState {
	return wire.UpdateMetadataRequestPartitionState{PartitionIndex: index, Leader: leader, LeaderEpoch: epoch, Isr: []int32{leader}, Replicas: []int32{leader}}
}

func update(topic string, u wire.UUID, states ...wire.UpdateMetadataRequestPartitionState) *wire.UpdateMetadataRequest {
	req := &wire.UpdateMetadataRequest{ControllerID: 1, ControllerEpoch: 3}
	req.LiveBrokers = []wire.UpdateMetadataRequestBroker{
		{ID: 2, Endpoints: []wire.UpdateMetadataRequestEndpoint{{Listener: "PLAINTEXT", Host: "b", Port: 2}}},
		{ID: 1, Endpoints: []wire.UpdateMetadataRequestEndpoint{{Listener: "PLAINTEXT", Host: "a", Port: 1}}},
	}
	if topic != "" {
		req.TopicStates = []wire.UpdateMetadataRequestTopicState{{TopicName: topic, TopicID: u, PartitionStates: states}}
	}
	return req
}

func apply(t *testing.T, c *Cache, req *wire.UpdateMetadataRequest) []Gone {
	t.Helper()
	gone, err := c.Apply(req)
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

func TestUpdatesMergeAndOldImagesStay(t *testing.T) {
	c := NewCache()
	apply(t, c, update("t", id(1), state(1, 2, 0), state(0, 1, 0)))
	old, changed := c.Changed()
	apply(t, c, update("t", id(1), state(1, 1, 5)))
	select {
	case <-changed:
	default:
		t.Error("who waited was not told")
	}
	p, _ := c.Image().Topic("t").Partition(1)
	if p.Leader != 1 || p.LeaderEpoch != 5 {
		t.Errorf("partition 1 = %+v", p)
	}
	if p, _ := old.Topic("t").Partition(1); p.Leader != 2 {
		t.Errorf("the old image changed: %+v", p)
	}
	if got := c.Image().TopicByID(id(1)); got == nil || got.Name != "t" || len(got.Partitions) != 2 {
		t.Errorf("TopicByID = %+v", got)
	}
	if c.Image().TopicCount() != 1 || c.Image().PartitionCount() != 2 {
		t.Errorf("counts %d, %d", c.Image().TopicCount(), c.Image().PartitionCount())
	}
}

func TestBrokersAreReplacedWholeAndTopicsKept(t *testing.T) {
	c := NewCache()
	apply(t, c, update("t", id(1), state(0, 1, 0)))
	req := update("", wire.UUID{})
	req.LiveBrokers = req.LiveBrokers[1:]
	apply(t, c, req)
	if c.Image().Alive(2) || !c.Image().Alive(1) {
		t.Errorf("brokers = %+v", c.Image().Brokers)
	}
	if c.Image().Topic("t") == nil {
		t.Error("a topic absent from the request was dropped")
	}
	b, _ := c.Image().Broker(1)
	if e, ok := b.Endpoint("PLAINTEXT"); !ok || e.Host != "a" {
		t.Errorf("endpoint = %+v", e)
	}
}

func TestDeletedPartitionsGoAndWithTheLastTheTopic(t *testing.T) {
	c := NewCache()
	apply(t, c, update("t", id(1), state(0, 1, 0), state(1, 1, 0)))
	gone := apply(t, c, update("t", id(1), state(1, -2, 0)))
	if !slices.Equal(gone, []Gone{{"t", 1}}) || len(c.Image().Topic("t").Partitions) != 1 {
		t.Errorf("gone = %v, topic = %+v", gone, c.Image().Topic("t"))
	}
	apply(t, c, update("t", id(1), state(0, -2, 0)))
	if c.Image().Topic("t") != nil || c.Image().TopicByID(id(1)) != nil || c.Image().TopicCount() != 0 {
		t.Error("the topic outlived its partitions")
	}
	apply(t, c, update("t", id(2), state(0, 1, 0)))
	if c.Image().TopicByID(id(2)) == nil {
		t.Error("a topic made again is not found by its new id")
	}
}

func TestAnOldControllerIsRefused(t *testing.T) {
	c := NewCache()
	apply(t, c, update("t", id(1), state(0, 1, 0)))
	req := update("t", id(1), state(0, 2, 9))
	req.ControllerEpoch = 2
	if _, err := c.Apply(req); !errors.Is(err, wire.CodeStaleControllerEpoch) {
		t.Fatalf("Apply = %v", err)
	}
}

func TestOldVersionsListPartitionsOneByOne(t *testing.T) {
	c := NewCache()
	req := update("", wire.UUID{})
	for i := range int32(3) {
		s := state(i, 1, 0)
		s.TopicName = "t"
		req.UngroupedPartitionStates = append(req.UngroupedPartitionStates, s)
	}
	req.LiveBrokers = []wire.UpdateMetadataRequestBroker{{ID: 1, V0Host: "h", V0Port: 9}}
	apply(t, c, req)
	if n := len(c.Image().Topic("t").Partitions); n != 3 {
		t.Errorf("%d partitions", n)
	}
	b, _ := c.Image().Broker(1)
	if e, _ := b.Endpoint("PLAINTEXT"); e.Host != "h" || e.Port != 9 {
		t.Errorf("endpoint = %+v", e)
	}
}

// Before version 3 a listener has no name of its own.
func TestOldVersionsNameListenersByProtocol(t *testing.T) {
	c := NewCache()
	req := update("", wire.UUID{})
	var endpoints []wire.UpdateMetadataRequestEndpoint
	for p := range int16(5) {
		endpoints = append(endpoints, wire.UpdateMetadataRequestEndpoint{Host: "h", Port: 9 + int32(p), SecurityProtocol: p})
	}
	req.LiveBrokers = []wire.UpdateMetadataRequestBroker{{ID: 1, Endpoints: endpoints}}
	apply(t, c, req)
	b, _ := c.Image().Broker(1)
	for p, name := range []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", ""} {
		if e, ok := b.Endpoint(name); !ok || e.Port != 9+int32(p) {
			t.Errorf("listener %q: %+v %v", name, e, ok)
		}
	}
}

func BenchmarkApplyOneOfManyTopics(b *testing.B) {
	c := NewCache()
	for i := range 5000 {
		if _, err := c.Apply(update(fmt.Sprintf("topic-%d", i), id(byte(i)), state(0, 1, 0))); err != nil {
			b.Fatal(err)
		}
	}
	req := update("topic-17", id(17), state(0, 1, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Apply(req); err != nil {
			b.Fatal(err)
		}
	}
}
