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
	case errors.As(err, &refused), errors.As(err, &protocol):
		return err.Error()
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
	o.t, o.told = t, make(chan struct{}, 1)
	if cfg.Listen == "" {
		cfg.Listen = address(o.hello.Member)
	}
	p, err := New(cfg, e, o, slog.New(slog.DiscardHandler))
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
