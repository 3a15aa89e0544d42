package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/zk"
)

var (
	// ErrClosed is what calls get after Close.
	ErrClosed = errors.New("zookeeper session is closed")
	// ErrOverflow ends a session whose events nobody reads.
	ErrOverflow = errors.New("zookeeper session ended: its events are not read")
)

// Session is one ZooKeeper session. It connects again by itself until the
// server says that the session expired; it is then dead, and its owner makes a
// new one. All methods may be called from many goroutines.
type Session struct {
	// Calls has the typed operations; each is tried once.
	Calls

	cfg    Config
	env    env.Env
	group  *run.Group
	events *run.Inbox[zk.Event]
	// slots holds one token per request in flight.
	slots chan struct{}
	// wake tells the writer to look at mu.out.
	wake chan struct{}
	// attempts counts tries to connect since a connection last held, next the
	// servers tried ever. Only the session's goroutine uses them.
	attempts, next int

	mu struct {
		sync.Mutex
		phase phase
		// cause is why the session is dead.
		cause error
		// closing is set by Close: nothing more is accepted.
		closing bool
		// changed has one channel per WaitConnected, woken in order.
		changed []chan struct{}

		id       int64
		password []byte
		// attachable is whether id and password came from a server that has a
		// quorum; those of read-only servers mean nothing elsewhere.
		attachable bool
		timeout    time.Duration
		lastZxid   int64
		xid        int32
		// heardOf is when the newest request that was answered left, or before.
		heardOf time.Time
		// pings are when the pings left that wait for an answer.
		pings []time.Time

		auth    []AuthInfo
		watches watches

		// out is what the writer has not taken yet.
		out []byte
		// inflight are the calls that wait for replies, oldest first.
		inflight []*call
		// authWaits has one entry per auth packet not answered yet; nil for
		// those nobody waits for.
		authWaits []func(Response)
	}
}

// phase is where a session stands.
type phase uint8

const (
	connecting phase = iota
	connected
	dead
)

// Dial makes a session, or attaches to the one that cfg names, and waits until
// it is connected. ctx bounds that wait only: the session lives until Close or
// until it expires. Errors wrap zk.ErrSessionExpired when the session to attach
// to does not exist any more, and zk.ErrAuthFailed.
func Dial(ctx context.Context, cfg Config, e env.Env) (*Session, error) {
	cfg, err := cfg.normalised()
	if err != nil {
		return nil, err
	}
	s := &Session{
		cfg:    cfg,
		env:    e,
		group:  run.NewGroup(context.WithoutCancel(ctx)),
		events: run.NewInbox[zk.Event](cfg.MaxEvents),
		slots:  make(chan struct{}, cfg.MaxInFlight),
		wake:   make(chan struct{}, 1),
	}
	s.Calls = Calls{do: s.Do}
	s.mu.id, s.mu.password, s.mu.attachable = cfg.SessionID, cfg.Password, cfg.SessionID != 0
	s.mu.timeout = cfg.Timeout
	s.mu.auth = cfg.Auth
	s.mu.watches = newWatches()
	s.shuffle()
	s.group.Go("zk session", s.live)
	if err := s.WaitConnected(ctx); err != nil {
		s.group.Stop()
		s.group.Wait()
		return nil, fmt.Errorf("connect to zookeeper %v: %w", cfg.Servers, err)
	}
	return s, nil
}

// ID returns the session's id, 0 before the first connection.
func (s *Session) ID() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.id
}

// Password returns what another connection needs to attach to the session. The
// caller must not change it.
func (s *Session) Password() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.password
}

// Timeout returns the session timeout that the server granted.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.timeout
}

// LastZxid returns the newest zxid that a reply carried.
func (s *Session) LastZxid() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.lastZxid
}

// Events returns the stream of watch events and of state changes; the latter
// have type zk.EventNone. An event is in the stream before a reply that could
// show what it tells is handed out. The stream is closed after StateExpired,
// StateAuthFailed or StateClosed. It stays empty when Config.OnEvent is set.
func (s *Session) Events() *run.Inbox[zk.Event] { return s.events }

// WaitConnected waits until the session is connected. It returns an error when
// ctx ends or when the session is dead: zk.ErrSessionExpired, zk.ErrAuthFailed,
// ErrClosed or ErrOverflow.
func (s *Session) WaitConnected(ctx context.Context) error {
	for {
		ch, err := s.watchPhase()
		if ch == nil {
			return err
		}
		select {
		case <-ch:
		case <-ctx.Done():
			s.forget(ch)
			return context.Cause(ctx)
		}
	}
}

// forget drops a channel of watchPhase that nobody waits for any more.
func (s *Session) forget(ch chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.changed = slices.DeleteFunc(s.mu.changed, func(c chan struct{}) bool { return c == ch })
}

// watchPhase returns nil and the outcome when there is nothing to wait for, or
// else a channel that gets a token at the next change.
func (s *Session) watchPhase() (chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.phase == dead:
		return nil, s.mu.cause
	case s.mu.closing:
		return nil, ErrClosed
	case s.mu.phase == connected:
		return nil, nil
	}
	ch := make(chan struct{}, 1)
	s.mu.changed = append(s.mu.changed, ch)
	return ch, nil
}

// setPhaseLocked changes the phase and wakes who waits for it.
func (s *Session) setPhaseLocked(p phase) {
	s.mu.phase = p
	for _, ch := range s.mu.changed {
		ch <- struct{}{}
	}
	s.mu.changed = nil
}

// Close ends the session, which deletes its ephemeral nodes, and waits for the
// server's word, for ctx, and for the session's goroutines. When the server
// cannot be told, the error is zk.ErrConnectionLoss and the session ends there
// with its timeout. It must not be called from a callback.
func (s *Session) Close(ctx context.Context) error {
	answer := make(chan error, 1)
	err := s.sendClose(func(r Response) { answer <- r.Err })
	if err == nil {
		select {
		case err = <-answer:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	s.group.Stop()
	s.group.Wait()
	if errors.Is(err, ErrClosed) || errors.Is(err, zk.ErrSessionExpired) || errors.Is(err, zk.ErrAuthFailed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("close zookeeper session %#x: %w", s.ID(), err)
	}
	return nil
}

// sendClose refuses further requests and queues the closing one behind those
// accepted before. It is not bound by MaxInFlight.
func (s *Session) sendClose(done func(Response)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusalLocked(); err != nil {
		s.mu.closing = true
		return err
	}
	s.mu.closing = true
	return s.enqueueLocked(&call{req: zk.CloseRequest{}, done: done})
}

// CloseOther attaches to a session that an earlier process left and closes it,
// which deletes its ephemeral nodes. It reports false when that session does
// not exist any more. cfg says where; its own SessionID is ignored.
func CloseOther(ctx context.Context, cfg Config, e env.Env, id int64, password []byte) (bool, error) {
	cfg.SessionID, cfg.Password = id, password
	s, err := Dial(ctx, cfg, e)
	if errors.Is(err, zk.ErrSessionExpired) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("attach to session %#x: %w", id, err)
	}
	return true, s.Close(ctx)
}

// emit hands an event to the owner. It is called on the session's goroutine
// only.
func (s *Session) emit(ev zk.Event) error {
	if s.cfg.OnEvent != nil {
		s.cfg.OnEvent(ev)
		return nil
	}
	if err := s.events.TryPut(ev); err != nil {
		return fmt.Errorf("%d events wait: %w", s.cfg.MaxEvents, ErrOverflow)
	}
	return nil
}

// emitState is emit for a change of the session's own state. One that finds no
// room is left out: the session is ending for that very reason.
func (s *Session) emitState(st zk.State) error {
	s.cfg.Log.LogAttrs(s.group.Context(), slog.LevelInfo, "zookeeper session",
		slog.String("state", st.String()), slog.String("id", fmt.Sprintf("%#x", s.ID())))
	return s.emit(zk.Event{Type: zk.EventNone, State: st})
}
