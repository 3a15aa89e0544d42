package server

import (
	"fmt"
	"sync/atomic"

	"github.com/gregor-mq/gregor/wire"
)

// Handler serves requests. Handle is called on the connection's goroutine, in
// the order of arrival; it must not block on anything but its own quick work,
// and answers now or later through the Request.
type Handler interface {
	Handle(r *Request)
}

// Request is one decoded header with its body, and the place for its answer.
// Exactly one of Reply, ReplyFunc, NoReply and CloseConn is called, from any
// goroutine.
type Request struct {
	// Header is the request header; its strings are copies.
	Header wire.RequestHeader
	// Body aliases the frame. For produce and fetch it is valid until Release,
	// or until the answer when Release is not called; else for good.
	Body []byte
	// Conn is where it came from.
	Conn *Conn

	frame    *[]byte // nil when the frame fit into the connection's own bytes
	cost     int64   // what the frame holds of the budget
	released atomic.Bool

	// Guarded by Conn.mu.
	state  replyState
	body   wire.Body
	build  func() wire.Body
	cancel func()
}

type replyState uint8

const (
	waiting replyState = iota
	ready
	silent // answered without bytes: produce with acks 0
)

// pipelined tells the two requests that may start before their predecessors on
// the connection are decided, and whose frames are reused.
func (r *Request) pipelined() bool {
	return r.Header.Key == wire.KeyProduce || r.Header.Key == wire.KeyFetch
}

// Reply answers with body, which must not change until it is written.
func (r *Request) Reply(body wire.Body) { r.complete(ready, body, nil) }

// ReplyFunc answers with what build returns. build runs on the goroutine that
// writes to this connection, when the reply's turn has come: a fetch reads its
// spans there and not on the goroutine of the append that woke it.
func (r *Request) ReplyFunc(build func() wire.Body) { r.complete(ready, nil, build) }

// NoReply ends a request that has no response (produce with acks 0).
func (r *Request) NoReply() { r.complete(silent, nil, nil) }

// CloseConn ends the connection because of this request: its version or key
// is not served, its body is malformed, or acks 0 met an error.
func (r *Request) CloseConn(err error) {
	r.Release()
	r.Conn.fail(fmt.Errorf("%w: %w", errFrame, err))
}

// OnClose registers what to do when the connection goes away before the answer
// is written: a parked fetch leaves its place, spans are let go. It is called
// before the answer is given, and calls cancel at once on a closed connection.
func (r *Request) OnClose(cancel func()) {
	c := r.Conn
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		cancel()
		return
	}
	r.cancel = cancel
	c.mu.Unlock()
}

// Release gives the frame back before the answer: the body must not be read
// again. Calling it twice is harmless.
func (r *Request) Release() {
	if !r.released.CompareAndSwap(false, true) {
		return
	}
	r.Body = nil
	if r.pipelined() {
		// Decoded bodies of other requests may alias their frame for longer
		// (a group member's metadata): the collector takes those.
		putBuffer(r.frame)
	}
	r.frame = nil
	if r.cost > 0 {
		r.Conn.srv.frames.Give(r.cost)
	}
}

func (r *Request) complete(s replyState, body wire.Body, build func() wire.Body) {
	r.Release()
	c := r.Conn
	c.mu.Lock()
	if c.mu.closed || r.state != waiting {
		c.mu.Unlock()
		return
	}
	r.state, r.body, r.build = s, body, build
	if c.mu.writing || c.mu.pending[0] != r {
		c.mu.Unlock()
		return
	}
	if c.mu.handling == r {
		// The connection's own goroutine is inside Handle for this request:
		// it writes the answer itself when the handler returns.
		c.mu.Unlock()
		return
	}
	c.mu.writing = true
	c.mu.Unlock()
	c.srv.group.Light(c.drain)
}
