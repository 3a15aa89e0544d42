package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/fetch"
	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// hall is a keeper, brokers and a picture of them in virtual time. Topic t has
// three partitions, topic u one.
type hall struct {
	*brokers
	zk   *session.Session
	pict *picture.Picture
	cfg  fetch.Config
	// ready gets a token by Config.Ready.
	ready chan struct{}

	reports struct {
		sync.Mutex
		errs []string
	}
}

func inBubble(t *testing.T, story func(*testing.T, *hall)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		e.FS = memfs.New(1<<30, time.Now)
		k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Stop(context.Background()) })
		h := &hall{brokers: newBrokers(t), ready: make(chan struct{}, 1)}
		t.Cleanup(h.close)
		conn, err := coord.Dial(t.Context(), "keeper", coord.Config{Dialer: k.Pipe}, e)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		if h.zk, err = conn.Session(); err != nil {
			t.Fatal(err)
		}
		if h.pict, err = picture.New(t.Context(), conn, nil, e); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.pict.Close)
		for topic, n := range map[string]int32{"t": 3, "u": 1} {
			a := znode.Topic{Partitions: map[int32]znode.Replicas{}}
			for i := range n {
				a.Partitions[i] = znode.Replicas{Replicas: []int32{1, 2}}
			}
			h.put(znode.TopicPath(topic), a.Encode())
			h.pict.Ask(topic)
			for i := range n {
				h.lead(topic, i, 1, 1)
			}
		}
		h.join(1)
		links := link.NewSet(link.Config{ClientID: "c", Dial: h.dial, Acks: -1})
		t.Cleanup(links.Close)
		h.cfg = fetch.Config{
			Links: links, Picture: h.pict, Addr: func(b *picture.Broker) (string, error) { return b.Addr("PLAINTEXT", "") },
			MaxBytes: 1 << 20, PartitionMaxBytes: 1 << 16, MinBytes: 1, MaxWait: 500 * time.Millisecond, Begin: fetch.Earliest,
			Env: e, Log: slog.New(slog.DiscardHandler), Ready: func() { run.Hint(h.ready) }, Report: h.report,
		}
		synctest.Wait()
		h.questions()
		story(t, h)
	})
}

func (h *hall) report(err error) {
	h.reports.Lock()
	defer h.reports.Unlock()
	h.reports.errs = append(h.reports.errs, err.Error())
}

// reported returns what was reported since the last call.
func (h *hall) reported() []string {
	h.reports.Lock()
	defer h.reports.Unlock()
	out := h.reports.errs
	h.reports.errs = nil
	return out
}

// put creates or replaces a node.
func (h *hall) put(path string, data []byte) {
	h.t.Helper()
	_, err := h.zk.Set(h.t.Context(), path, data, -1)
	if errors.Is(err, zk.ErrNoNode) {
		_, _, err = h.zk.CreateRecursive(h.t.Context(), path, data, func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// join starts a broker and registers it.
func (h *hall) join(id int32) {
	h.t.Helper()
	h.up(id)
	h.put(znode.BrokerPath(id), znode.Broker{Version: 5, Endpoints: []znode.Endpoint{
		{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "127.0.0.1", Port: 9000 + id},
	}}.Encode())
	synctest.Wait()
}

// leave ends a broker's registration.
func (h *hall) leave(id int32) {
	h.t.Helper()
	if err := h.zk.Delete(h.t.Context(), znode.BrokerPath(id), -1); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

// lead makes a leader and tells the brokers.
func (h *hall) lead(topic string, partition, leader, epoch int32) {
	h.t.Helper()
	h.change(name(topic, partition), func(l *log) { l.leader, l.epoch = leader, epoch })
	h.announce(topic, partition, leader, epoch)
}

// announce tells ZooKeeper of a leader.
func (h *hall) announce(topic string, partition, leader, epoch int32) {
	h.t.Helper()
	h.put(znode.StatePath(topic, partition), znode.PartitionState{Leader: leader, LeaderEpoch: epoch, ISR: []int32{1, 2}}.Encode())
	synctest.Wait()
}

// share is a partition to read, as "t-0".
func share(name string, offset int64) fetch.Share {
	topic, number, _ := strings.Cut(name, "-")
	return fetch.Share{TopicPartition: assign.TopicPartition{Topic: topic, Partition: int32(number[0] - '0')}, Offset: offset}
}

// start begins to read, and lets all come that comes without waiting.
func (h *hall) start(shares ...fetch.Share) *fetch.Fetcher {
	h.t.Helper()
	f := fetch.Start(h.t.Context(), h.cfg, shares)
	h.t.Cleanup(func() { f.Halt(); f.Wait() })
	synctest.Wait()
	return f
}

// take takes and shows what is there, as "t-0: 5 6; t-1: 0".
func take(f *fetch.Fetcher, limit int) string {
	var out strings.Builder
	last := ""
	for _, r := range f.Take(limit) {
		if n := name(r.Topic, r.Partition); n != last {
			if last != "" {
				out.WriteString("; ")
			}
			out.WriteString(n + ":")
			last = n
		}
		fmt.Fprintf(&out, " %d", r.Offset)
	}
	synctest.Wait()
	return out.String()
}

// settled shows how far the partitions are done with, as "t-0@5 t-1@0".
func settled(f *fetch.Fetcher) string {
	at := f.Settled()
	by := func(a, b assign.TopicPartition) int {
		return strings.Compare(name(a.Topic, a.Partition), name(b.Topic, b.Partition))
	}
	var out []string
	for _, tp := range slices.SortedFunc(maps.Keys(at), by) {
		out = append(out, fmt.Sprintf("%s@%d", name(tp.Topic, tp.Partition), at[tp]))
	}
	return strings.Join(out, " ")
}

// pass lets time go by and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (h *hall) check(what, got, want string) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// asks checks what was asked since the last look.
func (h *hall) asks(lines ...string) {
	h.t.Helper()
	h.check("asked", h.questions(), strings.Join(lines, "\n"))
}

// records builds a batch of n records.
func (h *hall) records(spec record.Spec, n int) batch {
	h.t.Helper()
	var bl record.Builder
	bl.Reset(spec)
	for i := range n {
		bl.Append(1_700_000_000_000+int64(i), nil, fmt.Appendf(nil, "value %d", spec.BaseOffset+int64(i)))
	}
	data, err := bl.Build()
	if err != nil {
		h.t.Fatal(err)
	}
	return batch{data.BaseOffset(), data.LastOffset(), slices.Clone(data)}
}

// plain builds a batch of the offsets from first to last.
func (h *hall) plain(first, last int64) batch {
	h.t.Helper()
	return h.records(record.Spec{BaseOffset: first}, int(last-first)+1)
}
