//go:build interop

package oracle

import (
	"fmt"
	"io"
	"log"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
)

// together are the families for a cluster of three brokers, of which 0 is the
// controller.
func together() []family {
	return []family{
		{"cluster-control", controlScripts()},
		{"cluster-metadata", clusterMetadataScripts()},
		{"cluster-controller", controllerScripts()},
		{"cluster-reassign", reassignScripts()},
		{"cluster-elect", electScripts()},
		{"cluster-alter-partition", alterPartitionScripts()},
		{"cluster-followers", followerScripts()},
		{"cluster-leaders", leaderScripts()},
		{"cluster-shutdown", shutdownScripts()},
	}
}

var (
	referenceCluster = peer.Once(func(s peer.Scope) *trio { return newTrio(s, peer.KindApache) })
	candidateCluster = peer.Once(func(s peer.Scope) *trio { return newTrio(s, peer.KindGregor) })
)

// trio is a cluster of three.
type trio struct {
	*peer.Cluster
	epochs epochs
}

// epochs are those that requests of controllers and leaders carry.
type epochs struct {
	controller int32
	brokers    []int64 // by id
}

func newTrio(s peer.Scope, kind peer.Kind) *trio {
	c := &trio{Cluster: peer.StartCluster(s, peer.ClusterOptions{Brokers: []peer.Kind{kind, kind, kind}, Keeper: kind,
		Racks: []string{"r0", "r1", "r1"}, LogDirs: 2, Properties: map[string]string{
			"replica.lag.time.max.ms":      "30000", // what is in sync stays so
			"zookeeper.session.timeout.ms": "30000", // nobody's session ends
			"replica.selector.class":       "org.apache.kafka.common.replica.RackAwareReplicaSelector",
		}})}
	must := func(err error) {
		if err != nil {
			s.Fatalf("%v", err)
		}
	}
	conn, _, err := zk.Connect([]string{c.Ensemble.Addr}, 10*time.Second, zk.WithLogger(log.New(io.Discard, "", 0)))
	must(err)
	defer conn.Close()
	data, _, err := conn.Get(znode.ControllerEpochPath)
	must(err)
	c.epochs.controller, err = znode.DecodeControllerEpoch(znode.ControllerEpochPath, data)
	must(err)
	for _, b := range c.Brokers {
		_, registration, err := conn.Get(znode.BrokerPath(b.ID))
		must(err)
		c.epochs.brokers = append(c.epochs.brokers, registration.Czxid)
	}
	return c
}

// TestCluster is TestOracle for clusters, which lose a broker in the end.
func TestCluster(t *testing.T) {
	with := func(brokers int) func(*testing.T, script) {
		return func(t *testing.T, c script) {
			compare(t, c, referenceCluster(t).side(t, brokers), candidateCluster(t).side(t, brokers))
		}
	}
	play(t, together(), with(3))
	referenceCluster(t).Brokers[2].Stop(t)
	candidateCluster(t).Brokers[2].Stop(t)
	play(t, bereaved(), with(2))
	stale(t)
}

// side begins a case with the first of the brokers.
func (c *trio) side(t *testing.T, brokers int) *side {
	s := newSide(prefixOf(t), c.Brokers[:brokers]...)
	s.epochs = &c.epochs
	return s
}

// replicated creates a topic of this case with these replicas and waits until
// all brokers know its leaders and the replicas have found each other.
func (s *side) replicated(name string, assignment [][]int32, configs ...string) string {
	before := s.broker
	full := s.name(name)
	s.to(0)
	ct := creatable{Name: full, NumPartitions: -1, ReplicationFactor: -1}
	for p, replicas := range assignment {
		ct.Assignments = append(ct.Assignments, assigned{PartitionIndex: int32(p), BrokerIDs: replicas})
	}
	for i := 0; i < len(configs); i += 2 {
		ct.Configs = append(ct.Configs, setting{Name: configs[i], Value: &configs[i+1]})
	}
	if c := s.quiet(create(ct), 7).(*wire.CreateTopicsResponse).Topics[0].ErrorCode; c != wire.CodeNone {
		s.must(fmt.Errorf("create %s: %w", full, c))
	}
	s.knownEverywhere(full, len(assignment))
	s.to(int(before.ID))
	return full
}

// knownEverywhere waits until every broker shows that many partitions of a
// topic with a leader.
func (s *side) knownEverywhere(topic string, partitions int) {
	for i := range s.all {
		s.to(i)
		s.leaders(topic, int32(partitions))
	}
}

// putAll appends records at a leader, which may not know yet that it is, and
// waits until all that are in sync have them.
func (s *side) putAll(topic string, partition int32, leader int, batches ...[]byte) {
	s.to(leader)
	for _, b := range batches {
		s.eventually(func() error {
			r := s.quiet(produce(-1, topic, partition, b), 9).(*wire.ProduceResponse)
			switch c := r.Responses[0].PartitionResponses[0].ErrorCode; c {
			case wire.CodeNone:
				return nil
			case wire.CodeNotLeaderOrFollower:
				return c
			default:
				s.must(fmt.Errorf("put into %s: %w", topic, c))
				return nil
			}
		})
	}
}

// about asks for the metadata of topics.
func about(topics ...string) *wire.MetadataRequest {
	req := wire.NewMetadataRequest()
	for _, name := range topics {
		req.Topics = append(req.Topics, wire.MetadataRequestTopic{Name: &name})
	}
	return req
}

// partition is what the broker says of one partition.
func (s *side) partition(topic string, partition int32) wire.MetadataResponsePartition {
	for _, p := range s.metadata(topic).Partitions {
		if p.PartitionIndex == partition {
			return p
		}
	}
	s.must(fmt.Errorf("no %s-%d in the metadata", topic, partition))
	return wire.MetadataResponsePartition{}
}

// watermark waits until a broker lets consumers read a partition up to an
// offset.
func (s *side) watermark(topic string, partition int32, broker int, offset int64) {
	s.to(broker)
	s.eventually(func() error {
		r := s.quiet(s.fetch(12, topic, partition, offset), 12).(*wire.FetchResponse)
		p := r.Responses[0].Partitions[0]
		if p.ErrorCode != wire.CodeNone || p.HighWatermark != offset {
			return fmt.Errorf("%s-%d at broker %d: high watermark %d, want %d, %v", topic, partition, broker, p.HighWatermark, offset, p.ErrorCode)
		}
		return nil
	})
}
