package server

import (
	"context"
	"errors"
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

// door is a server with a listener for clients and one for brokers.
type door struct {
	*fixture
	t     *testing.T
	env   env.Env
	conns []net.Conn
}

const clients, inner = "127.0.0.1:9092", "127.0.0.1:9093"

func atTheDoor(t *testing.T, change func(*Config), story func(d *door)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, env: env.Real(), fixture: &fixture{logs: &strings.Builder{},
			scripted: &scripted{held: map[string]*Request{}, seen: make(chan string, 1000)}}}
		d.env.Net = memnet.New()
		cfg := Config{MaxFrame: 1 << 20, InterBroker: "INNER", Listeners: []Listener{{Name: "CLIENTS", Address: clients}, {Name: "INNER", Address: inner}}}
		change(&cfg)
		d.srv = New(cfg, d.scripted, d.env, slog.New(slog.NewTextHandler(&lockedWriter{w: d.logs}, nil)))
		if _, err := d.srv.Bind(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.srv.Serve(context.Background())
		defer func() {
			errs := []error{d.srv.Stop()}
			for _, c := range d.conns {
				errs = append(errs, c.Close())
			}
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
		}()
		story(d)
	})
}

func (d *door) dial(address string) net.Conn {
	d.t.Helper()
	time.Sleep(time.Second) // whoever spoke did so before
	c, err := d.env.Net.Dial(d.t.Context(), "tcp", address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.conns = append(d.conns, c)
	time.Sleep(time.Second) // whoever came earlier is older
	return c
}

// speak sends a request and reports whether it is served.
func (d *door) speak(c net.Conn) bool {
	d.t.Helper()
	time.Sleep(time.Second) // no two speak at the same time
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false // it is closed
	}
	if _, err := c.Write(frame(wire.KeyHeartbeat, 0, 1, "x")); err != nil {
		return false
	}
	_, err := c.Read(make([]byte, 100))
	return err == nil
}

// waits reports whether a connection is neither served nor closed.
func (d *door) waits(c net.Conn) bool {
	d.t.Helper()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	_, err := c.Read(make([]byte, 1))
	var late net.Error
	return errors.As(err, &late) && late.Timeout() && !d.speak(c)
}

func TestConnectionsWaitForAPlace(t *testing.T) {
	atTheDoor(t, func(c *Config) { c.MaxConnections = 2 }, func(d *door) {
		first, second, third := d.dial(clients), d.dial(clients), d.dial(clients)
		if !d.speak(first) || !d.speak(second) || !d.waits(third) {
			t.Error("two of three are to be served")
		}
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		if !d.speak(third) || !d.speak(first) {
			t.Error("a place was free")
		}
		fourth := d.dial(clients)
		if !d.waits(fourth) {
			t.Error("served without a place")
		}
	})
}

// What a broker needs it gets, at the cost of the client that was silent for
// longest.
func TestBrokersTakeTheirPlace(t *testing.T) {
	atTheDoor(t, func(c *Config) { c.MaxConnections = 3 }, func(d *door) {
		busy, silent, parked := d.dial(clients), d.dial(clients), d.dial(clients)
		if _, err := parked.Write(frame(wire.KeyFetch, 4, 1, "hold")); err != nil {
			t.Fatal(err)
		}
		if !d.speak(silent) || !d.speak(busy) {
			t.Fatal("not served")
		}
		broker := d.dial(inner)
		if !d.speak(broker) || d.speak(silent) || !d.speak(busy) {
			t.Error("the silent one is to go")
		}
		again := d.dial(inner)
		if !d.speak(again) || !d.speak(broker) || d.speak(busy) {
			t.Error("then the one that does not wait for an answer")
		}
		d.release("hold")
		if _, err := parked.Read(make([]byte, 100)); err != nil {
			t.Errorf("the one that waits for an answer: %v", err)
		}
		if got := d.logs.String(); strings.Count(got, "another broker needs the place") != 2 {
			t.Errorf("log: %s", got)
		}
		last, over := d.dial(inner), d.dial(inner)
		if !d.speak(last) || !d.speak(over) || d.speak(parked) {
			t.Error("brokers have no limit when all clients are gone")
		}
		if newcomer := d.dial(clients); !d.waits(newcomer) {
			t.Error("a client got a place that is not there")
		}
	})
}

// Brokers that share the only listener are not spared.
func TestOneListenerIsForAll(t *testing.T) {
	atTheDoor(t, func(c *Config) { c.MaxConnections, c.Listeners = 1, c.Listeners[1:] }, func(d *door) {
		first, second := d.dial(inner), d.dial(inner)
		if !d.speak(first) || !d.waits(second) {
			t.Error("one of two is to be served")
		}
	})
}

func TestLimitsOfAListenerAndOfNobody(t *testing.T) {
	atTheDoor(t, func(c *Config) { c.Listeners[0].MaxConnections, c.Listeners[1].MaxConnections = 1, 1 }, func(d *door) {
		first, second, broker, other := d.dial(clients), d.dial(clients), d.dial(inner), d.dial(inner)
		if !d.speak(first) || !d.waits(second) || !d.speak(broker) || !d.waits(other) {
			t.Error("one of each is to be served")
		}
	})
	atTheDoor(t, func(c *Config) { c.MaxConnections = Nobody }, func(d *door) {
		client, broker := d.dial(clients), d.dial(inner)
		if !d.waits(client) || !d.speak(broker) {
			t.Error("brokers alone are to be served")
		}
	})
	atTheDoor(t, func(c *Config) {
		c.MaxConnectionsPerIP, c.IPOverrides = 5, map[string]int{"127.0.0.1": Nobody}
	}, func(d *door) {
		if d.speak(d.dial(clients)) {
			t.Error("served an address that nobody may come from")
		}
	})
}
