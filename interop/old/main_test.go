//go:build interop

package old

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// patience is how long a step may take on a busy machine.
const patience = 3 * time.Minute

// shared is the cluster that all tests work on, each with topics and groups of
// its own: three of gregor, or of Apache's where those are to prove the tests.
var shared = peer.Once(func(s peer.Scope) *peer.Cluster {
	kinds := []peer.Kind{peer.KindGregor, peer.KindGregor, peer.KindGregor}
	return peer.StartCluster(s, peer.ClusterOptions{Brokers: kinds, Keeper: peer.KindGregor})
})

// stage is the cluster with what a test looks at it by.
type stage struct {
	*peer.Cluster
	t     *testing.T
	ctx   context.Context
	kafka *kgo.Client
	admin *kadm.Client
	zk    *session.Session
}

func newStage(t *testing.T) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	s := &stage{Cluster: shared(t), t: t, ctx: ctx}
	var err error
	if s.kafka, err = kgo.NewClient(kgo.SeedBrokers(s.Seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	s.admin = kadm.NewClient(s.kafka)
	servers, chroot, err := znode.ParseConnect(s.Ensemble.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.zk, err = session.Dial(ctx, session.Config{Servers: servers, Chroot: chroot, Timeout: 30 * time.Second}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.zk.Close(context.Background()) })
	return s
}

// create makes a topic on all brokers.
func (s *stage) create(topic string, partitions int32) {
	s.t.Helper()
	if _, err := s.admin.CreateTopic(s.ctx, partitions, 3, nil, topic); err != nil {
		s.t.Fatal(err)
	}
}
