package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// Server accepts connections on its listeners and feeds one Handler.
type Server struct {
	cfg     Config
	env     env.Env
	log     *slog.Logger
	handler Handler
	frames  *run.Budget
	group   *run.Group

	mu struct {
		sync.Mutex
		conns       map[*Conn]struct{}
		perIP       map[string]int
		perListener map[string]int
		stop        bool
	}
	// room has one token per listener: it tells its acceptor that a connection
	// ended. The map never changes.
	room      map[string]chan struct{}
	listeners []net.Listener
	bound     []Bound
}

// New prepares a server; nothing is bound before Start.
func New(cfg Config, handler Handler, e env.Env, log *slog.Logger) *Server {
	if cfg.FrameMemory <= 0 {
		cfg.FrameMemory = DefaultFrameMemory
	}
	s := &Server{cfg: cfg, env: e, log: log, handler: handler, frames: run.NewBudget(cfg.FrameMemory)}
	s.mu.conns = map[*Conn]struct{}{}
	s.mu.perIP, s.mu.perListener = map[string]int{}, map[string]int{}
	s.room = map[string]chan struct{}{}
	for _, l := range cfg.Listeners {
		s.room[l.Name] = make(chan struct{}, 1)
	}
	return s
}

// Bind binds all listeners, so that their ports are known, and accepts
// nothing yet. An address in use is an error that names listener and address.
func (s *Server) Bind(ctx context.Context) ([]Bound, error) {
	for _, l := range s.cfg.Listeners {
		ln, err := s.env.Net.Listen(ctx, "tcp", l.Address)
		if err != nil {
			err = fmt.Errorf("listener %s cannot bind %s: %w", l.Name, l.Address, err)
			return nil, errors.Join(err, s.closeListeners())
		}
		s.listeners = append(s.listeners, ln)
		s.bound = append(s.bound, Bound{Listener: l, Addr: ln.Addr()})
	}
	return s.bound, nil
}

func (s *Server) closeListeners() error {
	var errs []error
	for _, ln := range s.listeners {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Serve starts accepting on the bound listeners.
func (s *Server) Serve(ctx context.Context) {
	s.group = run.NewGroup(ctx)
	for i, ln := range s.listeners {
		s.group.Go("accept-"+s.bound[i].Name, func(ctx context.Context) error {
			return s.accept(ctx, ln, s.bound[i].Listener)
		})
	}
}

// acceptPause is how long accept rests after the system refused a connection
// (too many open files): long enough not to spin.
const acceptPause = 50 * time.Millisecond

func (s *Server) accept(ctx context.Context, ln net.Listener, l Listener) error {
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			s.admit(ctx, nc, l)
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		default:
			s.log.Error("cannot accept a connection", "listener", l.Name, "error", err)
			if env.Sleep(ctx, s.env.Clock, acceptPause) != nil {
				return nil
			}
		}
	}
}

// admit waits for a place, checks the limits of connections and starts the
// connection's loop.
func (s *Server) admit(ctx context.Context, nc net.Conn, l Listener) {
	c := &Conn{Listener: l, srv: s, nc: nc, zeroCopy: true, peer: env.Host(nc.RemoteAddr())}
	c.mu.decided.L = &c.mu.Mutex
	c.mu.wrote = s.env.Clock.Now()
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	if err := s.register(ctx, c); err != nil {
		s.log.Info("refusing connection", "listener", l.Name, "peer", nc.RemoteAddr().String(), "cause", err)
		c.cancel(net.ErrClosed)
		_ = nc.Close() // refused anyway
		return
	}
	s.tune(nc)
	s.group.Light(c.serve)
}

// tune sets socket buffers where the configuration asks for it.
func (s *Server) tune(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	// Failures only leave the system's own sizes.
	if s.cfg.SendBuffer > 0 {
		_ = tcp.SetWriteBuffer(s.cfg.SendBuffer)
	}
	if s.cfg.ReceiveBuffer > 0 {
		_ = tcp.SetReadBuffer(s.cfg.ReceiveBuffer)
	}
}

// Stop closes listeners and connections and waits for their goroutines.
func (s *Server) Stop() error {
	err := s.closeListeners()
	s.mu.Lock()
	s.mu.stop = true
	var open []*Conn
	for c := range s.mu.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	slices.SortFunc(open, func(a, b *Conn) int { return strings.Compare(a.nc.RemoteAddr().String(), b.nc.RemoteAddr().String()) })
	for _, c := range open {
		c.fail(net.ErrClosed)
	}
	if s.group != nil {
		s.group.Stop()
		err = errors.Join(err, s.group.Wait())
	}
	return err
}
