package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// readRequest is what is answered from the tree without changing it, requests
// that cannot be understood included.
type readRequest struct {
	body zk.Request
	// fail is the answer to a request without body: ErrUnimplemented or
	// ErrMarshalling.
	fail zk.Err
}

const (
	// maxIdentities bounds what one connection proves to be: every permission
	// check goes through all of it.
	maxIdentities = 64
	// maxIdentity bounds one identity, in bytes. A connection keeps it as long
	// as it lives, and an ACL of scheme auth stores it.
	maxIdentity = 1 << 10
)

// handle starts one request. frame is used again after it returns.
func (c *conn) handle(frame []byte) error {
	s := c.session.Load()
	if s == nil {
		c.linger() // the refusal may not be sent yet
		return errors.New("request without a session")
	}
	now := c.k.env.Clock.Now()
	s.touch(now.Sub(c.k.started).Milliseconds(), c.k.tickMillis())
	if c.k.quorum != nil {
		c.k.touched.note(s)
	}
	h, body, err := zk.DecodeRequest(frame)
	if err != nil && len(frame) < 2*4 {
		return err
	}
	c.mu.Lock()
	c.mu.stats.received++
	c.mu.Unlock()
	if err := c.unproven(h); err != nil {
		return err
	}
	cl := &call{conn: c, xid: h.Xid, op: h.Op, start: now, size: len(frame)}
	if err != nil {
		if h.Op == zk.OpAuth || h.Op == zk.OpSASL {
			return err
		}
		c.k.log.Warn("request cannot be understood", "remote", c.addr, "session", sessionName(s.id), "error", err)
		if body = c.k.quirks.unreadable(h.Op, !errors.Is(err, zk.ErrNull)); body == nil {
			return c.fail(cl, err)
		}
	}
	switch b := body.(type) {
	case *zk.AuthRequest:
		return c.authenticate(cl, b)
	case *zk.SASLRequest:
		if b.Token == nil {
			return errors.New("SASL token is null")
		}
		return c.login(h.Xid, b.Token)
	case zk.CloseRequest:
		cl.kind = callClose
	case *zk.SyncRequest:
		cl.kind, cl.body = callSync, &zk.SyncResponse{Path: b.Path}
	case *zk.CreateRequest, *zk.DeleteRequest, *zk.DeleteContainerRequest, *zk.SetDataRequest, *zk.SetACLRequest, *zk.ReconfigRequest:
		ownData(body)
	case zk.PingRequest:
		cl.kind, cl.xid = callRead, zk.XidPing // whatever the client called it
	case *zk.MultiRequest:
		if h.Op == zk.OpMultiRead {
			cl.kind = callRead
		}
		for _, op := range b.Ops {
			ownData(op)
		}
	default:
		cl.kind = callRead
	}
	switch {
	case cl.kind == callRead:
		cl.read.body = body
	case c.readOnly.Load():
		return c.onlyReads(cl)
	default:
		cl.req = tree.Request{Session: s.id, Cxid: h.Xid, IDs: c.identities(), Body: body}
	}
	return c.submit(cl)
}

// fail answers what cannot be read. Who sends operations that are none is sent
// away, too.
func (c *conn) fail(cl *call, err error) error {
	cl.kind, cl.read.fail = callRead, zk.ErrMarshalling
	if !errors.Is(err, zk.ErrUnimplemented) {
		return c.submit(cl)
	}
	cl.read.fail = zk.ErrUnimplemented
	if err := c.submit(cl); err != nil {
		return err
	}
	c.outlast()
	return err
}

// ownData copies what aliases the read buffer and must live on.
func ownData(body zk.Request) {
	switch b := body.(type) {
	case *zk.CreateRequest:
		b.Data = bytes.Clone(b.Data)
	case *zk.SetDataRequest:
		b.Data = bytes.Clone(b.Data)
	}
}

// submit answers a read at once when nothing of this connection is before it;
// everything else waits for its turn.
func (c *conn) submit(cl *call) error {
	if c.mustWait(cl) {
		if err := c.charge(cl, cl.size); err != nil {
			return err
		}
	}
	waits, err := c.enqueue(cl)
	if err != nil || !waits {
		cl.release()
	}
	switch {
	case err != nil:
		return err
	case cl.kind != callRead:
		return c.k.inbox.Put(c.k.group.Context(), cl)
	case waits:
		return nil
	}
	// The tree stays locked until the reply is in the buffer: an event that the
	// loop adds afterwards is about what this reply does not show.
	c.k.state.RLock()
	defer c.k.state.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answerLocked(cl)
	return nil
}

// answerLocked answers a read; the tree is locked too.
func (c *conn) answerLocked(cl *call) {
	t := c.k.state.tree
	h := zk.ReplyHeader{Xid: cl.xid, Zxid: t.LastZxid()}
	if c.mu.closed {
		return // arms no watch for nobody
	}
	var body zk.Record
	switch {
	case cl.read.fail == zk.ErrUnimplemented:
		h.Zxid, h.Err = -1, zk.ErrUnimplemented
		defer c.closeAfterLocked()
	case cl.read.fail != zk.OK:
		h.Err = cl.read.fail
	default:
		body, h.Err = c.read(t, cl.read.body)
	}
	if _, multi := body.(*zk.MultiResponse); h.Err != zk.OK && !multi {
		body = nil
	}
	c.replyLocked(cl, h, body)
}

// authenticate adds an identity, or answers ErrAuthFailed and ends the
// connection: where the proof fails, or is one too many.
func (c *conn) authenticate(cl *call, r *zk.AuthRequest) error {
	ids, ok, err := c.k.prove(c, r)
	if err != nil {
		return err
	}
	all, fits := withIdentities(c.identities(), ids)
	ok = ok && fits
	h := zk.ReplyHeader{Xid: cl.xid}
	if !ok {
		h.Err = zk.ErrAuthFailed
		c.k.stats.authFailed.Add(1)
	}
	c.post(h, nil)
	if !ok {
		c.linger()
		return fmt.Errorf("authentication by scheme %q failed", r.Scheme)
	}
	c.ids.Store(&all)
	return nil
}

// withIdentities returns all that a connection is once more is proven; ok is
// false when a limit is exceeded.
func withIdentities(have, more []tree.Identity) (all []tree.Identity, ok bool) {
	all = slices.Clone(have)
	for _, id := range more {
		if len(id.ID) > maxIdentity {
			return nil, false
		}
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all, len(all) <= maxIdentities
}

// userOf is the part of an identity that is no secret.
func userOf(id tree.Identity) string {
	if id.Scheme == zk.SchemeDigest {
		user, _, _ := strings.Cut(id.ID, ":")
		return user
	}
	return id.ID
}
