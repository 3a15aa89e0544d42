package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/wire"
)

// crowd tells the broker of a cluster: brokers 1 and 2 are everywhere, 3 has no
// listener PLAINTEXT, 4 is dead.
func crowd(b *bench) {
	b.t.Helper()
	both := func(host string) []wire.UpdateMetadataRequestEndpoint {
		return []wire.UpdateMetadataRequestEndpoint{{Listener: "INNER", Host: host, Port: 1}, {Listener: "PLAINTEXT", Host: host, Port: 2}}
	}
	req := wire.NewUpdateMetadataRequest()
	req.ControllerID = 2
	req.LiveBrokers = []wire.UpdateMetadataRequestBroker{
		{ID: 3, Endpoints: both("three")[:1]}, {ID: 2, Endpoints: both("two"), Rack: new("r2")}, {ID: 1, Endpoints: both("one"), Rack: new("r1")},
	}
	part := func(index, leader int32, isr, offline []int32, replicas ...int32) wire.UpdateMetadataRequestPartitionState {
		return wire.UpdateMetadataRequestPartitionState{
			PartitionIndex: index, Leader: leader, LeaderEpoch: 7, Isr: isr, Replicas: replicas, OfflineReplicas: offline}
	}
	req.TopicStates = []wire.UpdateMetadataRequestTopicState{{TopicName: "c", TopicID: wire.UUID{15: 'c'}, PartitionStates: []wire.UpdateMetadataRequestPartitionState{
		part(0, 2, []int32{2, 1}, nil, 1, 2),
		part(1, 1, []int32{1, 3}, nil, 1, 3),
		part(2, 3, []int32{3}, nil, 3, 1),
		part(3, 4, []int32{4}, []int32{4}, 4, 1),
		part(4, -1, []int32{2}, []int32{2, 4}, 2, 4),
	}}}
	if _, err := b.broker.Metadata.Apply(req); err != nil {
		b.t.Fatal(err)
	}
}

func describeMetadata(resp *wire.MetadataResponse) string {
	var out []string
	for _, br := range resp.Brokers {
		rack := "-"
		if br.Rack != nil {
			rack = *br.Rack
		}
		out = append(out, fmt.Sprintf("broker %d %s:%d %s", br.NodeID, br.Host, br.Port, rack))
	}
	for _, t := range resp.Topics {
		out = append(out, fmt.Sprintf("topic %s %s", *t.Name, t.ErrorCode.Name()))
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%d %s leader %d epoch %d replicas %v isr %v offline %v",
				p.PartitionIndex, p.ErrorCode.Name(), p.LeaderID, p.LeaderEpoch, p.ReplicaNodes, p.IsrNodes, p.OfflineReplicas))
		}
	}
	return strings.Join(out, "\n")
}

func TestMetadataOfACluster(t *testing.T) {
	b := newBench(t)
	crowd(b)
	f := func(version int16, want ...string) {
		t.Helper()
		req := wire.NewMetadataRequest()
		req.Topics = []wire.MetadataRequestTopic{{Name: new("c")}}
		resp := ask[*wire.MetadataResponse](b, version, req)
		if got := describeMetadata(resp); got != strings.Join(want, "\n") {
			t.Errorf("version %d:\n%s\nwant\n%s", version, got, strings.Join(want, "\n"))
		}
		if version >= 1 && resp.ControllerID != 2 {
			t.Errorf("version %d: controller %d", version, resp.ControllerID)
		}
	}
	// The first clients are told only of brokers that are in the answer.
	f(0, "broker 1 one:2 -", "broker 2 two:2 -", "topic c NONE",
		"0 NONE leader 2 epoch -1 replicas [1 2] isr [2 1] offline []",
		"1 REPLICA_NOT_AVAILABLE leader 1 epoch -1 replicas [1] isr [1] offline []",
		"2 LEADER_NOT_AVAILABLE leader -1 epoch -1 replicas [1] isr [] offline []",
		"3 LEADER_NOT_AVAILABLE leader -1 epoch -1 replicas [1] isr [] offline []",
		"4 LEADER_NOT_AVAILABLE leader -1 epoch -1 replicas [2] isr [2] offline []")
	f(4, "broker 1 one:2 r1", "broker 2 two:2 r2", "topic c NONE",
		"0 NONE leader 2 epoch -1 replicas [1 2] isr [2 1] offline []",
		"1 NONE leader 1 epoch -1 replicas [1 3] isr [1 3] offline []",
		"2 LEADER_NOT_AVAILABLE leader -1 epoch -1 replicas [3 1] isr [3] offline []",
		"3 LEADER_NOT_AVAILABLE leader -1 epoch -1 replicas [4 1] isr [4] offline []",
		"4 LEADER_NOT_AVAILABLE leader -1 epoch -1 replicas [2 4] isr [2] offline []")
	f(12, "broker 1 one:2 r1", "broker 2 two:2 r2", "topic c NONE",
		"0 NONE leader 2 epoch 7 replicas [1 2] isr [2 1] offline []",
		"1 NONE leader 1 epoch 7 replicas [1 3] isr [1 3] offline []",
		"2 LISTENER_NOT_FOUND leader -1 epoch 7 replicas [3 1] isr [3] offline []",
		"3 LEADER_NOT_AVAILABLE leader -1 epoch 7 replicas [4 1] isr [4] offline [4]",
		"4 LEADER_NOT_AVAILABLE leader -1 epoch 7 replicas [2 4] isr [2] offline [2 4]")
}

func TestDescribeClusterByListener(t *testing.T) {
	b := newBench(t)
	crowd(b)
	for v := range int16(2) {
		resp := ask[*wire.DescribeClusterResponse](b, v, wire.NewDescribeClusterRequest())
		var got []string
		for _, br := range resp.Brokers {
			got = append(got, fmt.Sprintf("%d %s:%d %s", br.BrokerID, br.Host, br.Port, *br.Rack))
		}
		if s := strings.Join(got, ", "); s != "1 one:2 r1, 2 two:2 r2" || resp.ControllerID != 2 {
			t.Errorf("version %d: %s, controller %d", v, s, resp.ControllerID)
		}
	}
}

// What a topic that is made on demand looks like must not depend on the broker
// that was asked.
func TestTopicsByDefault(t *testing.T) {
	cfg, _, err := config.Load(config.Source{File: []byte("num.partitions=3\ndefault.replication.factor=2\noffsets.topic.num.partitions=5\n" +
		"transaction.state.log.num.partitions=6\ntransaction.state.log.min.isr=1\n")})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, want string) {
		t.Helper()
		if n := byDefault(cfg, name); fmt.Sprint(n.Name, n.Partitions, n.Factor, n.Config) != want {
			t.Errorf("%v %v %v %v, want %s", n.Name, n.Partitions, n.Factor, n.Config, want)
		}
	}
	f("t", fmt.Sprint("t", 3, 2, map[string]string(nil)))
	f("__consumer_offsets", fmt.Sprint("__consumer_offsets", 5, 3, map[string]string{
		"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"}))
	f("__transaction_state", fmt.Sprint("__transaction_state", 6, 3, map[string]string{"cleanup.policy": "compact", "compression.type": "uncompressed",
		"segment.bytes": "104857600", "min.insync.replicas": "1", "unclean.leader.election.enable": "false"}))
}
