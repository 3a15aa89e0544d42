package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
)

// keptBuffer is the largest buffer in bytes kept between frames: one huge reply
// or request shall not pin its memory.
const keptBuffer = 64 << 10

// errSilent ends a connection on which nothing came for two thirds of the
// session timeout: the last third is for finding another server.
var errSilent = errors.New("nothing heard from the server for 2/3 of the session timeout")

// serve announces the connection, writes in a goroutine of its own and reads
// here until either fails.
func (s *Session) serve(ctx context.Context, l *link) error {
	if err := s.established(l); err != nil {
		l.conn.Close()
		return err
	}
	var heard atomic.Int64
	heard.Store(l.made.UnixNano())
	g := run.NewGroup(ctx)
	// Closing is what frees a reader or a writer that is stuck in the network.
	defer context.AfterFunc(g.Context(), func() { l.conn.Close() })()
	g.Go("zk session writer", func(ctx context.Context) error { return s.write(ctx, l, &heard) })
	err := s.read(l, &heard)
	g.Stop()
	l.conn.Close()
	// The writer's own reason comes first: it made the reader's connection
	// close. Stop after that leaves it standing.
	if werr := g.Wait(); werr != nil && !fatal(err) {
		err = werr
	}
	if s.env.Clock.Now().Sub(l.made) >= backoffMax {
		s.attempts = 0
	}
	return err
}

// fatal reports whether err ends more than the connection.
func fatal(err error) bool {
	return errors.Is(err, zk.ErrAuthFailed) || errors.Is(err, ErrOverflow) || errors.Is(err, ErrClosed)
}

// established takes over what the server granted and queues what must precede
// all requests: the ids, then the watches.
func (s *Session) established(l *link) error {
	s.mu.Lock()
	s.mu.id, s.mu.password = l.resp.SessionID, slices.Clone(l.resp.Password)
	s.mu.attachable = s.mu.attachable || !l.resp.ReadOnly
	s.mu.timeout = time.Duration(l.resp.Timeout) * time.Millisecond
	s.mu.heardOf, s.mu.pings = l.asked, nil
	s.mu.Unlock()

	st := zk.StateSyncConnected
	if l.resp.ReadOnly {
		st = zk.StateConnectedReadOnly
	}
	if err := s.emitState(st); err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.out = s.mu.out[:0]
	for _, a := range s.mu.auth {
		s.queueAuthLocked(a, nil)
	}
	for _, req := range s.mu.watches.rearm(s.mu.lastZxid) {
		s.mu.out = zk.AppendRequest(s.mu.out, zk.XidSetWatches, req)
	}
	s.wakeLocked()
	s.setPhaseLocked(connected)
	return nil
}

// write sends what is queued, all of it in one write, pings when nothing was
// sent for a third of the timeout, and gives up on a silent server.
func (s *Session) write(ctx context.Context, l *link, heard *atomic.Int64) error {
	clock := s.env.Clock
	timeout := s.Timeout()
	pingEvery, dieAfter := timeout/3, timeout*2/3
	ping := zk.AppendRequest(nil, zk.XidPing, zk.PingRequest{})
	sent := l.made
	timer := clock.NewTimer(pingEvery)
	defer timer.Stop()
	var buf []byte
	for {
		now := clock.Now()
		if now.UnixNano()-heard.Load() >= int64(dieAfter) {
			return errSilent
		}
		buf = s.takeOut(buf)
		if len(buf) == 0 && now.Sub(sent) >= pingEvery {
			buf = append(buf, ping...)
			s.pinged(now)
		}
		if len(buf) > 0 {
			if err := l.conn.SetWriteDeadline(now.Add(dieAfter)); err != nil {
				return fmt.Errorf("write to zookeeper: %w", err)
			}
			if _, err := l.conn.Write(buf); err != nil {
				return fmt.Errorf("write to zookeeper: %w", err)
			}
			sent = clock.Now()
			continue
		}
		silentIn := time.Duration(heard.Load() + int64(dieAfter) - now.UnixNano())
		timer.Reset(max(min(pingEvery-now.Sub(sent), silentIn), 0))
		select {
		case <-s.wake:
		case <-timer.C():
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// takeOut returns what is to be written and leaves spare in its place.
func (s *Session) takeOut(spare []byte) []byte {
	if cap(spare) > keptBuffer {
		spare = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.mu.out
	s.mu.out = spare[:0]
	return out
}

// wakeLocked tells the writer to look at out.
func (s *Session) wakeLocked() {
	run.Hint(s.wake)
}

// read handles frames in order until the connection fails.
func (s *Session) read(l *link, heard *atomic.Int64) error {
	var buf []byte
	for {
		frame, err := zk.ReadFrame(l.r, buf, s.cfg.MaxFrame)
		if err != nil {
			return fmt.Errorf("read from zookeeper: %w", err)
		}
		heard.Store(s.env.Clock.Now().UnixNano())
		if err := s.handle(frame); err != nil {
			return err
		}
		if buf = frame; cap(buf) > keptBuffer {
			buf = nil
		}
	}
}

// handle takes in one frame of the server.
func (s *Session) handle(frame []byte) error {
	d := zk.NewDecoder(frame)
	var h zk.ReplyHeader
	if h.Decode(d); d.Err() != nil {
		return fmt.Errorf("reply header: %w", d.Err())
	}
	switch h.Xid {
	case zk.XidPing:
		s.pingAnswered()
		return nil
	case zk.XidSetWatches:
		return nil
	case zk.XidAuth:
		return s.authAnswered(h.Err)
	case zk.XidNotification:
		var ev zk.Event
		if ev.Decode(d); d.Err() != nil {
			return fmt.Errorf("watch event: %w", d.Err())
		}
		return s.fire(ev)
	}
	return s.answered(h, d.Rest())
}

// fire forgets the one-shot watches that ev used up and hands it on.
func (s *Session) fire(ev zk.Event) error {
	s.mu.Lock()
	s.mu.watches.fired(ev)
	s.mu.Unlock()
	ev.Path = stripChroot(s.cfg.Chroot, ev.Path)
	return s.emit(ev)
}

// answered completes the oldest call in flight, which must be the one that h
// answers: ZooKeeper replies in request order. After an error the call is still
// in flight, for lose to fail it once the connection is known to be lost.
func (s *Session) answered(h zk.ReplyHeader, body []byte) error {
	c, err := s.oldest(h.Xid)
	if err != nil {
		return err
	}
	resp, err := s.response(c, h, body)
	if err != nil {
		return err
	}
	s.landed(c, h)
	s.complete(c, resp)
	if c.req.Op() == zk.OpCloseSession {
		return ErrClosed
	}
	return nil
}

// oldest returns the call that a reply to xid answers.
func (s *Session) oldest(xid int32) (*call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.inflight) == 0 {
		return nil, fmt.Errorf("reply to xid %d, but nothing is in flight", xid)
	}
	c := s.mu.inflight[0]
	if c.xid != xid {
		return nil, fmt.Errorf("reply to xid %d, but %d is the oldest in flight", xid, c.xid)
	}
	return c, nil
}

// landed takes the oldest call out of flight and keeps the zxid and the watch
// that its reply brought.
func (s *Session) landed(c *call, h zk.ReplyHeader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.inflight[0] = nil
	s.mu.inflight = s.mu.inflight[1:]
	s.heardOfLocked(c.queued)
	s.mu.lastZxid = max(s.mu.lastZxid, h.Zxid)
	s.mu.watches.replied(c.req, h.Err)
}

// authAnswered ends the wait for the oldest auth packet.
func (s *Session) authAnswered(code zk.Err) error {
	s.mu.Lock()
	var done func(Response)
	if len(s.mu.authWaits) > 0 {
		done = s.mu.authWaits[0]
		s.mu.authWaits = s.mu.authWaits[1:]
	}
	s.mu.Unlock()
	if done != nil {
		done(Response{Err: code.OrNil()})
	}
	if code != zk.OK {
		return fmt.Errorf("server answered %w: %w", code, zk.ErrAuthFailed)
	}
	return nil
}

// lose fails all that was in flight and says so.
func (s *Session) lose() error {
	was, calls, auths := s.drop(connecting, nil)
	var err error
	if was == connected {
		err = s.emitState(zk.StateDisconnected)
	}
	s.failAll(calls, auths, zk.ErrConnectionLoss)
	return err
}

// die makes the session unusable for good.
func (s *Session) die(cause error, st zk.State) {
	_, calls, auths := s.drop(dead, cause)
	lost := cause
	if errors.Is(cause, ErrClosed) {
		// What Close overtook may or may not have happened.
		lost = zk.ErrConnectionLoss
	}
	// A full stream is closed without this last event; its reader then finds
	// out from ErrOverflow.
	_ = s.emitState(st)
	s.events.Close()
	s.failAll(calls, auths, lost)
}

// drop changes the phase and takes away all that waits for a reply.
func (s *Session) drop(p phase, cause error) (was phase, calls []*call, auths []func(Response)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, calls, auths = s.mu.phase, s.mu.inflight, s.mu.authWaits
	s.mu.inflight, s.mu.authWaits, s.mu.out, s.mu.cause = nil, nil, nil, cause
	s.setPhaseLocked(p)
	return was, calls, auths
}

func (s *Session) failAll(calls []*call, auths []func(Response), err error) {
	for _, done := range auths {
		if done != nil {
			done(Response{Err: err})
		}
	}
	for _, c := range calls {
		s.complete(c, Response{Err: err})
	}
}
