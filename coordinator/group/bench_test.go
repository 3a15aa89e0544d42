package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// stable returns a machine with one stable group g of n members.
func stable(b *testing.B, n int) (*Machine, []string) {
	cfg := DefaultConfig()
	cfg.InitialDelay = time.Second
	m := New(cfg)
	for i := range n {
		m.Step(storyStart, Join{
			Ticket: Ticket(i + 1), Group: "g", ClientID: "c", UUID: fmt.Sprint(i), Session: 10 * time.Second, Rebalance: time.Minute,
			ProtocolType: consumerProtocol, Protocols: []Protocol{{"range", subscription("t")}},
		})
	}
	var ids []string
	for at := storyStart; len(ids) < n; at = at.Add(time.Second) {
		for _, r := range m.Step(at, Tick{"g"}).Replies {
			ids = append(ids, r.Body.(JoinReply).Member)
		}
	}
	w := m.Step(storyStart, Sync{Ticket: 1, Group: "g", Member: ids[0], Generation: 1}).Writes[0].ID
	m.Step(storyStart, WriteDone{ID: w})
	if m.groups["g"].state != Stable {
		b.Fatal(m.groups["g"].state)
	}
	return m, ids
}

func BenchmarkHeartbeat(b *testing.B) {
	m, ids := stable(b, 100)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		r := m.Step(storyStart, Heartbeat{Ticket: 1, Group: "g", Member: ids[i%len(ids)], Generation: 1}).Replies[0]
		if r.Body.(CodeReply).Code != wire.CodeNone {
			b.Fatal(r)
		}
	}
}

// BenchmarkCommit is one offset, from request to reply.
func BenchmarkCommit(b *testing.B) {
	m, ids := stable(b, 100)
	b.ReportAllocs()
	e := Commit{Ticket: 1, Group: "g", Member: ids[0], Generation: 1, RetentionMs: -1, Topics: []CommitTopic{
		{"t", []CommitPartition{{Offset: 1, LeaderEpoch: -1, Timestamp: -1}}},
	}}
	for b.Loop() {
		w := m.Step(storyStart, e).Writes[0]
		if len(m.Step(storyStart, WriteDone{ID: w.ID, Base: int64(w.ID)}).Replies) != 1 {
			b.Fatal("no reply")
		}
	}
}
