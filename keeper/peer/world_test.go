package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// owner is a Handler that writes down what it is told, a line each.
type owner struct {
	t      testing.TB
	hello  Hello
	accept func(h Hello, dialed bool) error // nil: yes
	block  func(payload []byte)             // in Receive
	file   func(ctx context.Context, header []byte, size int64, r io.Reader) error
	told   chan struct{} // a hint that there is another line
	logs   bool          // write down the reasons in the log too

	mu    sync.Mutex
	lines []string
}

func (o *owner) write(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
	select {
	case o.told <- struct{}{}:
	default:
	}
}

// Write takes a line of the log.
func (o *owner) Write(b []byte) (int, error) {
	if _, reason, ok := strings.Cut(string(b), "reason="); ok && o.logs {
		o.write("log: %s", strings.TrimSpace(reason))
	}
	return len(b), nil
}

// seen returns all lines, and forgets them.
func (o *owner) seen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

// await waits until a line of the owner begins with each of the given texts, in
// any order, and returns all lines so far, which are forgotten.
func (o *owner) await(begins ...string) []string {
	o.t.Helper()
	var lines []string
	over := time.After(time.Minute)
	for {
		lines = append(lines, o.seen()...)
		missing := slices.IndexFunc(begins, func(b string) bool {
			return !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, b) })
		})
		if missing < 0 {
			return lines
		}
		select {
		case <-o.told:
		case <-over:
			o.t.Fatalf("member %d waits for %q; it has seen %q", o.hello.Member, begins[missing], lines)
		}
	}
}

// kindOf names an error for lines.
func kindOf(err error) string {
	var refused *RefusedError
	var protocol *ProtocolError
	switch {
	case Gone(err):
		return "gone"
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &protocol):
		return protocol.Error()
	}
	for _, known := range []error{ErrSilent, ErrReplaced, ErrRestarted, ErrOverflow, ErrMoved, ErrRemoved, ErrStopped} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

func (o *owner) Greet(uint64) Hello { return o.hello }

func (o *owner) Accept(h Hello, dialed bool) error {
	if o.accept != nil {
		return o.accept(h, dialed)
	}
	return nil
}

func (o *owner) Up(member uint64, h Hello) { o.write("up %d boot %d %s", member, h.Boot, h.Greeting) }

func (o *owner) Down(member uint64, err error) { o.write("down %d: %s", member, kindOf(err)) }

func (o *owner) Lost(member uint64, h Hello, err error) {
	o.write("lost %d boot %d: %s", member, h.Boot, kindOf(err))
}

func (o *owner) Receive(member uint64, h Hello, kind byte, payload []byte) {
	if o.block != nil {
		o.block(payload)
	}
	if len(payload) > 40 {
		o.write("from %d boot %d: %c of %d bytes", member, h.Boot, kind, len(payload))
		return
	}
	o.write("from %d boot %d: %c %s", member, h.Boot, kind, payload)
}

func (o *owner) File(ctx context.Context, member uint64, _ Hello, header []byte, size int64, r io.Reader) error {
	o.write("file of %d: %s, %d bytes", member, header, size)
	err := o.file(ctx, header, size, r)
	if err != nil {
		o.write("file over: %s", kindOf(err))
	}
	return err
}

// node is a member under test.
type node struct {
	*Peers
	o *owner
}

func memory(n *memnet.Net) env.Env {
	e := env.Real()
	e.Net = n
	return e
}

func address(number uint64) string { return fmt.Sprintf("127.0.0.1:%d", 3000+number) }

// begin starts a member; with no Listen it listens at its own address.
func begin(t testing.TB, e env.Env, cfg Config, o *owner) *node {
	t.Helper()
	return beginAs(t, e, cfg, o, o)
}

// beginAs starts a member whose Handler does something else than its owner.
func beginAs(t testing.TB, e env.Env, cfg Config, o *owner, h Handler) *node {
	t.Helper()
	o.t, o.told = t, make(chan struct{}, 1)
	if cfg.Listen == "" {
		cfg.Listen = address(o.hello.Member)
	}
	p, err := New(cfg, e, h, slog.New(slog.NewTextHandler(o, nil)))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Peers: p, o: o}
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	if err := n.Stop(context.Background()); err != nil {
		n.o.t.Error(err)
	}
}

// member makes an owner.
func person(number, boot uint64) *owner {
	return &owner{hello: Hello{Version: 1, Ensemble: 7, Member: number, Boot: boot, Greeting: fmt.Appendf(nil, "I am %d", number)}}
}

// pair starts members 1 and 2, which are up both ways when it returns; nothing
// that they saw of that is left.
func pair(t testing.TB, e env.Env, cfg Config) (a, b *node) {
	t.Helper()
	a, b = begin(t, e, cfg, person(1, 10)), begin(t, e, cfg, person(2, 20))
	a.SetMembers(map[uint64]string{2: b.Addr().String()})
	b.SetMembers(map[uint64]string{1: a.Addr().String()})
	a.o.await("up 2")
	b.o.await("up 1")
	for _, sent := range []bool{a.Send(2, 'm', nil), b.Send(1, 'm', nil)} {
		if !sent {
			t.Fatal("up and not up")
		}
	}
	a.o.await("from 2") // it knows that the other has accepted it
	b.o.await("from 1")
	return a, b
}

// each runs a test over a memory network with virtual time, and over loopback.
func each(t *testing.T, f func(t *testing.T, e env.Env, cfg Config)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := memnet.New()
			t.Cleanup(func() { synctest.Wait(); none(t, n) })
			f(t, memory(n), Config{})
		})
	})
	t.Run("delayed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := memnet.NewDelayed(env.Real().Clock, func(_, _ net.Addr) time.Duration { return time.Millisecond })
			t.Cleanup(func() { synctest.Wait(); none(t, n) })
			f(t, memory(n), Config{})
		})
	})
	t.Run("loopback", func(t *testing.T) { f(t, env.Real(), Config{Listen: "127.0.0.1:0"}) })
}

// none checks that no connection is left.
func none(t *testing.T, n *memnet.Net) {
	if n.Conns() != 0 {
		t.Errorf("%d ends of connections are left", n.Conns())
	}
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("seen:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// raw is one end of a connection whose bytes the test makes.
type raw struct {
	net.Conn
	t testing.TB
}

// knock dials a member and says a hello.
func knock(t testing.TB, e env.Env, to *node, kind wordKind, h Hello) raw {
	t.Helper()
	nc, err := e.Net.Dial(t.Context(), "tcp", to.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	r := raw{nc, t}
	r.put(appendWord(nil, kind, appendHello(nil, h)))
	return r
}

// enter knocks, is let in, and is ready to send messages.
func enter(t testing.TB, e env.Env, to *node, h Hello) raw {
	t.Helper()
	r := knock(t, e, to, wordHello, h)
	r.word(wordAnswer)
	r.put(appendWord(nil, wordReady, nil))
	return r
}

func (r raw) put(b []byte) {
	r.t.Helper()
	if _, err := r.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// word reads a word of a kind.
func (r raw) word(kind wordKind) word {
	r.t.Helper()
	w, err := readWord(r)
	if err != nil || w.kind != kind {
		r.t.Fatalf("a word of kind %d %q, %v; want kind %d", w.kind, w.body, err, kind)
	}
	return w
}

// ended waits until the other side has closed the connection.
func (r raw) ended() {
	r.t.Helper()
	if n, err := io.Copy(io.Discard, r); n > 0 || err != nil && !Gone(err) {
		r.t.Fatalf("%d bytes, then %v", n, err)
	}
}

// hall is a listener whose connections the test answers.
type hall struct {
	net.Listener
	t testing.TB
}

func open(t testing.TB, e env.Env) hall {
	t.Helper()
	l, err := e.Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return hall{l, t}
}

// next takes the next connection and its hello.
func (h hall) next(kind wordKind) (raw, Hello) {
	h.t.Helper()
	nc, err := h.Accept()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = nc.Close() })
	r := raw{nc, h.t}
	hello, err := decodeHello(r.word(kind).body)
	if err != nil {
		h.t.Fatal(err)
	}
	return r, hello
}

// admit takes the next connection and lets it in.
func (h hall) admit(kind wordKind, mine Hello) raw {
	h.t.Helper()
	r, hello := h.next(kind)
	mine.To = hello.Member
	r.put(appendWord(nil, wordAnswer, appendHello(nil, mine)))
	if kind == wordHello {
		r.word(wordReady)
	}
	return r
}

// frame is the bytes of a message.
func frame(kind byte, payload string) []byte {
	return appendFrame(nil, kind, []byte(payload), frameCRC(kind, []byte(payload)))
}
