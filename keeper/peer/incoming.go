package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/run"
)

// slot holds the one incoming connection of a kind that a member may have.
type slot struct {
	// turn is a token: who holds it may hand something to the owner, or become
	// the current one. It is no mutex, since the owner may block.
	turn    chan struct{}
	current atomic.Pointer[conn] // also one that has ended
}

// end ends the connection that there is.
func (s *slot) end(err error) {
	if c := s.current.Load(); c != nil {
		c.cancel(err)
	}
}

// enter makes c the current connection if accept lets it. When it returns nil,
// nothing is left of the one before, and nothing of that was handed to the owner
// since accept was asked.
func (s *slot) enter(c *conn, accept func() error) error {
	if err := s.take(c); err != nil {
		return err
	}
	defer s.give()
	if err := accept(); err != nil {
		return err
	}
	if old := s.current.Load(); old != nil {
		old.cancel(ErrReplaced)
		select {
		case <-old.done:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
	}
	s.current.Store(c)
	return nil
}

// take waits for the turn of a connection, until that ends.
func (s *slot) take(c *conn) error {
	select {
	case s.turn <- struct{}{}:
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	if c.ctx.Err() != nil { // both were so
		s.give()
		return context.Cause(c.ctx)
	}
	return nil
}

func (s *slot) give() { <-s.turn }

// serve is the life of a connection that another dialed.
func (p *Peers) serve(raw net.Conn) {
	c := p.newConn(p.ctx)
	defer close(c.done)
	defer func() { _ = c.over(net.ErrClosed) }() // it is over already
	h, kind, err := p.admit(c, raw)
	p.strangers.Add(-1)
	if err != nil {
		p.turnedAway(raw.RemoteAddr(), h, err)
		return
	}
	if kind == wordFileHello {
		p.takeFile(c, h)
		return
	}
	p.log.Info("member has connected", "member", h.Member, "remote", raw.RemoteAddr())
	err = c.over(p.receive(c, h))
	p.log.Info("lost the connection of member", "member", h.Member, "remote", raw.RemoteAddr(), "reason", err)
	if errors.Is(err, ErrSilent) {
		// What was sent to it lies in the system, which tries ever more rarely; a new
		// connection is there sooner once it can be reached again.
		p.endIf(h.Member, err, func(boot uint64) bool { return boot == h.Boot })
	}
	p.h.Lost(h.Member, h, err)
}

// endIf ends the connection to a member, which is then dialed anew, if it leads
// to a certain process. It returns the member if there is no such connection now.
func (p *Peers) endIf(number uint64, err error, wrong func(boot uint64) bool) *member {
	m := (*p.members.Load())[number]
	if m == nil {
		return nil
	}
	if o := m.out.Load(); o != nil {
		if !wrong(o.hello.Boot) {
			return nil
		}
		o.conn.cancel(err)
	}
	return m
}

// admit hears who it is, and says so too if the owner wants to talk.
func (p *Peers) admit(c *conn, raw net.Conn) (h Hello, kind wordKind, err error) {
	if err := p.take(c, raw, false); err != nil {
		return h, 0, err
	}
	w, err := readWord(c)
	if err != nil {
		return h, 0, err
	}
	var mine Hello
	err = w.is(wordHello, wordFileHello)
	if err == nil {
		h, err = decodeHello(w.body)
	}
	if err == nil {
		mine, err = p.greeting(h.Member)
	}
	if err == nil {
		err = h.meets(mine)
	}
	if err == nil {
		door := &p.doors[h.Member]
		slot := map[wordKind]*slot{wordHello: &door.messages, wordFileHello: &door.files}[w.kind]
		err = slot.enter(c, func() error { return p.h.Accept(h, false) })
	}
	if err != nil {
		c.refuse(err)
		return h, 0, err
	}
	p.heard(h.Member)
	return h, w.kind, c.say(wordAnswer, appendHello(nil, mine))
}

// heard forgets why a member was turned away.
func (p *Peers) heard(number uint64) {
	p.said.Lock()
	defer p.said.Unlock()
	delete(p.said.last, number)
}

// turnedAway logs a reason, and the same for the same member once: it will try
// again.
func (p *Peers) turnedAway(remote net.Addr, h Hello, reason error) {
	p.said.Lock()
	text := reason.Error()
	again := p.said.last[h.Member] == text
	p.said.last[h.Member] = text // 0 is for strangers
	p.said.Unlock()
	log := p.log.Warn
	if again || p.ctx.Err() != nil {
		log = p.log.Debug
	}
	log("connection refused", "remote", remote, "member", h.Member, "reason", reason)
}

// receive hands messages to the owner until the connection ends.
func (p *Peers) receive(c *conn, h Hello) error {
	if _, err := c.expect(wordReady); err != nil {
		return err
	}
	c.settled()
	p.isThere(h)
	slot := &p.doors[h.Member].messages
	r := bufio.NewReaderSize(c, readBuffer)
	for {
		kind, payload, err := readFrame(r, p.cfg.MaxFrame)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := slot.take(c); err != nil {
			return err
		}
		p.h.Receive(h.Member, h, kind, payload)
		slot.give()
	}
}

// isThere has a member dialed at once that has just dialed this one. A
// connection to an earlier process of it leads nowhere.
func (p *Peers) isThere(h Hello) {
	if m := p.endIf(h.Member, ErrRestarted, func(boot uint64) bool { return boot != h.Boot }); m != nil {
		run.Hint(m.redial)
	}
}
