package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memnet"
	"github.com/gregor-mq/gregor/wire"
)

// inBubble runs a server with an idle limit of a minute over virtual time and a
// network that buffers nothing: a write ends when the last byte is read.
func inBubble(t *testing.T, story func(f *fixture, c net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		e.Net = memnet.New()
		f := &fixture{scripted: &scripted{held: map[string]*Request{}, seen: make(chan string, 1000)}, logs: &strings.Builder{}}
		cfg := Config{Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:9092"}}, MaxFrame: 1 << 20, IdleTimeout: time.Minute}
		f.srv = New(cfg, f.scripted, e, slog.New(slog.NewTextHandler(f.logs, nil)))
		if _, err := f.srv.Bind(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.srv.Serve(context.Background())
		c, err := e.Net.Dial(t.Context(), "tcp", "127.0.0.1:9092")
		if err != nil {
			t.Fatal(err)
		}
		story(f, c)
		if err := errors.Join(c.Close(), f.srv.Stop()); err != nil {
			t.Error(err)
		}
	})
}

// trickle reads n bytes, one every 40 s.
func trickle(t *testing.T, c net.Conn, n int) {
	t.Helper()
	for i := range n {
		time.Sleep(40 * time.Second)
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatalf("after %d of %d bytes, each in time: %v", i, n, err)
		}
	}
}

// A peer that takes its reply slowly is there, whoever writes to it.
func TestSlowPeersGetTheirReply(t *testing.T) {
	size := len(frame(wire.KeyFetch, 4, 1, "hold")) // at least: the reply is larger
	t.Run("by its own goroutine", func(t *testing.T) {
		inBubble(t, func(_ *fixture, c net.Conn) {
			send(t, c, frame(wire.KeyFetch, 4, 1, "span"))
			trickle(t, c, size)
		})
	})
	t.Run("by another", func(t *testing.T) {
		inBubble(t, func(f *fixture, c net.Conn) {
			send(t, c, frame(wire.KeyFetch, 4, 1, "hold-1"))
			f.waitSeen(t, "hold-1")
			synctest.Wait()
			f.release("hold-1")
			trickle(t, c, size)
		})
	})
}

// A peer that takes nothing is cut, with one line that is no alarm.
func TestStuckPeersAreCut(t *testing.T) {
	inBubble(t, func(f *fixture, c net.Conn) {
		send(t, c, frame(wire.KeyFetch, 4, 1, "span"))
		trickle(t, c, 1)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("Read = %v, want the end", err)
		}
		if got := f.logs.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=INFO") || !strings.Contains(got, "took no bytes") {
			t.Errorf("log:\n%s", got)
		}
	})
}

// Time to be idle begins when the last reply is written, not when the request
// before it was read.
func TestIdleTimeBeginsWithTheReply(t *testing.T) {
	inBubble(t, func(f *fixture, c net.Conn) {
		send(t, c, frame(wire.KeyFetch, 4, 1, "hold-1"))
		f.waitSeen(t, "hold-1")
		time.Sleep(59 * time.Second)
		f.release("hold-1")
		receive(t, c)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		send(t, c, frame(wire.KeyHeartbeat, 0, 2, "next"))
		receive(t, c)
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if idle := time.Since(began); idle < 50*time.Second || idle > time.Minute {
			t.Errorf("cut after %v", idle)
		}
	})
}

// A deadline is moved when that pays, and when the clock was turned back.
func TestDeadlinesAreMovedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		c := &Conn{srv: &Server{cfg: Config{IdleTimeout: 80 * time.Second}, env: e}}
		now := e.Clock.Now()
		for left, want := range map[time.Duration]bool{
			-time.Hour: true, 0: true, 70 * time.Second: true, 71 * time.Second: false, 80 * time.Second: false, 81 * time.Second: true,
		} {
			if at, move := c.deadline(now.Add(left)); move != want || !at.Equal(now.Add(80*time.Second)) {
				t.Errorf("%v left: moved %v, to %v", left, move, at.Sub(now))
			}
		}
		c.srv.cfg.IdleTimeout = -1
		if _, move := c.deadline(time.Time{}); move {
			t.Error("a deadline though there is no limit")
		}
	})
}
