package keeper_test

import (
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// TestBrokersSession runs the session that brokers use over the pipe: its
// connection is cut, and it comes back with its ephemeral and its watches.
func TestBrokersSession(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Listen = nil
	k := start(t, cfg, env.Real())
	events := make(chan zk.Event, 64)
	s, err := session.Dial(t.Context(), session.Config{
		Dialer: k.Pipe, Timeout: 5 * time.Second, OnEvent: func(ev zk.Event) { events <- ev },
		Auth: []session.AuthInfo{{Scheme: "digest", Auth: []byte("b:secret")}},
	}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	path, st, err := s.Create(t.Context(), "/broker", []byte("x"), zk.CreatorAllACL(), zk.Ephemeral)
	if err != nil || path != "/broker" || st.EphemeralOwner != s.ID() {
		t.Fatalf("%q %+v %v", path, st, err)
	}
	if _, err := s.Exists(t.Context(), "/later", true); err == nil {
		t.Fatal("/later is there")
	}
	other := pipeClient(t, k)
	// Attaching from elsewhere cuts the broker's connection; the session then
	// attaches again, and this time the intruder loses.
	intruder := pipeClient(t, k)
	nc, err := k.Pipe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrap(t, nc).hello(zk.ConnectRequest{SessionID: s.ID(), Password: s.Password()}).closed()
	intruder.must(zk.PingRequest{})
	other.must(create("/later", zk.Persistent))
	for ev := range events {
		if ev.Type == zk.EventCreated && ev.Path == "/later" {
			break
		}
	}
	data, st, err := s.Get(t.Context(), "/broker", false)
	if err != nil || string(data) != "x" || st.EphemeralOwner != s.ID() {
		t.Fatalf("%q %+v %v", data, st, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.fails(&zk.ExistsRequest{Path: "/broker"}, zk.ErrNoNode)
}
