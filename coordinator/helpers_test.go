package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// memoryLog is __consumer_offsets in memory.
type memoryLog struct {
	mu struct {
		sync.Mutex
		parts map[int32]*memoryPart
	}
	readErr error
	gate    chan struct{} // when set, reads wait for it to be closed
}

type memoryPart struct {
	epoch   int32 // of the leader that may append
	entries [][]byte
	end     int64
	code    wire.Code // appends fail with it
	hold    bool      // appends succeed when released
	held    []func()
}

func newMemoryLog() *memoryLog {
	l := &memoryLog{}
	l.mu.parts = map[int32]*memoryPart{}
	return l
}

func (l *memoryLog) part(p int32) *memoryPart {
	if l.mu.parts[p] == nil {
		l.mu.parts[p] = &memoryPart{}
	}
	return l.mu.parts[p]
}

// with changes a partition.
func (l *memoryLog) with(p int32, f func(*memoryPart)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.part(p))
}

func (l *memoryLog) Append(p, epoch int32, batch []byte, done func(int64, wire.Code)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := l.part(p)
	code := part.code
	if epoch != part.epoch {
		code = wire.CodeNotLeaderOrFollower
	}
	if code != wire.CodeNone {
		done(-1, code)
		return
	}
	base := part.end
	b := record.Batch(batch)
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(epoch)
	part.entries = append(part.entries, batch)
	part.end = b.LastOffset() + 1
	if part.hold {
		part.held = append(part.held, func() { done(base, wire.CodeNone) })
		return
	}
	done(base, wire.CodeNone)
}

func (l *memoryLog) Read(p int32, offset int64, buf []byte) ([]byte, error) {
	l.mu.Lock()
	gate, err := l.gate, l.readErr
	l.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := buf[:0]
	for _, e := range l.part(p).entries {
		if b, _, err := record.Next(e); err == nil && b.LastOffset() < offset {
			continue
		}
		if len(out) > 0 && len(out)+len(e) > len(buf) {
			break
		}
		out = append(out, e...)
	}
	return out, nil
}

// bench is a coordinator over a memory log, inside a bubble of virtual time.
type bench struct {
	t    *testing.T
	log  *memoryLog
	c    *Coordinator
	stop func()
}

// inBubble runs f with a coordinator at work.
func inBubble(t *testing.T, f func(b *bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, log: newMemoryLog()}
		b.start()
		defer func() { b.stop() }()
		f(b)
	})
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Partitions = 8
	cfg.Group.InitialDelay = 0
	cfg.LoadBuffer = 256 // so that a load takes several reads
	return cfg
}

// start begins another life of the broker over the same log.
func (b *bench) start() { b.startWith(slog.New(slog.DiscardHandler)) }

func (b *bench) startWith(log *slog.Logger) {
	b.c = New(testConfig(), b.log, env.Real().Clock, env.Real().Rand, log)
	g := run.NewGroup(context.Background())
	g.Go("coordinator", b.c.Run)
	b.stop = sync.OnceFunc(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			b.t.Error(err)
		}
	})
}

// lineLog counts the lines of a log.
type lineLog struct{ n atomic.Int32 }

// take returns how many lines came since the last call.
func (l *lineLog) take() int32                               { return l.n.Swap(0) }
func (l *lineLog) Enabled(context.Context, slog.Level) bool  { return true }
func (l *lineLog) Handle(context.Context, slog.Record) error { l.n.Add(1); return nil }
func (l *lineLog) WithAttrs([]slog.Attr) slog.Handler        { return l }
func (l *lineLog) WithGroup(string) slog.Handler             { return l }

// lead makes the coordinator leader of all partitions and waits until they are
// loaded.
func (b *bench) lead(epoch int32) {
	for p := range int32(8) {
		b.log.with(p, func(m *memoryPart) { m.epoch = epoch })
		b.c.OnLeader(p, epoch)
	}
	synctest.Wait()
}

// ask waits for the reply of a call.
func ask[B any](call func(done func(B))) B {
	ch := make(chan B, 2)
	call(func(b B) { ch <- b })
	return <-ch
}

func (b *bench) join(r group.Join) group.JoinReply {
	return ask(func(done func(group.JoinReply)) { b.c.Join(joinOf(r), done) })
}

func joinOf(r group.Join) group.Join {
	r.ClientID, r.ClientHost, r.ProtocolType = "c", "/10.0.0.1", "consumer"
	r.Session, r.Rebalance = 10*time.Second, time.Minute
	r.Protocols = []group.Protocol{{Name: "range", Metadata: []byte("s")}}
	return r
}

func (b *bench) sync(r group.Sync) group.SyncReply {
	return ask(func(done func(group.SyncReply)) { b.c.Sync(r, done) })
}

func (b *bench) heartbeat(r group.Heartbeat) wire.Code {
	return ask(func(done func(group.CodeReply)) { b.c.Heartbeat(r, done) }).Code
}

func offsetOf(name string, offset int64) group.Commit {
	return group.Commit{Group: name, Generation: -1, RetentionMs: -1, Topics: []group.CommitTopic{
		{Topic: "t", Partitions: []group.CommitPartition{{Offset: offset, LeaderEpoch: -1, Timestamp: -1}}},
	}}
}

func (b *bench) commit(r group.Commit) wire.Code {
	return ask(func(done func(group.CommitReply)) { b.c.Commit(r, done) }).Topics[0].Partitions[0].Code
}

// fetch returns the offset of t-0 or the group's code.
func (b *bench) fetch(name string) (int64, wire.Code) {
	r := ask(func(done func([]group.FetchReply)) {
		b.c.Fetch([]group.Fetch{{Group: name, Topics: []group.TopicPartitions{{Topic: "t", Partitions: []int32{0}}}}}, done)
	})[0]
	if r.Code != wire.CodeNone {
		return -1, r.Code
	}
	return r.Topics[0].Partitions[0].Offset, r.Topics[0].Partitions[0].Code
}

func (b *bench) wantFetch(name string, offset int64, code wire.Code) {
	b.t.Helper()
	if got, c := b.fetch(name); got != offset || c != code {
		b.t.Errorf("offset of %s is %d (%s), want %d (%s)", name, got, c.Name(), offset, code.Name())
	}
}

func (b *bench) list() group.ListReply {
	return ask(func(done func(group.ListReply)) { b.c.List(nil, nil, done) })
}

func (b *bench) state(name string) string {
	return ask(func(done func([]group.DescribeReply)) { b.c.Describe([]string{name}, done) })[0].State
}

func wantCode(t *testing.T, what string, got, want wire.Code) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got.Name(), want.Name())
	}
}

var errDisk = errors.New("disk is gone")

// batches returns what a partition holds.
func (l *memoryLog) batches(p int32) []record.Batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []record.Batch
	for _, e := range l.part(p).entries {
		out = append(out, slices.Clone(record.Batch(e)))
	}
	return out
}
