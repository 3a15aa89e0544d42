package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
)

const (
	// backoffMin and backoffMax bound the wait before all servers are tried once
	// more. The first is short since an embedded keeper is back in milliseconds,
	// the second far below every session timeout in use.
	backoffMin = 50 * time.Millisecond
	backoffMax = 2 * time.Second
	// readBuffer is enough for hundreds of ordinary replies per read.
	readBuffer = 16 << 10
)

// live is the session's goroutine: it connects, serves the connection until it
// breaks, and starts over until the session is dead.
func (s *Session) live(ctx context.Context) error {
	for {
		l, err := s.connect(ctx)
		if err == nil {
			err = s.serve(ctx, l)
		}
		if st, cause := s.verdict(ctx, err); cause != nil {
			s.die(cause, st)
			return nil
		}
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "zookeeper connection lost", slog.Any("error", err))
		if err := s.lose(); err != nil {
			s.die(err, zk.StateExpired)
			return nil
		}
	}
}

// verdict tells why the session is dead after err, and what to call that; nil
// when it only lost its connection.
func (s *Session) verdict(ctx context.Context, err error) (st zk.State, cause error) {
	switch {
	case errors.Is(err, zk.ErrSessionExpired):
		return zk.StateExpired, zk.ErrSessionExpired
	case errors.Is(err, zk.ErrAuthFailed):
		return zk.StateAuthFailed, zk.ErrAuthFailed
	case errors.Is(err, ErrOverflow):
		return zk.StateExpired, err
	case s.isClosing() || ctx.Err() != nil:
		return zk.StateClosed, ErrClosed
	}
	return zk.StateDisconnected, nil
}

func (s *Session) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closing
}

// shuffle puts the servers into random order, so that sessions spread.
func (s *Session) shuffle() {
	v := s.cfg.Servers
	for i := len(v) - 1; i > 0; i-- {
		j := int(s.env.Rand.Uint64() % uint64(i+1))
		v[i], v[j] = v[j], v[i]
	}
}

// link is one established connection.
type link struct {
	conn net.Conn
	r    *bufio.Reader
	resp zk.ConnectResponse
	// asked is when the server was asked for the session, made when it accepted.
	asked, made time.Time
}

// connect tries servers until one accepts the session. Every round through all
// of them waits longer than the one before.
func (s *Session) connect(ctx context.Context) (*link, error) {
	servers := max(len(s.cfg.Servers), 1)
	for {
		if round := s.attempts / servers; round > 0 {
			if err := env.Sleep(ctx, s.env.Clock, s.backoff(round)); err != nil {
				return nil, err
			}
		}
		s.attempts++
		l, err := s.tryConnect(ctx)
		if err == nil {
			return l, nil
		}
		if _, cause := s.verdict(ctx, err); cause != nil {
			return nil, err
		}
		s.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "zookeeper connect failed", slog.Any("error", err))
	}
}

// backoff returns the wait before round n ≥ 1: doubling, the upper half random.
func (s *Session) backoff(n int) time.Duration {
	d := backoffMax
	if n < 16 {
		d = min(backoffMax, backoffMin<<(n-1))
	}
	return d/2 + time.Duration(s.env.Rand.Uint64()%uint64(d/2))
}

// errConnectTimeout cancels an attempt that takes too long.
var errConnectTimeout = errors.New("no answer within the connect timeout")

// tryConnect dials one server and asks it for the session. Like Java's client
// it gives each server its share of the session timeout.
func (s *Session) tryConnect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := s.Timeout() / time.Duration(max(len(s.cfg.Servers), 1))
	timer := s.env.Clock.AfterFunc(limit, func() { cancel(errConnectTimeout) })
	defer timer.Stop()

	conn, server, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	l := &link{conn: conn, r: bufio.NewReaderSize(conn, readBuffer)}
	err = s.handshake(l)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("zookeeper %s: %w", server, err)
	}
	return l, nil
}

func (s *Session) dial(ctx context.Context) (conn net.Conn, server string, err error) {
	if s.cfg.Dialer != nil {
		conn, err = s.cfg.Dialer(ctx)
		return conn, "by dialer", err
	}
	server = s.cfg.Servers[s.next%len(s.cfg.Servers)]
	s.next++
	conn, err = s.env.Net.Dial(ctx, "tcp", server)
	return conn, server, err
}

// handshake exchanges the connect packets. A timeout of 0 in the response is
// the server's word that the session is gone.
func (s *Session) handshake(l *link) error {
	req := s.connectRequest()
	l.asked = s.env.Clock.Now()
	if _, err := l.conn.Write(zk.AppendFrame(nil, &req)); err != nil {
		return fmt.Errorf("send connect request: %w", err)
	}
	frame, err := zk.ReadFrame(l.r, nil, s.cfg.MaxFrame)
	if err != nil {
		return fmt.Errorf("read connect response: %w", err)
	}
	if err := zk.Unmarshal(frame, &l.resp); err != nil {
		return fmt.Errorf("connect response: %w", err)
	}
	if l.resp.Timeout <= 0 {
		return fmt.Errorf("session %#x: %w", req.SessionID, zk.ErrSessionExpired)
	}
	if l.resp.ReadOnly && !s.cfg.ReadOnly {
		return errors.New("server has no quorum")
	}
	l.made = s.env.Clock.Now()
	return nil
}

func (s *Session) connectRequest() zk.ConnectRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := zk.ConnectRequest{
		LastZxidSeen: s.mu.lastZxid,
		Timeout:      int32(min(s.cfg.Timeout.Milliseconds(), 1<<31-1)),
		Password:     make([]byte, zk.PasswordSize),
		ReadOnly:     s.cfg.ReadOnly,
	}
	if s.mu.attachable {
		r.SessionID, r.Password = s.mu.id, s.mu.password
	}
	return r
}
