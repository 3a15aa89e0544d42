package fault

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"
)

// network is a life's env.Net.
type network struct{ life *life }

// connectTimeout is how long Linux tries to reach a host that does not answer.
const connectTimeout = 127 * time.Second

// Listen implements env.Net.
func (n network) Listen(ctx context.Context, proto, address string) (net.Listener, error) {
	n.life.awaitRun()
	h := n.life.host
	base, err := h.base.Net.Listen(ctx, proto, address)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: base, life: n.life}
	if !keep(n.life, n.life.mu.listeners, l) {
		_ = base.Close() // of the dead
		return nil, &net.OpError{Op: "listen", Net: proto, Err: ErrKilled}
	}
	h.net.Know(base.Addr().String(), h.name)
	return l, nil
}

// Dial implements env.Net. Over a cut link it waits, as one whose packets are
// lost.
func (n network) Dial(ctx context.Context, proto, address string) (net.Conn, error) {
	if n.life.isDead() {
		return nil, &net.OpError{Op: "dial", Net: proto, Err: ErrKilled}
	}
	if err := n.reach(ctx, proto, address); err != nil {
		return nil, err
	}
	h := n.life.host
	base, err := h.base.Net.Dial(ctx, proto, address)
	if err != nil {
		return nil, err
	}
	peer, _ := h.net.owner(address)
	c := newConn(base, n.life, &peer)
	h.net.Know(base.LocalAddr().String(), h.name)
	if !keep(n.life, n.life.mu.conns, c) {
		_ = c.Close() // of the dead
		return nil, &net.OpError{Op: "dial", Net: proto, Addr: base.RemoteAddr(), Err: ErrKilled}
	}
	return c, nil
}

// reach waits until packets pass in both directions.
func (n network) reach(ctx context.Context, proto, address string) error {
	h := n.life.host
	var over <-chan time.Time
	for {
		peer, _ := h.net.owner(address)
		changed, _ := h.net.obstacle(h, link{h.name, peer}, link{peer, h.name})
		if changed == nil {
			return nil
		}
		if over == nil {
			t := h.base.Clock.NewTimer(connectTimeout)
			defer t.Stop()
			over = t.C()
		}
		var err error
		select {
		case <-changed:
		case <-over:
			err = os.NewSyscallError("connect", syscall.ETIMEDOUT)
		case <-n.life.dead:
			err = ErrKilled
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			return &net.OpError{Op: "dial", Net: proto, Err: err}
		}
	}
}

// listener is a life's listener.
type listener struct {
	net.Listener
	life *life
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	base, err := l.Listener.Accept()
	l.life.awaitRun()
	if err != nil {
		return nil, err
	}
	c := newConn(base, l.life, nil)
	if !keep(l.life, l.life.mu.conns, c) {
		_ = c.Close() // of the dead
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	return c, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	drop(l.life, l.life.mu.listeners, l)
	l.life.host.net.forget(l.Addr(), l.life.host.name)
	return l.Listener.Close()
}
