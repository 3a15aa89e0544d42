package controller

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
)

func TestVersionsByProtocol(t *testing.T) {
	f := func(ibp string, want versions, feature int) {
		t.Helper()
		p, err := config.ParseProtocolVersion(ibp)
		if err != nil {
			t.Fatal(err)
		}
		if got := versionsOf(p); got != want {
			t.Errorf("%s: %+v, want %+v", ibp, got, want)
		}
		if got := featureVersion(p); got != feature {
			t.Errorf("%s: feature version %d, want %d", ibp, got, feature)
		}
	}
	f("3.9-IV0", versions{7, 8, 4}, 2)
	f("3.4-IV0", versions{7, 8, 4}, 2)
	f("3.3-IV0", versions{6, 7, 3}, 2)
	f("3.2-IV0", versions{6, 7, 3}, 1)
	f("2.8-IV1", versions{5, 7, 3}, 1)
	f("2.8-IV0", versions{4, 6, 3}, 1)
	f("2.6-IV0", versions{4, 6, 3}, 0)
	f("2.4-IV1", versions{4, 6, 2}, 0)
	f("2.4-IV0", versions{3, 5, 1}, 0)
	f("2.2-IV0", versions{2, 5, 1}, 0)
	f("1.0-IV0", versions{1, 4, 0}, 0)
	f("0.11.0-IV0", versions{0, 3, 0}, 0)
	f("0.10.0-IV1", versions{0, 2, 0}, 0)
	f("0.9.0", versions{0, 1, 0}, 0)
	f("0.8.2", versions{0, 0, 0}, 0)
}

var (
	tp0 = decide.TopicPartition{Topic: "a", Partition: 0}
	tp1 = decide.TopicPartition{Topic: "a", Partition: 1}
	tp2 = decide.TopicPartition{Topic: "b", Partition: 0}
	id1 = wire.UUID{1}
	id2 = wire.UUID{2}
)

func somebody() decide.Broker {
	return decide.Broker{ID: 1, Rack: new("r"), Endpoints: []znode.Endpoint{
		{Listener: "TLS", Protocol: "SSL", Host: "s", Port: 1},
		{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "h", Port: 2},
	}}
}

func requests() []decide.Request {
	lead := decide.Leadership{Leader: 1, LeaderEpoch: 4, ISR: []int32{1, 2}, PartitionEpoch: 9, ControllerEpoch: 3, Recovering: true}
	return []decide.Request{
		&decide.LeaderAndISR{
			ControllerID: 1, ControllerEpoch: 3, LiveLeaders: []decide.Broker{somebody()},
			Partitions: []decide.LeaderAndISRPartition{
				{TopicPartition: tp0, TopicID: id1, Leadership: lead, Assignment: decide.Assignment{Replicas: []int32{1, 2}, Adding: []int32{2}}, IsNew: true},
				{TopicPartition: tp1, TopicID: id1, Leadership: lead},
				{TopicPartition: tp2, TopicID: id2, Leadership: lead},
			},
		},
		&decide.UpdateMetadata{
			ControllerID: 1, ControllerEpoch: 3, Brokers: []decide.Broker{somebody()},
			Partitions: []decide.UpdateMetadataPartition{
				{TopicPartition: tp0, TopicID: id1, Leadership: lead, Replicas: []int32{1, 2}, Offline: []int32{2}},
				{TopicPartition: tp1, TopicID: id1, Leadership: lead},
				{TopicPartition: tp2, TopicID: id2, Leadership: lead},
			},
		},
		&decide.StopReplica{
			ControllerID: 1, ControllerEpoch: 3,
			Partitions: []decide.StopReplicaPartition{
				{TopicPartition: tp0, LeaderEpoch: 5, Delete: true}, {TopicPartition: tp1, LeaderEpoch: 6, Delete: true}, {TopicPartition: tp2, LeaderEpoch: -2},
			},
		},
	}
}

// TestMessagesOfAllVersions encodes and decodes what an old protocol would send.
func TestMessagesOfAllVersions(t *testing.T) {
	for version := range int16(9) {
		v := versions{min(version, 7), version, min(version, 4)}
		for _, req := range requests() {
			msgs := v.messages(decide.Send{Broker: 1, BrokerEpoch: 77, Request: req}, "PLAINTEXT")
			if _, isStop := req.(*decide.StopReplica); len(msgs) != 1 && !(isStop && v.stopReplica < 3 && len(msgs) == 2) {
				t.Fatalf("%T v%d: %d messages", req, version, len(msgs))
			}
			for _, m := range msgs {
				data, err := wire.Append(nil, m.body, m.version)
				if err != nil {
					t.Fatalf("%T v%d: %v", m.body, m.version, err)
				}
				if err := wire.NewRequest(m.body.Key()).Decode(data, m.version); err != nil {
					t.Fatalf("%T v%d: %v", m.body, m.version, err)
				}
			}
		}
	}
}

func TestNewestMessages(t *testing.T) {
	v := versions{7, 8, 4}
	var bodies []wire.Body
	for _, req := range requests() {
		for _, m := range v.messages(decide.Send{BrokerEpoch: 77, Request: req}, "PLAINTEXT") {
			bodies = append(bodies, m.body)
		}
	}
	lead := bodies[0].(*wire.LeaderAndIsrRequest)
	if lead.BrokerEpoch != 77 || len(lead.TopicStates) != 2 || len(lead.TopicStates[0].PartitionStates) != 2 || lead.TopicStates[1].TopicID != id2 {
		t.Errorf("LeaderAndIsr %+v", lead)
	}
	if p := lead.TopicStates[0].PartitionStates[0]; !p.IsNew || p.LeaderRecoveryState != 1 || p.PartitionEpoch != 9 || !slices.Equal(p.AddingReplicas, []int32{2}) {
		t.Errorf("partition %+v", p)
	}
	if l := lead.LiveLeaders; len(l) != 1 || l[0].HostName != "h" || l[0].Port != 2 {
		t.Errorf("live leaders %+v", l)
	}
	meta := bodies[1].(*wire.UpdateMetadataRequest)
	if b := meta.LiveBrokers[0]; *b.Rack != "r" || len(b.Endpoints) != 2 || b.Endpoints[0].SecurityProtocol != 1 || b.Endpoints[0].Listener != "TLS" {
		t.Errorf("live broker %+v", b)
	}
	stop := bodies[2].(*wire.StopReplicaRequest)
	if p := stop.TopicStates[1].PartitionStates[0]; p.LeaderEpoch != -2 || p.DeletePartition {
		t.Errorf("stop %+v", p)
	}
}

func TestAnswersBecomeEvents(t *testing.T) {
	channel := decide.Channel{Broker: 5, BrokerEpoch: 1, ControllerEpoch: 3}
	lead := message{&wire.LeaderAndIsrRequest{TopicStates: []wire.LeaderAndIsrRequestTopicState{{TopicName: "a", TopicID: id1}}}, 7, channel}
	ev := lead.event(&wire.LeaderAndIsrResponse{Topics: []wire.LeaderAndIsrResponseTopicError{{
		TopicID: id1, PartitionErrors: []wire.LeaderAndIsrResponsePartitionError{{PartitionIndex: 1, ErrorCode: wire.CodeKafkaStorageError}},
	}}}).(decide.LeaderAndISRDone)
	if ev.Channel != channel || len(ev.Partitions) != 1 || ev.Partitions[0] != code("a", 1, wire.CodeKafkaStorageError) {
		t.Errorf("LeaderAndIsr: %+v", ev)
	}
	ev = lead.event(&wire.LeaderAndIsrResponse{PartitionErrors: []wire.LeaderAndIsrResponsePartitionError{{TopicName: "a", PartitionIndex: 2}}}).(decide.LeaderAndISRDone)
	if len(ev.Partitions) != 1 || ev.Partitions[0] != code("a", 2, 0) {
		t.Errorf("LeaderAndIsr of old: %+v", ev)
	}
	for _, v := range []int16{4, 2, 0} {
		msgs := stopReplica(requests()[2].(*decide.StopReplica), channel, v)
		done := msgs[0].event(&wire.StopReplicaResponse{PartitionErrors: []wire.StopReplicaResponsePartitionError{
			{TopicName: "a", PartitionIndex: 1, ErrorCode: wire.CodeKafkaStorageError}, {TopicName: "b"},
		}}).(decide.StopReplicaDone)
		if want := []decide.PartitionCode{code("a", 0, 0), code("a", 1, wire.CodeKafkaStorageError)}; done.Channel != channel || !slices.Equal(done.Partitions, want) {
			t.Errorf("StopReplica v%d: %+v, want %+v", v, done, want)
		}
		done = msgs[0].event(&wire.StopReplicaResponse{ErrorCode: wire.CodeStaleBrokerEpoch}).(decide.StopReplicaDone)
		if done.Err != wire.CodeStaleBrokerEpoch || len(done.Partitions) != 2 || done.Partitions[0].Err != wire.CodeStaleBrokerEpoch {
			t.Errorf("refused StopReplica v%d: %+v", v, done)
		}
	}
}
