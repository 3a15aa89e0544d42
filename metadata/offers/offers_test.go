package offers_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/metadata/offers"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

const self = 7

// stage is a keeper, somebody who looks, and the Offers of broker 7.
type stage struct {
	t    *testing.T
	dial func() *session.Session
	eyes *session.Session
	o    *offers.Offers
}

func newStage(t *testing.T) *stage {
	t.Helper()
	e := env.Real()
	e.FS = memfs.New(1<<30, time.Now)
	k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop(context.Background()) })
	s := &stage{t: t, o: offers.New(self, openACL, slog.New(slog.DiscardHandler))}
	s.dial = func() *session.Session {
		t.Helper()
		z, err := session.Dial(t.Context(), session.Config{Dialer: k.Pipe}, e)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { z.Close(context.Background()) })
		return z
	}
	s.eyes = s.dial()
	for _, topic := range []string{"a", "b"} {
		s.make(znode.TopicPath(topic), nil, zk.Persistent)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.o.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func openACL(string) []zk.ACL { return zk.OpenACL() }

func (s *stage) make(path string, data []byte, mode zk.CreateMode) {
	s.t.Helper()
	if _, _, err := s.eyes.CreateRecursive(s.t.Context(), path, data, openACL, mode); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until the topics' nodes hold these numbers, and no others exist;
// their owner is z.
func (s *stage) shows(z *session.Session, want map[string]string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for {
		got := map[string]string{}
		for _, topic := range []string{"a", "b", "c"} {
			data, stat, err := s.eyes.Get(ctx, znode.OldTopicBrokerPath(topic, self), false)
			switch {
			case err == nil && stat.EphemeralOwner == z.ID():
				got[topic] = string(data)
			case err == nil:
				got[topic] = "somebody else's " + string(data)
			case !errors.Is(err, zk.ErrNoNode):
				s.t.Fatalf("%v, have %v, want %v", err, got, want)
			}
		}
		if maps.Equal(got, want) {
			return
		}
		if err := env.Sleep(ctx, env.Real().Clock, time.Millisecond); err != nil {
			s.t.Fatalf("have %v, want %v", got, want)
		}
	}
}

func TestOffersFollowLeadership(t *testing.T) {
	s := newStage(t)
	z := s.dial()
	s.o.Lead("a", 0, true)
	s.o.Attach(z)
	s.shows(z, map[string]string{"a": "1"})
	s.o.Lead("a", 3, true)
	s.o.Lead("a", 3, true) // led again, in a later epoch
	s.o.Lead("b", 1, true)
	s.shows(z, map[string]string{"a": "2", "b": "1"})
	s.o.Lead("a", 0, false)
	s.o.Lead("b", 1, false)
	s.o.Lead("b", 2, false) // never led
	s.shows(z, map[string]string{"a": "1"})
}

func TestOffersOfATopicThatIsGone(t *testing.T) {
	s := newStage(t)
	z := s.dial()
	s.o.Attach(z)
	s.o.Lead("c", 0, true) // has no node
	s.o.Lead("a", 0, true)
	s.shows(z, map[string]string{"a": "1"})
	s.make(znode.TopicPath("c"), nil, zk.Persistent)
	s.o.Lead("c", 1, true)
	s.shows(z, map[string]string{"a": "1", "c": "2"})
}

func TestOffersInANewSession(t *testing.T) {
	s := newStage(t)
	first := s.dial()
	s.o.Attach(first)
	s.o.Lead("a", 0, true)
	s.shows(first, map[string]string{"a": "1"})
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.o.Lead("b", 0, true) // while there is no session
	second := s.dial()
	s.o.Attach(second)
	s.shows(second, map[string]string{"a": "1", "b": "1"})
}

func TestOffersReplaceWhatIsNotTheirs(t *testing.T) {
	s := newStage(t)
	s.make(znode.OldTopicBrokerPath("a", self), []byte("9"), zk.Persistent)
	z := s.dial()
	s.o.Attach(z)
	s.o.Lead("a", 0, true)
	s.shows(z, map[string]string{"a": "1"})
}
