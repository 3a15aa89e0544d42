package coord

import (
	"context"
	"slices"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk/session"
)

// News is what changed since a subscriber looked last.
type News struct {
	// Session is the one in use, nil after the end of one until the next.
	Session *session.Session
	// Renewed says that Session is not that of the news before: its watches and
	// ephemeral nodes are gone, and what was read may be old. The first news of a
	// subscription is renewed too.
	Renewed bool
	// Connected says whether Session has a connection now.
	Connected bool
	// Paths are the watched paths whose watch fired in Session, each once, in the
	// order in which they fired first. The watch is used up: whoever wants to know
	// more reads again and sets it anew.
	Paths []string
}

// Subscription tells its owner what happens to the session and to paths. However
// much happens between two looks, it keeps no more than the watched paths.
type Subscription struct {
	c     *Conn
	ready chan struct{}

	// All below is guarded by c.mu.
	watched map[string]struct{}
	// pending is what Take will return; queued are the paths in it.
	pending []string
	queued  map[string]struct{}
	renewed bool
	// state says that session or connection changed.
	state  bool
	closed bool
}

// Subscribe returns a subscription whose first news is the session in use.
func (c *Conn) Subscribe() *Subscription {
	s := &Subscription{c: c, ready: make(chan struct{}, 1), watched: map[string]struct{}{}, queued: map[string]struct{}{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.subs = append(c.mu.subs, s)
	s.renewed, s.state = c.mu.session != nil, true
	run.Hint(s.ready)
	return s
}

// Watch subscribes to paths. It only says who is interested: the read that
// follows must set the watch, and comes after this call so that no event is
// missed.
func (s *Subscription) Watch(paths ...string) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, path := range paths {
		if _, ok := s.watched[path]; ok || s.closed {
			continue
		}
		s.watched[path] = struct{}{}
		s.c.mu.watchers[path] = append(s.c.mu.watchers[path], s)
	}
}

// Unwatch ends the interest in paths. The server's watch stays until it fires.
func (s *Subscription) Unwatch(paths ...string) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, path := range paths {
		if _, ok := s.watched[path]; !ok {
			continue
		}
		delete(s.watched, path)
		s.c.removeLocked(path, s)
		if _, ok := s.queued[path]; ok {
			delete(s.queued, path)
			s.pending = slices.DeleteFunc(s.pending, func(p string) bool { return p == path })
		}
	}
}

// Ready returns the channel that gets a token when Take may have news, for owners
// that select over several sources.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Take returns the news; ok is false when there are none. The error is ErrClosed
// once the subscription or its Conn is closed.
func (s *Subscription) Take() (news News, ok bool, err error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.closed || s.c.mu.closed {
		return News{}, false, ErrClosed
	}
	if !s.state && len(s.pending) == 0 {
		return News{}, false, nil
	}
	news = News{Session: s.c.mu.session, Renewed: s.renewed, Connected: s.c.mu.connected, Paths: s.pending}
	s.pending, s.state, s.renewed = nil, false, false
	if news.Session == nil { // the end of a session that is not told of is told with the next
		news.Renewed, s.renewed = false, news.Renewed
	}
	clear(s.queued)
	return news, true, nil
}

// Next waits for news. The error is ErrClosed, or why ctx ended.
func (s *Subscription) Next(ctx context.Context) (News, error) {
	for {
		news, ok, err := s.Take()
		if ok || err != nil {
			return news, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return News{}, context.Cause(ctx)
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for path := range s.watched {
		s.c.removeLocked(path, s)
	}
	s.c.mu.subs = slices.DeleteFunc(s.c.mu.subs, func(o *Subscription) bool { return o == s })
	run.Hint(s.ready)
}

func (s *Subscription) firedLocked(path string) {
	if _, ok := s.queued[path]; ok {
		return
	}
	s.queued[path] = struct{}{}
	s.pending = append(s.pending, path)
	run.Hint(s.ready)
}

// renewedLocked starts over for a new session: what fired in the last one is
// told by Renewed.
func (s *Subscription) renewedLocked() {
	s.pending, s.renewed, s.state = nil, true, true
	clear(s.queued)
	run.Hint(s.ready)
}
