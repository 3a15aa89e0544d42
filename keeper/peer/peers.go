package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/internal/run"
)

// Handler is the owner. Its methods are called from many goroutines; those that
// speak of the same connection come one after another. They may call Send and
// SetMembers, and none may wait for Stop.
type Handler interface {
	// Greet returns what to say to a member on a new connection.
	Greet(to uint64) Hello
	// Accept judges the hello of the other side, on a connection that this side
	// dialed or the other did, for messages or for a file. A reason not to talk
	// is told to the other side. It decides and changes nothing: after nil the
	// connection can still fail. While it judges one that is to replace an older
	// connection for messages nothing of that is received, and after nil nothing
	// ever.
	Accept(h Hello, dialed bool) error
	// Up says that the outgoing connection is ready: what is sent from now on
	// arrives in order, until Down.
	Up(member uint64, h Hello)
	// Down says that the outgoing connection ended: what was sent and not
	// received is lost. Whoever sends nothing from Down to Up knows that what it
	// sends after Up is all that arrives on the new connection.
	Down(member uint64, err error)
	// Lost says that an incoming connection for messages, which was accepted,
	// ended: by Gone(err) the member's process has probably ended, by ErrSilent
	// nobody knows. Nothing of a newer one is received before. Of a member that
	// has ended Down tells too, also while Receive blocks.
	Lost(member uint64, h Hello, err error)
	// Receive takes a message, in order. While it blocks nothing else is read
	// from the connection. The payload is the callee's.
	Receive(member uint64, h Hello, kind byte, payload []byte)
	// File takes a file: size bytes from r, which returns io.EOF only when all
	// came unharmed. What it returns is the sender's answer. A newer file of the
	// same member, and Stop, end ctx and r.
	File(ctx context.Context, member uint64, h Hello, header []byte, size int64, r io.Reader) error
}

// Peers are the connections with other members.
type Peers struct {
	cfg    Config
	env    env.Env
	h      Handler
	log    *slog.Logger
	listen net.Listener

	ctx       context.Context
	cancel    context.CancelCauseFunc
	outer     *run.Group // waits for group
	group     *run.Group
	done      chan struct{} // closed when all has ended
	strangers atomic.Int32  // connections without an accepted hello
	doors     [maxMember + 1]door
	members   atomic.Pointer[map[uint64]*member] // the map never changes

	mu struct {
		sync.Mutex
		stopped bool
	}
	said struct {
		sync.Mutex
		last map[uint64]string // refusal of whoever says to be this member
	}
}

// door is what there is once for each number a member may have.
type door struct {
	messages, files slot          // incoming
	sending         chan struct{} // a token: who holds it sends a file
	left            chan struct{} // closed when the last dialer has ended; under Peers.mu
}

// New listens, and dials nobody before SetMembers.
func New(cfg Config, e env.Env, h Handler, log *slog.Logger) (*Peers, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	l, err := e.Net.Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("peer: cannot listen on %s: %w", cfg.Listen, err)
	}
	p := &Peers{cfg: cfg, env: e, h: h, log: log, listen: l, done: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.said.last = map[uint64]string{}
	p.members.Store(&map[uint64]*member{})
	for i := range p.doors {
		d := &p.doors[i]
		d.messages.turn, d.files.turn, d.sending = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	}
	p.outer, p.group = run.NewGroup(p.ctx), run.NewGroup(p.ctx)
	p.group.Go("peer-accept", p.accept)
	p.outer.Go("peer-end", func(context.Context) error {
		_ = p.group.Wait() // ErrStopped
		close(p.done)
		return nil
	})
	return p, nil
}

// Addr returns the address on which other members are accepted.
func (p *Peers) Addr() net.Addr { return p.listen.Addr() }

// SetMembers names all other members with their addresses, host:port. New ones
// are dialed; with one that is no longer named, or has another address, all
// connections that were dialed end. Incoming ones end too when a member is no
// longer named.
func (p *Peers) SetMembers(addresses map[uint64]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.stopped {
		return
	}
	before, after := *p.members.Load(), map[uint64]*member{}
	for number, address := range addresses {
		must.Hold(number >= 1 && number <= maxMember, "a member's number is 1 to 254")
		if m := before[number]; m != nil && m.address == address {
			after[number] = m
			continue
		}
		after[number] = p.newMember(number, address)
	}
	p.members.Store(&after)
	for number, m := range before {
		switch {
		case after[number] == nil:
			m.cancel(ErrRemoved)
			p.doors[number].messages.end(ErrRemoved)
			p.doors[number].files.end(ErrRemoved)
		case after[number] != m:
			m.cancel(ErrMoved)
		}
	}
	for number, m := range after {
		if before[number] == m {
			continue
		}
		door := &p.doors[number]
		earlier, left := door.left, make(chan struct{})
		door.left = left
		p.group.Go("peer-dialer", func(context.Context) error {
			defer close(left)
			m.keepUp(earlier)
			return nil
		})
	}
}

// Send queues a message for a member and copies the payload. It never blocks.
// It returns false when the member is not up, and when too much waits or the
// payload exceeds Config.MaxFrame: then the connection ends too.
func (p *Peers) Send(number uint64, kind byte, payload []byte) bool {
	m := (*p.members.Load())[number]
	if m == nil {
		return false
	}
	o := m.out.Load()
	return o != nil && o.send(kind, payload, &p.cfg)
}

// accept takes connections in until Stop.
func (p *Peers) accept(ctx context.Context) error {
	context.AfterFunc(ctx, func() { _ = p.listen.Close() })
	defer p.listen.Close()
	for {
		nc, err := p.listen.Accept()
		switch {
		case err == nil && ctx.Err() != nil:
			_ = nc.Close()
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed): // by somebody else: the rest goes on
			p.log.Error("members are no longer accepted", "listener", p.listen.Addr(), "error", err)
			<-ctx.Done()
			return nil
		case err != nil:
			p.log.Error("cannot accept a member's connection", "listener", p.listen.Addr(), "error", err)
			if env.Sleep(ctx, p.env.Clock, acceptPause) != nil {
				return nil
			}
			continue
		}
		if p.strangers.Add(1) > maxStrangers {
			p.strangers.Add(-1)
			p.log.Warn("connection closed", "remote", nc.RemoteAddr(), "reason", "too many that have not said who they are", "limit", maxStrangers)
			_ = nc.Close()
			continue
		}
		p.group.Go("peer-incoming", func(context.Context) error { p.serve(nc); return nil })
	}
}

// Stop ends all connections and waits until every goroutine has ended, or ctx
// ends. What waits to be sent is lost. Down and Lost are called for what was up,
// and a call that blocks keeps Stop waiting.
func (p *Peers) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.mu.stopped = true
	p.mu.Unlock()
	p.cancel(ErrStopped)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("peer: not all connections have ended"), context.Cause(ctx))
	}
}
