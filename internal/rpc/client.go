package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

const (
	// DefaultTimeout is Kafka's request.timeout.ms.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxInFlight bounds the calls waiting for answers. Between brokers
	// there is seldom more than one; the bound is against a caller gone wild.
	DefaultMaxInFlight = 64
	// DefaultMaxResponse bounds a response in bytes: twice Kafka's
	// socket.request.max.bytes, for a follower's fetch may exceed its own bounds
	// by one batch.
	DefaultMaxResponse = 200 << 20
)

var (
	// ErrClosed is returned once Close was called.
	ErrClosed = errors.New("rpc client is closed")
	// ErrTimeout is returned for a call without an answer in time. Its
	// connection is given up with it, for later answers could not overtake.
	ErrTimeout = errors.New("no answer in time")
	// ErrUnsupported is returned when both sides have no version in common.
	ErrUnsupported = errors.New("no version in common")
)

// Config says where to connect, and as whom.
type Config struct {
	// Address is the host:port of a listener.
	Address string
	// ClientID goes into every request header.
	ClientID string
	// Secure turns a new connection into one that may carry requests: a TLS
	// handshake, a SASL exchange (RoundTrip helps). It must end with ctx. Nil for
	// plain text.
	Secure func(ctx context.Context, conn net.Conn) (net.Conn, error)
	// Negotiate asks for the peer's versions on every new connection; Version
	// needs it. Controllers and followers do not ask: they send what
	// inter.broker.protocol.version says.
	Negotiate bool
	// Software is what ApiVersions tells the peer; only with Negotiate.
	SoftwareName, SoftwareVersion string
	// Timeout bounds connecting, and each call; zero is DefaultTimeout, negative
	// waits as long as the call's context.
	Timeout time.Duration
	// MaxInFlight bounds calls; zero is DefaultMaxInFlight.
	MaxInFlight int
	// MaxResponse bounds a response in bytes; zero is DefaultMaxResponse.
	MaxResponse int
}

// Client sends requests to one listener. It is safe for concurrent use.
type Client struct {
	cfg   Config
	env   env.Env
	group *run.Group
	// slots holds a token per call in flight.
	slots chan struct{}
	// dialling holds a token while a connection is being made.
	dialling chan struct{}
	mu       struct {
		sync.Mutex
		link   *link // nil until the first call and after a break
		closed bool
	}
}

// New returns a client that has not connected yet. Its goroutines live below ctx,
// and end with Close.
func New(ctx context.Context, cfg Config, e env.Env) *Client {
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	cfg.MaxInFlight = cmp.Or(cfg.MaxInFlight, DefaultMaxInFlight)
	cfg.MaxResponse = cmp.Or(cfg.MaxResponse, DefaultMaxResponse)
	return &Client{
		cfg: cfg, env: e, group: run.NewGroup(ctx),
		slots:    make(chan struct{}, cfg.MaxInFlight),
		dialling: make(chan struct{}, 1),
	}
}

// Call is one request and where its answer goes.
type Call struct {
	Request wire.Body
	Version int16
	// Response receives the answer; nil for a new one of the request's kind.
	Response wire.Body
	// Buffer is read into where it is large enough; after Do it is what holds the
	// frame, and bytes in Response alias it.
	Buffer []byte
}

// Do sends the request and waits for the answer. The errors of a connection
// mean that the peer may or may not have handled it.
func (c *Client) Do(ctx context.Context, call *Call) error {
	if call.Response == nil {
		call.Response = wire.NewResponse(call.Request.Key())
	}
	ctx, cancel := c.bound(ctx)
	defer cancel(nil)
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return c.explain(call, context.Cause(ctx))
	}
	l, err := c.connected(ctx)
	if err == nil {
		err = l.do(ctx, call)
	}
	return c.explain(call, err)
}

func (c *Client) explain(call *Call, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s v%d to %s: %w", call.Request.Key(), call.Version, c.cfg.Address, err)
}

// Ask is Do for a call that does not reuse memory.
func (c *Client) Ask(ctx context.Context, req wire.Body, version int16) (wire.Body, error) {
	call := Call{Request: req, Version: version}
	if err := c.Do(ctx, &call); err != nil {
		return nil, err
	}
	return call.Response, nil
}

// Version connects if need be and returns the highest version of an API that
// both sides know, at most limit.
func (c *Client) Version(ctx context.Context, k wire.Key, limit int16) (int16, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel(nil)
	l, err := c.connected(ctx)
	if err != nil {
		return 0, fmt.Errorf("versions of %s: %w", c.cfg.Address, err)
	}
	theirs, ok := l.versions[k]
	if v := min(limit, theirs.max); ok && v >= theirs.min {
		return v, nil
	}
	return 0, fmt.Errorf("%s up to v%d at %s: %w", k, limit, c.cfg.Address, ErrUnsupported)
}

// bound applies the client's timeout and life to a context.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.group.Context(), func() { cancel(ErrClosed) })
	if c.cfg.Timeout < 0 {
		return ctx, func(err error) { stop(); cancel(err) }
	}
	t := c.env.Clock.AfterFunc(c.cfg.Timeout, func() { cancel(ErrTimeout) })
	return ctx, func(err error) {
		t.Stop()
		stop()
		cancel(err)
	}
}

// connected returns the connection, making it when there is none.
func (c *Client) connected(ctx context.Context) (*link, error) {
	if l, err := c.current(); l != nil || err != nil {
		return l, err
	}
	select {
	case c.dialling <- struct{}{}:
		defer func() { <-c.dialling }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l, err := c.current(); l != nil || err != nil {
		return l, err // another call made it meanwhile
	}
	l, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		l.fail(ErrClosed)
		return nil, ErrClosed
	}
	c.mu.link = l
	return l, nil
}

func (c *Client) current() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.closed:
		return nil, ErrClosed
	case c.mu.link != nil && c.mu.link.broken():
		c.mu.link = nil
	}
	return c.mu.link, nil
}

// Disconnect gives up the connection, if there is one; the next call makes a
// new one. Calls in flight fail with err.
func (c *Client) Disconnect(err error) {
	c.mu.Lock()
	l := c.mu.link
	c.mu.link = nil
	c.mu.Unlock()
	if l != nil {
		l.fail(err)
	}
}

// Close ends the connection and all calls, and waits for the goroutines.
func (c *Client) Close() error {
	c.mu.Lock()
	c.mu.closed = true
	c.mu.Unlock()
	c.group.Stop()
	c.Disconnect(ErrClosed)
	return c.group.Wait()
}
