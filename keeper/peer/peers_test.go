package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

func TestMessagesArriveInOrder(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		a, b := begin(t, e, cfg, person(1, 10)), begin(t, e, cfg, person(2, 20))
		if a.Send(2, 'x', nil) {
			t.Error("sent to somebody who is not up")
		}
		a.SetMembers(map[uint64]string{2: b.Addr().String()})
		want(t, a.o.await("up 2"), "up 2 boot 20 I am 2")
		const n = 1000
		for i := range n {
			if !a.Send(2, 'm', fmt.Appendf(nil, "%d", i)) {
				t.Fatalf("message %d not sent", i)
			}
		}
		got := b.o.await(fmt.Sprintf("from 1 boot 10: m %d", n-1))
		for i, line := range got {
			if line != fmt.Sprintf("from 1 boot 10: m %d", i) {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		a.stop()
		want(t, a.o.await("down"), "down 2: stopped")
		want(t, b.o.await("lost"), "lost 1 boot 10: gone")
	})
}

// TestAllSizes sends much, of all sizes, in both directions at once.
func TestAllSizes(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		cfg.MaxFrame = 3 << 20
		one, two := &checker{owner: person(1, 10)}, &checker{owner: person(2, 20)}
		a, b := beginAs(t, e, cfg, one.owner, one), beginAs(t, e, cfg, two.owner, two)
		a.SetMembers(map[uint64]string{2: b.Addr().String()})
		b.SetMembers(map[uint64]string{1: a.Addr().String()})
		one.await("up 2")
		two.await("up 1")
		const n = 3000
		for i := range n {
			for number, p := range map[uint64]*node{2: a, 1: b} {
				payload := sized(i, cfg.MaxFrame)
				if !p.Send(number, byte(i), payload) {
					t.Fatalf("message %d was not sent", i)
				}
				clear(payload) // it is ours
			}
		}
		last := fmt.Sprintf("got %d", n)
		one.await(last)
		two.await(last)
	})
}

// sized is message i, whose sizes are mostly small.
func sized(i, most int) []byte {
	size := i % 200
	switch {
	case i%1000 == 999:
		size = most
	case i%50 == 49:
		size = i * 97 % (200 << 10)
	}
	return bytes.Repeat([]byte{byte(i >> 3)}, size)
}

// checker checks that what it receives is the next message.
type checker struct {
	*owner
	next int // one connection
}

func (c *checker) Receive(_ uint64, _ Hello, kind byte, payload []byte) {
	if kind != byte(c.next) || !bytes.Equal(payload, sized(c.next, 3<<20)) {
		c.t.Errorf("message %d came as %d, %d bytes", c.next, kind, len(payload))
	}
	if c.next++; c.next%1000 == 0 {
		c.write("got %d", c.next)
	}
}

func TestPortIsTaken(t *testing.T) {
	e := memory(memnet.New())
	begin(t, e, Config{}, person(1, 10))
	_, err := New(Config{Listen: address(1)}, e, person(1, 11), slog.New(slog.DiscardHandler))
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{
		{}, {Listen: "x", MaxFrame: -1}, {Listen: "x", MaxFrame: 1 << 31}, {Listen: "x", QueueBytes: -1},
		{Listen: "x", IdleTimeout: -1}, {Listen: "x", HelloTimeout: -1},
	} {
		if _, err := New(c, env.Env{}, person(1, 10), slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// TestStop waits for an owner that blocks, as long as it is allowed to.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(1, 10)
		in, on := make(chan struct{}), make(chan struct{})
		o.block = func([]byte) { in <- struct{}{}; <-on }
		a := begin(t, e, cfg, o)
		enter(t, e, a, second(20)).put(frame('m', "one"))
		<-in
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("long enough"))
		if err := a.Stop(ctx); err == nil || !strings.Contains(err.Error(), "long enough") {
			t.Errorf("stopped: %v", err)
		}
		a.SetMembers(map[uint64]string{2: "127.0.0.1:1"}) // too late
		close(on)
		a.stop()
		want(t, o.seen(), "from 2 boot 20: m one", "lost 2 boot 20: stopped")
		if _, err := e.Net.Dial(t.Context(), "tcp", a.Addr().String()); err == nil {
			t.Error("it still listens")
		}
	})
}

// TestTooManyOpenFiles: what the system refuses for a while is no end.
func TestTooManyOpenFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory(memnet.New())
		e.Net = &short{Net: e.Net}
		a := begin(t, e, Config{}, person(1, 10))
		enter(t, e, a, second(20)).put(frame('m', "one"))
		want(t, a.o.await("from"), "from 2 boot 20: m one")
	})
}

// short is a network whose listeners fail some times before they accept.
type short struct {
	env.Net
	net.Listener
	failed atomic.Int32
}

func (s *short) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := s.Net.Listen(ctx, network, address)
	s.Listener = l
	return s, err
}

func (s *short) Accept() (net.Conn, error) {
	if s.failed.Add(1) < 4 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

// TestGreetingIsBounded: what no member would take is not sent.
func TestGreetingIsBounded(t *testing.T) {
	each(t, func(t *testing.T, e env.Env, cfg Config) {
		o := person(1, 10)
		o.logs, o.hello.Greeting = true, make([]byte, maxGreeting+1)
		a, b := begin(t, e, cfg, o), begin(t, e, cfg, person(2, 20))
		a.SetMembers(map[uint64]string{2: b.Addr().String()})
		want(t, o.await("log"), `log: "a greeting of 65537 bytes, limit 65536"`)
	})
}

func TestGone(t *testing.T) {
	f := func(err error, want bool) {
		t.Helper()
		if Gone(err) != want || Gone(fmt.Errorf("read: %w", err)) != want {
			t.Errorf("Gone(%v) = %v", err, !want)
		}
	}
	f(io.EOF, true)
	f(io.ErrUnexpectedEOF, true)
	f(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true)
	f(&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, true)
	f(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}, false)
	f(ErrSilent, false)
	f(ErrReplaced, false)
	f(&ProtocolError{Reason: "x"}, false)
}
