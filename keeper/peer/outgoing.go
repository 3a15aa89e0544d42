package peer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
)

// member is one that was named, with one address. Its dialer keeps a connection
// to it.
type member struct {
	p       *Peers
	number  uint64
	address string
	ctx     context.Context
	cancel  context.CancelCauseFunc
	redial  chan struct{}            // a hint that it is there
	out     atomic.Pointer[outgoing] // nil while it is not up; the dialer sets it
}

func (p *Peers) newMember(number uint64, address string) *member {
	m := &member{p: p, number: number, address: address, redial: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancelCause(p.ctx)
	return m
}

// keepUp connects, again and again, once nothing is left of an earlier dialer.
func (m *member) keepUp(earlier <-chan struct{}) {
	if earlier != nil {
		<-earlier // it was told to end
	}
	pause, said := minPause, ""
	for m.ctx.Err() == nil {
		select {
		case <-m.redial: // older than this attempt
		default:
		}
		began := m.p.env.Clock.Now()
		up, err := m.connect()
		if m.ctx.Err() != nil {
			return
		}
		if up > 0 {
			said = ""
		}
		if up >= maxPause {
			pause = minPause
		}
		level := m.p.log.Debug
		if text := err.Error(); text != said { // it is told once
			level, said = m.p.log.Info, text
		}
		level("no connection to member", "member", m.number, "address", m.address, "reason", err)
		if m.rest(began, pause) {
			pause = minPause
			continue
		}
		pause = min(2*pause, maxPause)
	}
}

// rest waits for half of d to d; it reports whether it was cut short because the
// member is there. Also then attempts keep minPause between them.
func (m *member) rest(began time.Time, d time.Duration) bool {
	clock := m.p.env.Clock
	half := d / 2
	t := clock.NewTimer(half + time.Duration(m.p.env.Rand.Uint64()%uint64(half+1)))
	defer t.Stop()
	select {
	case <-t.C():
		return false
	case <-m.ctx.Done():
		return false
	case <-m.redial:
	}
	t.Reset(max(0, minPause-clock.Now().Sub(began)))
	select {
	case <-t.C():
	case <-m.ctx.Done():
	}
	return true
}

// connect makes a connection and returns why it is over, and how long it was up.
func (m *member) connect() (up time.Duration, err error) {
	c, hello, err := m.open(m.ctx, wordHello)
	if err != nil {
		return 0, err
	}
	if err := c.say(wordReady, nil); err != nil {
		return 0, c.over(err)
	}
	c.settled()
	o := &outgoing{conn: c, hello: hello, queue: newQueue()}
	began := m.p.env.Clock.Now()
	m.p.log.Info("connected to member", "member", m.number, "address", m.address)
	m.out.Store(o)
	m.p.h.Up(m.number, hello)
	writer := run.NewGroup(c.ctx)
	writer.Go("peer-writer", func(ctx context.Context) error { o.write(ctx); return nil })
	err = c.over(o.watch())
	m.out.Store(nil)
	_ = writer.Wait() // err again
	m.p.h.Down(m.number, err)
	return max(1, m.p.env.Clock.Now().Sub(began)), err
}

// open dials and says hello; the connection is then to be used for what kind
// says. Its context derives from ctx.
func (m *member) open(ctx context.Context, kind wordKind) (*conn, Hello, error) {
	c := m.p.newConn(ctx)
	h, err := m.greet(c, kind)
	if err != nil {
		_ = c.over(err) // that it took too long to tell the other side is no news
		return nil, h, err
	}
	return c, h, nil
}

func (m *member) greet(c *conn, kind wordKind) (Hello, error) {
	raw, err := m.p.env.Net.Dial(c.ctx, "tcp", m.address)
	if err != nil {
		return Hello{}, c.why(err)
	}
	if err := m.p.take(c, raw, true); err != nil {
		return Hello{}, err
	}
	mine, err := m.p.greeting(m.number)
	if err != nil {
		return Hello{}, err
	}
	if err := c.say(kind, appendHello(nil, mine)); err != nil {
		return Hello{}, err
	}
	w, err := c.expect(wordAnswer)
	if err != nil {
		return Hello{}, err
	}
	h, err := decodeHello(w.body)
	if err == nil {
		err = h.meets(mine)
	}
	if err == nil {
		err = m.p.h.Accept(h, true)
	}
	if err != nil {
		c.refuse(err)
		return h, fmt.Errorf("its hello does not do: %w", err)
	}
	return h, nil
}

// greeting is what the owner says to a member.
func (p *Peers) greeting(to uint64) (Hello, error) {
	h := p.h.Greet(to)
	h.To = to
	if len(h.Greeting) > maxGreeting {
		return h, fmt.Errorf("a greeting of %d bytes, limit %d", len(h.Greeting), maxGreeting)
	}
	return h, nil
}

// outgoing is a connection to a member while it is up.
type outgoing struct {
	conn  *conn
	hello Hello
	queue queue
}

func (o *outgoing) send(kind byte, payload []byte, cfg *Config) bool {
	waits, ok := 0, false
	if len(payload) <= cfg.MaxFrame {
		waits, ok = o.queue.put(kind, payload, cfg.QueueBytes)
	} else {
		o.queue.refuse()
	}
	if !ok {
		// It is the first reason that counts.
		o.conn.cancel(fmt.Errorf("%w: %d bytes, and another %d", ErrOverflow, waits, len(payload)))
	}
	return ok
}

// write sends whatever waits, in one go, until the connection ends.
func (o *outgoing) write(ctx context.Context) {
	for {
		select {
		case <-o.queue.ready:
		case <-ctx.Done():
			return
		}
		for {
			bufs := o.queue.take()
			if len(bufs) == 0 {
				break
			}
			if err := o.conn.writeAll(bufs); err != nil {
				o.conn.cancel(fmt.Errorf("write: %w", err))
				return
			}
			o.queue.written(bufs)
		}
	}
}

// watch waits for the end: the other side sends nothing on this connection, and
// is silent as long as it lives.
func (o *outgoing) watch() error {
	// A deadline that cannot be taken away shows at the read itself.
	_ = o.conn.nc.SetReadDeadline(time.Time{})
	var b [1]byte
	n, err := o.conn.nc.Read(b[:])
	if n > 0 {
		return &ProtocolError{Reason: "bytes came on a connection that is for sending"}
	}
	return o.conn.why(err)
}
