package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// machine is where a node runs in a test: disk, network and clock of its own.
// In a synctest bubble the clock is virtual, and a goroutine that is left
// behind fails the test.
type machine struct {
	t   *testing.T
	env env.Env
	fs  *memfs.FS
	net *memnet.Net
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, env: env.Real(), net: memnet.New()}
	m.fs = memfs.New(0, m.env.Clock.Now)
	m.env.FS, m.env.Net = m.fs, m.net
	return m
}

// onMachine runs a story on a machine in virtual time.
func onMachine(t *testing.T, story func(t *testing.T, m *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(t, newMachine(t)) })
}

// properties of a small broker with its own keeper; those given win.
func properties(t testing.TB, more ...string) *config.Broker {
	t.Helper()
	all := []string{
		"broker.id=0", "listeners=PLAINTEXT://127.0.0.1:9092", "log.dirs=/logs", "gregor.keeper.data.dir=/keeper",
		"gregor.keeper.client.port=2181", "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=2",
		"group.initial.rebalance.delay.ms=0",
	}
	// An empty file, not none: defaults are Kafka's.
	cfg, _, err := config.Load(config.Source{File: []byte{}, Overrides: append(all, more...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (m *machine) start(more ...string) *Node {
	m.t.Helper()
	n, err := Start(m.t.Context(), Options{Config: properties(m.t, more...), Env: m.env, Levels: NewLevels(io.Discard, slog.LevelInfo)})
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *machine) stop(n *Node) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		m.t.Errorf("stop: %v", err)
	}
	if left := m.net.Conns(); left != 0 {
		m.t.Errorf("%d ends of connections left after the stop", left)
	}
}

// refused starts a node that must not start; the error must contain a text.
// Nothing may be left open.
func (m *machine) refused(text string, more ...string) {
	m.t.Helper()
	n, err := Start(m.t.Context(), Options{Config: properties(m.t, more...), Env: m.env})
	if err == nil {
		m.stop(n)
		m.t.Fatalf("started, want an error with %q", text)
	}
	if !strings.Contains(err.Error(), text) {
		m.t.Errorf("%v\nwant an error with %q", err, text)
	}
	synctest.Wait()
	if left := m.net.Conns(); left != 0 {
		m.t.Errorf("%d ends of connections left after the failure", left)
	}
}

// ask sends one request to the node and returns its answer.
func ask[R wire.Body](m *machine, n *Node, req wire.Body, version int16) R {
	m.t.Helper()
	c := rpc.New(m.t.Context(), rpc.Config{Address: n.Listeners()[0].Addr.String(), ClientID: "test"}, m.env)
	defer c.Close()
	answer, err := c.Ask(m.t.Context(), req, version)
	if err != nil {
		m.t.Fatalf("%T: %v", req, err)
	}
	resp, ok := answer.(R)
	if !ok {
		m.t.Fatalf("answer is a %T", answer)
	}
	return resp
}

func (m *machine) createTopic(n *Node, name string, partitions int32) {
	m.t.Helper()
	req := wire.NewCreateTopicsRequest()
	t := wire.NewCreateTopicsRequestCreatableTopic()
	t.Name, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	req.Topics = append(req.Topics, t)
	req.TimeoutMs = 10_000
	resp := ask[*wire.CreateTopicsResponse](m, n, req, 7)
	if code := resp.Topics[0].ErrorCode; code != wire.CodeNone {
		m.t.Fatalf("create %s: %v", name, code)
	}
}

// produce writes one record with acks=all and returns its offset.
func (m *machine) produce(n *Node, topic string, value string) (int64, wire.Code) {
	m.t.Helper()
	var b record.Builder
	b.Reset(record.Spec{})
	b.Append(m.env.Clock.Now().UnixMilli(), nil, []byte(value))
	raw, err := b.Build()
	if err != nil {
		m.t.Fatal(err)
	}
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = -1, 10_000
	p := wire.NewProduceRequestPartitionData()
	p.Records.Bytes = raw
	t := wire.NewProduceRequestTopicData()
	t.Name = topic
	t.PartitionData = append(t.PartitionData, p)
	req.TopicData = append(req.TopicData, t)
	resp := ask[*wire.ProduceResponse](m, n, req, 9)
	out := resp.Responses[0].PartitionResponses[0]
	return out.BaseOffset, out.ErrorCode
}

func (m *machine) wantProduced(n *Node, topic string, offset int64) {
	m.t.Helper()
	if got, code := m.produce(n, topic, fmt.Sprint(offset)); got != offset || code != wire.CodeNone {
		m.t.Errorf("produced at %d, %v; want offset %d", got, code, offset)
	}
}

// eventually waits in virtual time until something holds.
func (m *machine) eventually(what string, holds func() bool) {
	m.t.Helper()
	for range 6000 {
		synctest.Wait()
		if holds() {
			return
		}
		<-m.env.Clock.NewTimer(10 * time.Millisecond).C()
	}
	m.t.Fatalf("never: %s", what)
}
