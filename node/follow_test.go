package node

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// broker starts one of several brokers on a machine.
func (m *machine) broker(id int, connect string) *Node {
	m.t.Helper()
	return m.start(connect, fmt.Sprint("broker.id=", id), fmt.Sprint("listeners=PLAINTEXT://127.0.0.1:", 9092+id), fmt.Sprint("log.dirs=/logs", id))
}

// partition is what a broker's metadata say of t-0.
func partition(n *Node) metadata.Partition {
	if t := n.cache.Image().Topic("t"); t != nil {
		if p, ok := t.Partition(0); ok {
			return *p
		}
	}
	return metadata.Partition{Leader: metadata.NoLeader}
}

// TestBrokersReplicate runs three whole brokers: each acknowledged record is on
// all of them, byte for byte, over a clean stop and the way back.
func TestBrokersReplicate(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		connect, stop := m.ensemble()
		defer stop()
		var nodes [3]*Node
		for i := range nodes {
			nodes[i] = m.broker(i, connect)
			defer func() { m.leave(nodes[i]) }()
		}
		m.eventually("all know each other", func() bool {
			return !slices.ContainsFunc(nodes[:], func(n *Node) bool { return len(n.cache.Image().Brokers) != len(nodes) })
		})
		req := wire.NewCreateTopicsRequest()
		topic := wire.NewCreateTopicsRequestCreatableTopic()
		topic.Name, topic.NumPartitions, topic.ReplicationFactor = "t", 1, 3
		req.Topics, req.TimeoutMs = append(req.Topics, topic), 10_000
		resp := ask[*wire.CreateTopicsResponse](m, nodes[nodes[0].cache.Image().ControllerID], req, 7)
		if code := resp.Topics[0].ErrorCode; code != wire.CodeNone {
			t.Fatal(code)
		}
		inSync := func(n int) func() bool {
			return func() bool {
				for _, node := range nodes {
					if p := partition(node); p.Leader < 0 || len(p.ISR) != n {
						return false
					}
				}
				return true
			}
		}
		same := func() bool {
			var first []byte
			for i := range nodes {
				raw, err := m.fs.ReadFile(fmt.Sprintf("/logs%d/t-0/00000000000000000000.log", i))
				if err != nil || len(raw) == 0 || i > 0 && !bytes.Equal(raw, first) {
					return false
				}
				first = raw
			}
			return true
		}
		m.eventually("all are in sync", inSync(3))
		for i := range 10 {
			m.wantProduced(nodes[partition(nodes[0]).Leader], "t", int64(i))
		}
		if !same() {
			t.Error("acknowledged by all, and not on all")
		}
		for _, n := range nodes {
			n.replicas.SetFetchers(3)
		}
		m.wantProduced(nodes[partition(nodes[0]).Leader], "t", 10)

		gone := partition(nodes[0]).Leader
		m.leave(nodes[gone])
		rest := nodes[(gone+1)%3]
		m.eventually("another one leads", func() bool {
			p := partition(rest)
			return p.Leader >= 0 && p.Leader != gone && partition(nodes[p.Leader]).Leader == p.Leader
		})
		m.wantProduced(nodes[partition(rest).Leader], "t", 11)
		nodes[gone] = m.broker(int(gone), connect)
		m.eventually("it is in sync again", inSync(3))
		m.wantProduced(nodes[partition(rest).Leader], "t", 12)
		if !same() {
			t.Error("the broker that was away has other bytes")
		}
	})
}

// leave stops one of several brokers.
func (m *machine) leave(n *Node) {
	m.t.Helper()
	if err := n.Stop(m.t.Context()); err != nil {
		m.t.Errorf("stop: %v", err)
	}
}
