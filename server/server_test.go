package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// scripted answers by client id: what a test wants to happen to a request.
type scripted struct {
	mu   sync.Mutex
	held map[string]*Request
	seen chan string
}

func (h *scripted) Handle(r *Request) {
	id := ""
	if r.Header.ClientID != nil {
		id = *r.Header.ClientID
	}
	switch {
	case strings.HasPrefix(id, "hold"):
		h.mu.Lock()
		h.held[id] = r
		h.mu.Unlock()
	case id == "silent":
		r.NoReply()
	case id == "close":
		r.CloseConn(errors.New("asked for"))
	case id == "span":
		r.Reply(fetched([]byte("hello, span")))
	default:
		r.Reply(&wire.HeartbeatResponse{ErrorCode: 0})
	}
	h.seen <- id
}

func (h *scripted) release(id string) {
	h.mu.Lock()
	r := h.held[id]
	h.mu.Unlock()
	switch r.Header.Key {
	case wire.KeyFetch:
		r.ReplyFunc(func() wire.Body { return fetched([]byte(id)) })
	default:
		r.Reply(wire.NewResponse(r.Header.Key))
	}
}

// memSpan is a span whose bytes are at hand.
type memSpan struct {
	b        []byte
	released *int
	f        env.File // nil: the bytes are nowhere else
}

func (s memSpan) Size() int { return len(s.b) }
func (s memSpan) Release()  { *s.released++ }
func (s memSpan) File() (env.File, int64, int) {
	return s.f, 0, len(s.b)
}
func (s memSpan) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.b).ReadAt(p, off)
}

func fetched(records []byte) wire.Body { return fetchedFrom(records, nil) }

func fetchedFrom(records []byte, f env.File) wire.Body {
	var n int
	data := wire.NewFetchResponsePartitionData()
	data.Records.Hole = memSpan{b: records, released: &n, f: f}
	return &wire.FetchResponse{Responses: []wire.FetchResponseFetchableTopicResponse{
		{Topic: "t", Partitions: []wire.FetchResponsePartitionData{data}}}}
}

type fixture struct {
	*scripted
	srv  *Server
	addr string
	logs *strings.Builder
}

func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	cfg := Config{Listeners: []Listener{{Name: "PLAINTEXT", Protocol: "PLAINTEXT", Address: "127.0.0.1:0"}}, MaxFrame: 1 << 20}
	if change != nil {
		change(&cfg)
	}
	f := &fixture{scripted: &scripted{held: map[string]*Request{}, seen: make(chan string, 1000)}, logs: &strings.Builder{}}
	f.srv = New(cfg, f.scripted, env.Real(), slog.New(slog.NewTextHandler(&lockedWriter{w: f.logs}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	bound, err := f.srv.Bind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.addr = bound[0].Addr.String()
	f.srv.Serve(context.Background())
	t.Cleanup(func() {
		if err := f.srv.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(f.logs)
		}
	})
	return f
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (f *fixture) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", f.addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func frame(k wire.Key, version int16, correlation int32, clientID string) []byte {
	b := wire.AppendRequestHeader(make([]byte, 4), wire.RequestHeader{Key: k, Version: version, CorrelationID: correlation, ClientID: &clientID})
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func send(t *testing.T, c net.Conn, frames ...[]byte) {
	t.Helper()
	if _, err := c.Write(bytes.Join(frames, nil)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.Conn) (correlation int32, body []byte) {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:]
}

func (f *fixture) waitSeen(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-f.seen:
		if got != want {
			t.Fatalf("handler saw %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("handler never saw %q", want)
	}
}

func TestRepliesLeaveInRequestOrder(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	send(t, c, frame(wire.KeyFetch, 4, 1, "hold-1"), frame(wire.KeyProduce, 3, 2, "hold-2"), frame(wire.KeyFetch, 4, 3, "hold-3"))
	f.waitSeen(t, "hold-1")
	f.waitSeen(t, "hold-2") // a produce starts behind a parked fetch
	f.waitSeen(t, "hold-3")
	f.release("hold-3")
	f.release("hold-2")
	f.release("hold-1")
	for want := range int32(3) {
		if got, _ := receive(t, c); got != want+1 {
			t.Fatalf("reply %d came, want %d", got, want+1)
		}
	}
}

func TestOtherRequestsWaitForWhatCameBefore(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	send(t, c, frame(wire.KeyFetch, 4, 1, "hold-1"), frame(wire.KeyHeartbeat, 0, 2, "next"))
	f.waitSeen(t, "hold-1")
	select {
	case got := <-f.seen:
		t.Fatalf("%q started before its predecessor was decided", got)
	default:
	}
	f.release("hold-1")
	f.waitSeen(t, "next")
	for want := range int32(2) {
		if got, _ := receive(t, c); got != want+1 {
			t.Fatalf("reply %d came, want %d", got, want+1)
		}
	}
}

func TestSpansAreReadIntoTheReply(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	send(t, c, frame(wire.KeyHeartbeat, 0, 1, "x"), frame(wire.KeyFetch, 4, 2, "span"), frame(wire.KeyHeartbeat, 0, 3, "x"))
	if got, _ := receive(t, c); got != 1 {
		t.Fatalf("reply %d", got)
	}
	got, body := receive(t, c)
	if got != 2 || !bytes.Contains(body, []byte("hello, span")) {
		t.Fatalf("reply %d %q", got, body)
	}
	var resp wire.FetchResponse
	if err := resp.Decode(body, 4); err != nil {
		t.Fatal(err)
	}
	if got, _ := receive(t, c); got != 3 {
		t.Fatalf("reply %d", got)
	}
}

func TestLargeSpans(t *testing.T) {
	large := make([]byte, 3*maxGather+17)
	for i := range large {
		large[i] = byte(i * 31)
	}
	disk, name := env.Real().FS, t.TempDir()+"/segment"
	file, err := disk.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(large, 0); err != nil {
		t.Fatal(err)
	}
	for what, body := range map[string]func() wire.Body{
		"written in pieces":       func() wire.Body { return fetched(large) },
		"sent from their file":    func() wire.Body { return fetchedFrom(large, file) },
		"small, read into memory": func() wire.Body { return fetchedFrom(large[:zeroCopyFrom-1], file) },
	} {
		t.Run(what, func(t *testing.T) {
			f := start(t, nil)
			c := f.dial(t)
			send(t, c, frame(wire.KeyFetch, 4, 1, "hold-1"), frame(wire.KeyFetch, 4, 2, "hold-2"))
			f.waitSeen(t, "hold-1")
			f.waitSeen(t, "hold-2")
			f.held["hold-2"].ReplyFunc(body)
			f.held["hold-1"].ReplyFunc(body)
			for range 2 {
				_, got := receive(t, c)
				var resp wire.FetchResponse
				if err := resp.Decode(got, 4); err != nil {
					t.Fatal(err)
				}
				records := resp.Responses[0].Partitions[0].Records.Bytes
				if !bytes.Equal(records, large[:len(records)]) || len(records) < zeroCopyFrom-1 {
					t.Fatalf("%d bytes came, other than those sent", len(records))
				}
			}
		})
	}
}

// cutSpan says that it is longer than what its file still holds.
type cutSpan struct{ memSpan }

func (s cutSpan) Size() int                    { return len(s.b) + 1000 }
func (s cutSpan) File() (env.File, int64, int) { return nil, 0, 0 }

func TestSpansThatWereCutCloseTheConnection(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	send(t, c, frame(wire.KeyFetch, 4, 1, "hold"))
	f.waitSeen(t, "hold")
	released := 0
	body := fetched(nil).(*wire.FetchResponse)
	body.Responses[0].Partitions[0].Records.Hole = cutSpan{memSpan{b: []byte("half"), released: &released}}
	f.held["hold"].Reply(body)
	if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
	if err := f.srv.Stop(); err != nil { // its goroutines have ended
		t.Fatal(err)
	}
	if released != 1 {
		t.Errorf("released %d times", released)
	}
}

func TestSilentRequestsLeaveNoGap(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	send(t, c, frame(wire.KeyProduce, 3, 1, "silent"), frame(wire.KeyHeartbeat, 0, 2, "x"))
	if got, _ := receive(t, c); got != 2 {
		t.Fatalf("reply %d, want 2", got)
	}
}

func TestManySmallFramesInAnyCut(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	var all []byte
	const n = 300
	for i := range int32(n) {
		all = append(all, frame(wire.KeyHeartbeat, 0, i, strings.Repeat("y", int(i)*7%1500))...)
	}
	go func() {
		for len(all) > 0 {
			cut := min(len(all), 1+len(all)%977)
			if _, err := c.Write(all[:cut]); err != nil {
				return
			}
			all = all[cut:]
		}
	}()
	for want := range int32(n) {
		if got, _ := receive(t, c); got != want {
			t.Fatalf("reply %d, want %d", got, want)
		}
	}
}

func TestBadFramesCloseTheConnectionWithOneLine(t *testing.T) {
	cases := map[string][]byte{
		"negative length":  {0xff, 0xff, 0xff, 0xff},
		"oversized length": {0x7f, 0xff, 0xff, 0xff},
		"truncated header": {0, 0, 0, 3, 0, 1, 0},
		"empty frame":      {0, 0, 0, 0},
		"http":             []byte("GET / HTTP/1.1\r\n\r\n"),
	}
	for name, garbage := range cases {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil)
			c := f.dial(t)
			send(t, c, garbage)
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Fatal("the connection is still open")
			}
			waitFor(t, func() bool { f.srv.mu.Lock(); defer f.srv.mu.Unlock(); return len(f.srv.mu.conns) == 0 })
			if err := f.srv.Stop(); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(f.logs.String(), "closing connection"); n != 1 {
				t.Errorf("%d log lines, want 1:\n%s", n, f.logs)
			}
		})
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("condition not reached")
		}
		runtime.Gosched()
	}
}

func TestFrameMemoryFollowsWhatArrives(t *testing.T) {
	c := &Conn{srv: &Server{cfg: Config{MaxFrame: 100 << 20}, env: env.Real(), frames: run.NewBudget(1 << 20)}, ctx: t.Context()}
	client, server := net.Pipe()
	c.nc = server
	go func() {
		_, _ = client.Write(bytes.Repeat([]byte{1}, 3000))
		_ = client.Close()
	}()
	var cost int64
	buf, err := c.readFrame(90<<20, &cost)
	if buf != nil || !errors.Is(err, errFrame) {
		t.Fatalf("readFrame = %v, %v", buf, err)
	}
	if cost > growth*3000 {
		t.Errorf("%d bytes of the budget are held for 3000 that arrived", cost)
	}
	if c.lastFrame != 0 {
		t.Error("a frame that did not come whole earns no trust")
	}
}

func TestConnectionLimits(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxConnectionsPerIP = 1 })
	first := f.dial(t)
	send(t, first, frame(wire.KeyHeartbeat, 0, 1, "x"))
	receive(t, first)
	second := f.dial(t)
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Fatal("a second connection of the same address was admitted")
	}
}

func TestClosedConnectionCancelsWhatWaits(t *testing.T) {
	f := start(t, nil)
	c := f.dial(t)
	send(t, c, frame(wire.KeyFetch, 4, 1, "hold-1"))
	f.waitSeen(t, "hold-1")
	cancelled := make(chan struct{})
	f.held["hold-1"].OnClose(func() { close(cancelled) })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-cancelled:
	case <-time.After(10 * time.Second):
		t.Fatal("OnClose was not called")
	}
	f.release("hold-1") // too late, and harmless
}

func TestIdleConnectionsAreCut(t *testing.T) {
	f := start(t, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
	c := f.dial(t)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("Read = %v, want EOF from the idle limit", err)
	}
}
