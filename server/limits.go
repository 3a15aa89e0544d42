package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
)

// As in Kafka's ConnectionQuotas a connection above max.connections is accepted
// and then waits until another one ends; only one address with too many is turned
// away. The brokers' own listener is spared where clients have one of their own:
// a cluster must not come to a halt because clients took all places. A broker
// takes the place of the client that was silent for longest.

// protected reports whether a listener is that of the other brokers, and theirs
// alone.
func (s *Server) protected(listener string) bool {
	return listener == s.cfg.InterBroker && len(s.cfg.Listeners) > 1
}

// register counts a connection in, once there is room for it.
func (s *Server) register(ctx context.Context, c *Conn) error {
	room := s.room[c.Listener.Name]
	for {
		full, err := s.enter(c)
		if err != nil {
			return err
		}
		if !full {
			break
		}
		select {
		case <-room:
		case <-ctx.Done():
			return errShutdown
		}
	}
	s.displace()
	return nil
}

var errShutdown = errors.New("shutting down")

// enter counts a connection in; full reports that there is no room now.
func (s *Server) enter(c *Conn) (full bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &c.Listener
	perIP := s.cfg.MaxConnectionsPerIP
	if n, ok := s.cfg.IPOverrides[c.peer]; ok {
		perIP = n
	}
	switch {
	case s.mu.stop:
		return false, errShutdown
	case reached(l.MaxConnections, s.mu.perListener[l.Name]):
		return true, nil
	case reached(s.cfg.MaxConnections, len(s.mu.conns)) && !s.protected(l.Name):
		return true, nil
	case reached(perIP, s.mu.perIP[c.peer]):
		return false, fmt.Errorf("max.connections.per.ip %d reached for %s", max(perIP, 0), c.peer)
	}
	s.mu.conns[c] = struct{}{}
	s.mu.perIP[c.peer]++
	s.mu.perListener[l.Name]++
	return false, nil
}

// reached reports whether n connections are as many as a limit allows.
func reached(limit, n int) bool { return limit != 0 && n >= limit }

// forget counts a connection out; one that was displaced is out already.
func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	s.leaveLocked(c)
	s.mu.Unlock()
	for _, room := range s.room {
		run.Hint(room)
	}
}

func (s *Server) leaveLocked(c *Conn) {
	if _, here := s.mu.conns[c]; !here {
		return
	}
	delete(s.mu.conns, c)
	s.mu.perListener[c.Listener.Name]--
	if s.mu.perIP[c.peer]--; s.mu.perIP[c.peer] <= 0 {
		delete(s.mu.perIP, c.peer)
	}
}

// errDisplaced ends a connection whose place a broker needs.
var errDisplaced = errors.New("max.connections reached: another broker needs the place")

// displace ends the connections of clients that were silent for longest while
// there are more than max.connections.
func (s *Server) displace() {
	for {
		c := s.excess()
		if c == nil {
			return
		}
		c.fail(errDisplaced)
	}
}

// excess takes one connection out that has to go, nil when none has.
func (s *Server) excess() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.MaxConnections == 0 || len(s.mu.conns) <= max(s.cfg.MaxConnections, 0) {
		return nil
	}
	var oldest *Conn
	var since time.Time
	for c := range s.mu.conns {
		if s.protected(c.Listener.Name) {
			continue
		}
		if active := c.active(); oldest == nil || active.Before(since) {
			oldest, since = c, active
		}
	}
	if oldest != nil {
		s.leaveLocked(oldest)
	}
	return oldest
}
