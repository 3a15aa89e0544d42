package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// Response is the outcome of one request.
type Response struct {
	// Err is nil, a zk.Err from the server, zk.ErrConnectionLoss when the
	// request may or may not have been done, the reason why the session is dead,
	// or why the request was not sent. For a failed multi it is the error of the
	// operation at fault.
	Err error
	// Zxid is the last zxid the server had processed when it answered.
	Zxid int64
	// Body is of the type zk.NewResponse gives for the operation; nil after
	// errors, except that of a failed multi, and for operations without one.
	Body zk.Record
}

// call is one request in flight.
type call struct {
	req  zk.Request // as sent, with the chroot
	xid  int32
	done func(Response)
	// slot is whether the call holds a token of Session.slots.
	slot bool
	// queued is when the request was accepted: the server gets it later.
	queued time.Time
}

// Send queues a request behind those sent before and returns; it waits while
// MaxInFlight are in flight. done is called once, on the session's goroutine,
// in the order of requests and after the events that precede the reply; it must
// not block. An error means that the request was not sent and done is not
// called: zk.ErrConnectionLoss while there is no connection.
func (s *Session) Send(ctx context.Context, req zk.Request, done func(Response)) error {
	req, err := withChroot(s.cfg.Chroot, req)
	if err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.refusalLocked(); err == nil {
		err = s.enqueueLocked(&call{req: req, done: done, slot: true})
	}
	if err != nil {
		<-s.slots
	}
	return err
}

// refusalLocked returns why no request can be sent now.
func (s *Session) refusalLocked() error {
	switch {
	case s.mu.phase == dead:
		return s.mu.cause
	case s.mu.closing:
		return ErrClosed
	case s.mu.phase == connecting:
		return zk.ErrConnectionLoss
	}
	return nil
}

// enqueueLocked gives c an xid and appends its frame to what is to be written.
func (s *Session) enqueueLocked(c *call) error {
	if s.mu.xid == math.MaxInt32 {
		s.mu.xid = 0
	}
	c.xid = s.mu.xid + 1
	start := len(s.mu.out)
	out := zk.AppendRequest(s.mu.out, c.xid, c.req)
	if n := len(out) - start; n > s.cfg.MaxFrame {
		return fmt.Errorf("%v request of %d bytes is longer than %d: %w", c.req.Op(), n, s.cfg.MaxFrame, zk.ErrBadArguments)
	}
	s.mu.xid++
	s.mu.out = out
	c.queued = s.env.Clock.Now()
	s.mu.inflight = append(s.mu.inflight, c)
	s.wakeLocked()
	return nil
}

// complete frees c's slot and calls back.
func (s *Session) complete(c *call, r Response) {
	if c.slot {
		<-s.slots
	}
	c.done(r)
}

// response decodes the reply to c. Strings are copied by decoding; where a body
// holds buffers it is copied first, because the frame is used again.
func (s *Session) response(c *call, h zk.ReplyHeader, body []byte) (Response, error) {
	op := c.req.Op()
	r := Response{Err: h.Err.OrNil(), Zxid: h.Zxid}
	if r.Err != nil {
		return r, nil
	}
	if r.Body = zk.NewResponse(op); r.Body == nil {
		return r, nil
	}
	switch op {
	case zk.OpGetData, zk.OpMultiRead, zk.OpReconfig, zk.OpSASL:
		body = bytes.Clone(body)
	}
	if err := zk.Unmarshal(body, r.Body); err != nil {
		return Response{}, fmt.Errorf("reply to %v: %w", op, err)
	}
	stripBody(s.cfg.Chroot, r.Body)
	if m, ok := r.Body.(*zk.MultiResponse); ok && op == zk.OpMulti {
		_, r.Err = m.Fault()
	}
	return r, nil
}

// batch gathers the responses of one Do.
type batch struct {
	mu struct {
		sync.Mutex
		responses []Response
		left      int
	}
	// full gets a token when nothing is left.
	full chan struct{}
}

func (b *batch) put(i int, r Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.responses[i] = r
	if b.mu.left--; b.mu.left == 0 {
		b.full <- struct{}{}
	}
}

// Do sends all requests without waiting in between and returns their responses
// in the same order, when the last has come or ctx ends; those that have not
// come by then carry ctx's cause.
func (s *Session) Do(ctx context.Context, reqs []zk.Request) []Response {
	if len(reqs) == 0 {
		return nil
	}
	b := &batch{full: make(chan struct{}, 1)}
	b.mu.responses, b.mu.left = make([]Response, len(reqs)), len(reqs)
	unanswered := errors.New("unanswered") // replaced below, never seen
	for i := range b.mu.responses {
		b.mu.responses[i].Err = unanswered
	}
	for i, req := range reqs {
		if err := s.Send(ctx, req, func(r Response) { b.put(i, r) }); err != nil {
			b.put(i, Response{Err: err})
		}
	}
	select {
	case <-b.full:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.mu.responses)
	for i := range out {
		if errors.Is(out[i].Err, unanswered) {
			out[i].Err = context.Cause(ctx)
		}
	}
	return out
}

// DoRetry is Do, but sends requests that met zk.ErrConnectionLoss again once the
// session is connected, as Kafka's client does: an operation may then happen
// twice, and its caller must be content with zk.ErrNodeExists, zk.ErrNoNode or
// zk.ErrBadVersion as the trace of the first time.
func (s *Session) DoRetry(ctx context.Context, reqs []zk.Request) []Response {
	out := s.Do(ctx, reqs)
	for {
		var lost []int
		for i := range out {
			if errors.Is(out[i].Err, zk.ErrConnectionLoss) {
				lost = append(lost, i)
			}
		}
		if len(lost) == 0 {
			return out
		}
		err := s.WaitConnected(ctx)
		if err != nil {
			for _, i := range lost {
				out[i].Err = err
			}
			return out
		}
		again := make([]zk.Request, len(lost))
		for k, i := range lost {
			again[k] = reqs[i]
		}
		for k, r := range s.Do(ctx, again) {
			out[lost[k]] = r
		}
	}
}

// Retrying returns the typed operations with the habits of DoRetry.
func (s *Session) Retrying() Calls { return Calls{do: s.DoRetry} }

// AddAuth adds an id to the session, now and after every reconnect. An error
// other than zk.ErrConnectionLoss, which only delays it, kills the session.
func (s *Session) AddAuth(ctx context.Context, scheme string, auth []byte) error {
	answer := make(chan error, 1)
	s.mu.Lock()
	a := AuthInfo{Scheme: scheme, Auth: bytes.Clone(auth)}
	err := s.refusalLocked()
	if err == nil || errors.Is(err, zk.ErrConnectionLoss) {
		s.mu.auth = append(s.mu.auth, a)
	}
	if err == nil {
		s.queueAuthLocked(a, func(r Response) { answer <- r.Err })
		s.wakeLocked()
	}
	s.mu.Unlock()
	if err == nil {
		select {
		case err = <-answer:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("add %s id to zookeeper session: %w", scheme, err)
	}
	return nil
}

// queueAuthLocked appends an auth packet; done may be nil.
func (s *Session) queueAuthLocked(a AuthInfo, done func(Response)) {
	s.mu.out = zk.AppendRequest(s.mu.out, zk.XidAuth, &zk.AuthRequest{Scheme: a.Scheme, Auth: a.Auth})
	s.mu.authWaits = append(s.mu.authWaits, done)
}
