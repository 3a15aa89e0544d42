//go:build interop

package old

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
var shared = peer.Once(func(s peer.Scope) *lasting {
	kinds := []peer.Kind{peer.KindGregor, peer.KindGregor, peer.KindGregor}
	return &lasting{peer.StartCluster(s, peer.ClusterOptions{Brokers: kinds, Keeper: peer.KindGregor}), s}
})

// lasting is a cluster and the scope in which its brokers are started again.
type lasting struct {
	*peer.Cluster
	scope peer.Scope
}

// stage is the cluster with what a test looks at it by.
type stage struct {
	*lasting
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
	s := &stage{lasting: shared(t), t: t, ctx: ctx}
	s.kafka = s.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
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

// client returns a client that writes what it is given until it is flushed as one
// batch for each partition.
func (s *stage) client(more ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.Seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(),
	}, more...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

// create makes a topic on all brokers, and waits until all know it.
func (s *stage) create(topic string, partitions int32, configs ...string) {
	s.t.Helper()
	c := map[string]*string{}
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		c[k] = &v
	}
	if _, err := s.admin.CreateTopic(s.ctx, partitions, 3, c, topic); err != nil {
		s.t.Fatal(err)
	}
	s.known(topic, partitions)
}

// known waits until all brokers know a topic with a leader for each of so many
// partitions.
func (s *stage) known(topic string, partitions int32) {
	s.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	for _, b := range s.Brokers {
		peer.Eventually(s.t, patience, func() error {
			resp, err := req.RequestWith(s.ctx, s.kafka.Broker(int(b.ID)))
			if err != nil {
				return err
			}
			led := slices.DeleteFunc(resp.Topics[0].Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode != 0 })
			if len(led) != int(partitions) {
				return fmt.Errorf("broker %d knows %d partitions of %s, want %d", b.ID, len(led), topic, partitions)
			}
			return nil
		})
	}
}

// write puts values into a partition as one batch.
func (s *stage) write(cl *kgo.Client, topic string, partition int32, values ...string) {
	s.t.Helper()
	if err := s.tryWrite(cl, topic, partition, values...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) tryWrite(cl *kgo.Client, topic string, partition int32, values ...string) error {
	failed := make(chan error, len(values))
	for _, v := range values {
		r := &kgo.Record{Topic: topic, Partition: partition, Key: []byte("key of " + v), Value: []byte(v)}
		cl.Produce(s.ctx, r, func(_ *kgo.Record, err error) { failed <- err })
	}
	err := cl.Flush(s.ctx)
	for range values {
		err = errors.Join(err, <-failed)
	}
	return err
}

// run runs a main class of an old release, which must not fail, and returns the
// lines that it printed, and what it logged.
func (s *stage) run(library, class string, args ...string) (printed []string, logged string) {
	s.t.Helper()
	out, errs, exit := peer.RunClass(s.t, library, class, args...)
	if exit != 0 || strings.Contains(out, "Exception") {
		s.t.Fatalf("%s of %s %s: exit %d\n%s\n%s", class, library, strings.Join(args, " "), exit, out, errs)
	}
	return lines(out), errs
}

// lines are the lines of a text, their words apart by one space, without blank
// ones.
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 {
			out = append(out, strings.Join(words, " "))
		}
	}
	return out
}

// equal compares lines.
func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// file writes a file for a tool to read.
func file(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
