//go:build interop

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/znode"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// long tells whether the long forms run, too.
var long = os.Getenv("GREGOR_INTEROP_LONG") != ""

// patience is how long a cluster on a busy machine may take to get somewhere,
// the timeout of a session included.
const patience = 60 * time.Second

// cluster is a running cluster with the clients of a test.
type cluster struct {
	*peer.Cluster
	scope peer.Scope // in which brokers are started again
	zk    *zk.Conn
	cl    *kgo.Client
}

// clients opens what a test looks at a cluster with.
func clients(t *testing.T, c *peer.Cluster) *cluster {
	t.Helper()
	conn, _, err := zk.Connect([]string{c.Ensemble.Addr}, 10*time.Second, zk.WithLogger(log.New(io.Discard, "", 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return &cluster{Cluster: c, scope: t, zk: conn, cl: client(t, c)}
}

// client returns a client that finds its way when brokers come and go.
func client(t *testing.T, c *peer.Cluster, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.Seeds()...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(2 * time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }), kgo.DialTimeout(5 * time.Second),
		kgo.RequestTimeoutOverhead(5 * time.Second), kgo.FetchMaxWait(200 * time.Millisecond),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// ask sends a request to whom it is for: the controller, or any broker.
func (c *cluster) ask(req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.cl.Request(ctx, req)
}

// askOf sends a request to one broker.
func (c *cluster) askOf(b *peer.Broker, req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.cl.Broker(int(b.ID)).RetriableRequest(ctx, req)
}

// controller returns the broker that the controller's znode names.
func (c *cluster) controller(t *testing.T) *peer.Broker {
	t.Helper()
	var id int32
	peer.Eventually(t, patience, func() error {
		data, _, err := c.zk.Get(znode.ControllerPath)
		if err != nil {
			return err
		}
		n, err := znode.DecodeController(znode.ControllerPath, data)
		id = n.BrokerID
		return err
	})
	return c.Brokers[id]
}

// createTopic makes a topic whose partitions have these replicas, and waits
// until all brokers know their leaders.
func (c *cluster) createTopic(t *testing.T, topic string, assignment [][]int32, configs ...string) {
	t.Helper()
	ct := kmsg.NewCreateTopicsRequestTopic()
	ct.Topic, ct.NumPartitions, ct.ReplicationFactor = topic, -1, -1
	for p, replicas := range assignment {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(p), replicas
		ct.ReplicaAssignment = append(ct.ReplicaAssignment, a)
	}
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		cc := kmsg.NewCreateTopicsRequestTopicConfig()
		cc.Name, cc.Value = k, &v
		ct.Configs = append(ct.Configs, cc)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 15_000
	req.Topics = append(req.Topics, ct)
	peer.Eventually(t, patience, func() error {
		resp, err := c.ask(req)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
		return nil
	})
	c.knownTo(t, topic, assignment, c.Brokers...)
	c.inSync(t, topic)
}

// knownTo waits until the metadata of brokers show a topic with these replicas
// and a leader for each partition.
func (c *cluster) knownTo(t *testing.T, topic string, assignment [][]int32, brokers ...*peer.Broker) {
	t.Helper()
	for _, b := range brokers {
		peer.Eventually(t, patience, func() error {
			m, err := c.metadata(b, topic)
			if err != nil {
				return err
			}
			if len(m.Partitions) != len(assignment) {
				return fmt.Errorf("broker %d knows %d partitions of %s, not %d", b.ID, len(m.Partitions), topic, len(assignment))
			}
			for _, p := range m.Partitions {
				if p.Leader < 0 || !slices.Equal(p.Replicas, assignment[p.Partition]) {
					return fmt.Errorf("broker %d: %s-%d has leader %d, replicas %v", b.ID, topic, p.Partition, p.Leader, p.Replicas)
				}
			}
			return nil
		})
	}
}

// metadata is what a broker says of a topic, its partitions in order.
func (c *cluster) metadata(b *peer.Broker, topic string) (*kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	resp, err := c.askOf(b, req)
	if err != nil {
		return nil, err
	}
	m := &resp.(*kmsg.MetadataResponse).Topics[0]
	slices.SortFunc(m.Partitions, func(x, y kmsg.MetadataResponseTopicPartition) int { return int(x.Partition - y.Partition) })
	return m, kerr.ErrorForCode(m.ErrorCode)
}

// rotated assigns every partition to all of the brokers, each leading in turn.
func rotated(partitions int, brokers ...int32) [][]int32 {
	out := make([][]int32, partitions)
	for p := range out {
		for i := range brokers {
			out[p] = append(out[p], brokers[(p+i)%len(brokers)])
		}
	}
	return out
}

type (
	commitRequest  = kmsg.OffsetCommitRequest
	commitResponse = kmsg.OffsetCommitResponse
)

// committed asks the coordinator of a group for its offsets in a topic.
func (c *cluster) committed(group, topic string) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got, err := kadm.NewClient(c.cl).FetchOffsets(ctx, group)
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	for p, o := range got[topic] {
		if o.Err != nil {
			return nil, o.Err
		}
		out[p] = o.At
	}
	return out, nil
}
