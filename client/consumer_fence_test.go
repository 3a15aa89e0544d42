package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// bubble is a ZooKeeper and a broker in virtual time. The broker leads the one
// partition of topic t, and has a record more for whoever asks, ten a second.
type bubble struct {
	t      *testing.T
	keeper *keeper.Keeper
	net    *memnet.Net
	env    env.Env
	zk     *session.Session
	wg     sync.WaitGroup
}

const brokerAddr = "127.0.0.1:9092"

func inBubble(t *testing.T, story func(*testing.T, *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, net: memnet.New(), env: env.Real()}
		b.env.FS = memfs.New(1<<30, time.Now)
		var err error
		if b.keeper, err = keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper", TickTime: 250 * time.Millisecond}, b.env, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.keeper.Stop(context.Background()) })
		if b.zk, err = session.Dial(t.Context(), session.Config{Dialer: b.keeper.Pipe}, b.env); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.zk.Close(context.Background()) })
		l, err := b.net.Listen(t.Context(), "tcp", brokerAddr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close(); b.wg.Wait() })
		b.wg.Go(func() { b.accept(l) })
		b.put(znode.BrokerPath(1), znode.Broker{Version: 5, Endpoints: []znode.Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "127.0.0.1", Port: 9092}}}.Encode())
		b.put(znode.TopicPath("t"), znode.Topic{Partitions: map[int32]znode.Replicas{0: {Replicas: []int32{1}}}}.Encode())
		b.put(znode.StatePath("t", 0), znode.PartitionState{Leader: 1, ISR: []int32{1}}.Encode())
		story(t, b)
	})
}

func (b *bubble) put(path string, data []byte) {
	b.t.Helper()
	_, _, err := b.zk.CreateRecursive(b.t.Context(), path, data, func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bubble) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		b.wg.Go(func() { b.serve(conn) })
	}
}

// serve answers ApiVersions, ListOffsets and Fetch.
func (b *bubble) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
		req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
		body := frame[10+binary.BigEndian.Uint16(frame[8:]):]
		if req.IsFlexible() {
			body = body[1:] // no tags
		}
		if err := req.ReadFrom(body); err != nil {
			b.t.Error(err)
			return
		}
		out := append([]byte(nil), frame[4:8]...)
		resp := b.answer(req)
		resp.SetVersion(req.GetVersion())
		if resp.IsFlexible() && resp.Key() != 18 {
			out = append(out, 0)
		}
		out = resp.AppendTo(out)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out))), out...)); err != nil {
			return
		}
	}
}

func (b *bubble) answer(req kmsg.Request) kmsg.Response {
	resp := req.ResponseKind()
	switch r := resp.(type) {
	case *kmsg.ApiVersionsResponse:
		for key, max := range map[int16]int16{1: 12, 2: 7, 18: 3} {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = key, max
			r.ApiKeys = append(r.ApiKeys, k)
		}
	case *kmsg.ListOffsetsResponse:
		t, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
		t.Topic, p.Offset = "t", 0
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	case *kmsg.FetchResponse:
		time.Sleep(100 * time.Millisecond)
		var bl record.Builder
		bl.Reset(record.Spec{BaseOffset: req.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset})
		bl.Append(time.Now().UnixMilli(), nil, []byte("v"))
		batch, err := bl.Build()
		if err != nil {
			b.t.Error(err)
		}
		t, p := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		t.Topic, p.RecordBatches = "t", bytes.Clone(batch)
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}
	return resp
}

// wire is a way to the keeper that can be cut: what is sent meanwhile arrives when
// it is mended, as with TCP, and neither end is told.
type wire struct {
	b  *bubble
	mu sync.Mutex
	// mended is closed when there is no cut.
	mended chan struct{}
	conns  []*wired
}

func newWire(b *bubble) *wire {
	w := &wire{b: b, mended: make(chan struct{})}
	close(w.mended)
	return w
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mended = make(chan struct{})
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.mended)
	for _, c := range w.conns {
		_, _ = c.Conn.Write(c.held) // a connection that was given up is closed
		c.held = nil
	}
}

// whole returns the channel that is closed when the wire is.
func (w *wire) whole() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mended
}

func (w *wire) dial(ctx context.Context) (net.Conn, error) {
	select {
	case <-w.whole():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	conn, err := w.b.keeper.Pipe(ctx)
	if err != nil {
		return nil, err
	}
	c := &wired{Conn: conn, w: w, closed: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	return c, nil
}

type wired struct {
	net.Conn
	w *wire
	// held is what was written during a cut; w.mu guards it.
	held   []byte
	closed chan struct{}
	once   sync.Once
}

func (c *wired) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.w.whole():
	case <-c.closed:
	}
	return n, err
}

func (c *wired) Write(p []byte) (int, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	select {
	case <-c.w.mended:
		return c.Conn.Write(p)
	default:
		c.held = append(c.held, p...)
		return len(p), nil
	}
}

func (c *wired) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// watcher polls a consumer and keeps what it sees.
type watcher struct {
	*GroupConsumer
	wire *wire
	mu   struct {
		sync.Mutex
		first, last time.Time
		offset      int64
		lost        int
	}
}

func (b *bubble) join(id string) *watcher {
	b.t.Helper()
	w := &watcher{wire: newWire(b)}
	zookeeper := func(ctx context.Context, connect string) (*coord.Conn, error) {
		return coord.Dial(ctx, connect, coord.Config{Timeout: 6 * time.Second, Dialer: w.wire.dial}, b.env)
	}
	c, err := NewGroupConsumer(b.t.Context(), "keeper", "g", Topics("t"), ConsumerID(id), StartAt(Earliest), AutoCommit(time.Second), Dialer(b.net.Dial),
		OnLost(func(context.Context, map[string][]int32) { w.mu.Lock(); w.mu.lost++; w.mu.Unlock() }),
		consumerOption(func(o *consumerOptions) { o.dialZooKeeper, o.env = zookeeper, b.env }))
	if err != nil {
		b.t.Fatal(err)
	}
	w.GroupConsumer = c
	ctx, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			b.t.Error(err)
		}
	})
	go func() {
		for ctx.Err() == nil {
			records, err := c.Poll(ctx)
			w.mu.Lock()
			if len(records) > 0 {
				w.mu.last, w.mu.offset = time.Now(), records[len(records)-1].Offset
				if w.mu.first.IsZero() {
					w.mu.first = w.mu.last
				}
			} else if err != nil && ctx.Err() == nil {
				b.t.Logf("%s: %v", id, err)
			}
			w.mu.Unlock()
			if errors.Is(err, ErrClosed) {
				return
			}
		}
	}()
	return w
}

func (w *watcher) times() (first, last time.Time, offset int64, lost int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.first, w.mu.last, w.mu.offset, w.mu.lost
}

// registered tells whether a member's node is there.
func (b *bubble) registered(id string) bool {
	_, err := b.zk.Exists(b.t.Context(), znode.ConsumerIDPath("g", id), false)
	return err == nil
}

// TestDeliveryStopsBeforeTheSessionCanExpire cuts a member off from ZooKeeper and
// from nothing else. It goes on while it can be sure of its session and not a
// moment longer, so that it has been silent for a while when another takes over.
func TestDeliveryStopsBeforeTheSessionCanExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		a := b.join("a")
		time.Sleep(10 * time.Second)
		other := b.join("z") // gets nothing: one partition
		time.Sleep(10 * time.Second)
		if _, last, offset, _ := a.times(); time.Since(last) > time.Second || offset < 150 {
			t.Fatalf("reads not: last record %d, %v ago", offset, time.Since(last))
		}
		if first, _, _, _ := other.times(); !first.IsZero() {
			t.Fatal("two members read one partition")
		}
		cut := time.Now()
		a.wire.cut()
		for b.registered("a") {
			time.Sleep(10 * time.Millisecond)
		}
		expired := time.Now()
		time.Sleep(20 * time.Second)
		_, last, offset, _ := a.times()
		first, _, _, _ := other.times()
		t.Logf("silent %v after the cut, session expired after %v, taken over after %v", last.Sub(cut), expired.Sub(cut), first.Sub(cut))
		if margin := expired.Sub(last); margin < time.Second {
			t.Errorf("the last record came %v before the session expired", margin)
		}
		if went := last.Sub(cut); went < time.Second {
			t.Errorf("it fell silent %v after the cut: a short silence of ZooKeeper would stop it", went)
		}
		if first.Before(expired) {
			t.Errorf("taken over %v before the session expired", expired.Sub(first))
		}
		if err := a.Commit(t.Context()); err == nil {
			t.Error("it commits what may be another's")
		}
		if len(a.Assignment()) != 1 {
			t.Error("it cannot know yet that its partition is lost")
		}

		// Back again: it learns that its session expired, and begins anew.
		a.wire.mend()
		time.Sleep(20 * time.Second)
		if _, again, now, lost := a.times(); lost != 1 || !again.After(last) || now < offset {
			t.Errorf("back again: lost %d times, last record %d after %d", lost, now, offset)
		}
		if _, last, _, _ := other.times(); time.Since(last) < 10*time.Second {
			t.Error("the other did not give up what is no longer its own")
		}
	})
}

// TestAShortSilenceLosesNothing: the session survives, and so does the membership.
func TestAShortSilenceLosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		a := b.join("a")
		time.Sleep(10 * time.Second)
		_, _, before, _ := a.times()
		a.wire.cut()
		time.Sleep(2500 * time.Millisecond)
		a.wire.mend()
		time.Sleep(10 * time.Second)
		_, last, after, lost := a.times()
		if lost != 0 || time.Since(last) > time.Second || after-before < 90 {
			t.Errorf("lost %d times, %d records since, the last %v ago", lost, after-before, time.Since(last))
		}
	})
}

// TestCloseWithoutZooKeeper: nobody can be told, and nothing waits beyond ctx.
func TestCloseWithoutZooKeeper(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		a := b.join("a")
		time.Sleep(10 * time.Second)
		a.wire.cut()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := a.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 4*time.Second {
			t.Errorf("Close took %v: %v", time.Since(began), err)
		}
		if _, err := a.Poll(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Poll after Close: %v", err)
		}
		a.wire.mend()
	})
}
