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
	v, err := p.admit(c, raw)
	p.strangers.Add(-1)
	switch {
	case err != nil:
		p.turnedAway(raw.RemoteAddr(), v.hello, err)
	case v.kind == wordFileHello:
		p.takeFile(c, v)
	default:
		p.takeMessages(c, v)
	}
}

// visitor is one who was let in, and what it is to be told of this side.
type visitor struct {
	kind        wordKind
	hello, mine Hello
}

// takeMessages is the rest of the life of a connection for messages.
func (p *Peers) takeMessages(c *conn, v visitor) {
	h := v.hello
	remote := c.raw.RemoteAddr()
	p.log.Info("member has connected", "member", h.Member, "remote", remote)
	err := c.over(p.receive(c, v))
	p.log.Info("lost the connection of member", "member", h.Member, "remote", remote, "reason", err)
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

// admit hears who it is and whether the owner wants to talk with it.
func (p *Peers) admit(c *conn, raw net.Conn) (v visitor, err error) {
	if err := p.take(c, raw, false); err != nil {
		return v, err
	}
	w, err := readWord(c)
	if err != nil {
		return v, err
	}
	v.kind = w.kind
	if err = w.is(wordHello, wordFileHello); err == nil {
		v.hello, err = decodeHello(w.body)
	}
	if err == nil {
		v.mine, err = p.greeting(v.hello.Member)
	}
	if err == nil {
		err = v.hello.meets(v.mine)
	}
	if err == nil {
		slot := &p.doors[v.hello.Member].messages
		if v.kind == wordFileHello {
			slot = &p.doors[v.hello.Member].files
		}
		err = slot.enter(c, func() error { return p.h.Accept(v.hello, false) })
	}
	if err != nil {
		c.refuse(err)
		return v, err
	}
	p.heard(v.hello.Member)
	return v, nil
}

// welcome says who this is and returns what the other says next.
func (c *conn) welcome(v visitor, next wordKind) (word, error) {
	if err := c.say(wordAnswer, appendHello(nil, v.mine)); err != nil {
		return word{}, err
	}
	w, err := c.expect(next)
	if err == nil {
		c.settled()
	}
	return w, err
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
func (p *Peers) receive(c *conn, v visitor) error {
	if _, err := c.welcome(v, wordReady); err != nil {
		return err
	}
	h := v.hello
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
