package keeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

const (
	// helloTime is how long a connection may exist without a session.
	helloTime = 10 * time.Second
	// sendStep is how much of what waits is sent under one deadline: a slow
	// client that takes everything is not taken for one that takes nothing.
	sendStep = 1 << 20
	// idleBuffer is what an idle connection keeps to read into: most requests
	// fit, and ten thousand of them cost 10 MB.
	idleBuffer = 1 << 10
	// maxQueue bounds requests of one connection that wait for a write; it then
	// stops reading, as ZooKeeper does at globalOutstandingLimit.
	maxQueue = 1000
	// maxUnsent bounds replies and events that a client does not take; one that
	// is so far behind is cut off. It would find its state again by setWatches.
	maxUnsent = 64 << 20
	// keptBuffer is the largest send buffer that is used again.
	keptBuffer = 4 << 10
)

// conn is one client's connection. Its reader goroutine decodes requests and
// answers reads; writes come back through complete, on the loop.
type conn struct {
	k        *Keeper
	nc       net.Conn
	id       watchConn
	addr     string // with port, as shown to people
	host     string
	local    bool // over Pipe
	opened   time.Time
	session  atomic.Pointer[session]
	ids      atomic.Pointer[[]tree.Identity]
	welcomed chan struct{} // closed when the session is there
	touched  bool          // the loop's
	readOnly atomic.Bool   // there was no leader when it came
	hello    bool          // it speaks ZooKeeper's protocol, not four-letter words
	waits    atomic.Bool   // for memory
	room     chan struct{} // a hint that the queue got shorter
	ctx      context.Context
	cancel   context.CancelCauseFunc // of ctx, when the connection is closed
	proof    proof                   // the reader's

	mu struct {
		sync.Mutex
		out        []byte // to be sent
		spare      []byte // the other buffer
		writing    bool   // somebody sends
		closed     bool
		closeAfter bool // when all is sent
		queue      []*call
		stats      connStats
	}

	// The reader's alone.
	in       []byte
	begin    int
	filled   int
	reserved int64 // what in costs of the keeper's memory
}

// callKind says what the loop does with a call.
type callKind uint8

const (
	callWrite callKind = iota
	callSync
	callClose
	callConnect     // makes a session
	callAttach      // moves one to another connection
	callBorn        // of a process that begins: its member's last one is over
	callRead        // waits in a connection's queue only
	callSnapshot    // takes a snapshot; this and those behind it have no connection
	callRestorePart // brings a part of a state
	callRestore     // puts it in the place of what there is
)

// call is one request on its way.
type call struct {
	conn  *conn
	kind  callKind
	seq   uint64 // its number among this process's
	moot  bool   // its session moved to another member: it only counts; the loop's
	xid   int32
	op    zk.Op
	req   tree.Request       // its session is that of a callConnect and a callAttach too
	hello *zk.ConnectRequest // callConnect, callAttach
	// timeout is that of a callConnect or callAttach, in ms; process is the member
	// in whose process the session lives, 0 for none.
	timeout int32
	process uint64
	body    zk.Record   // callSync: the reply
	read    readRequest // callRead
	data    *dataCall   // those without a connection
	start   time.Time
	size    int         // of the frame, in bytes
	pot     *run.Budget // where cost is taken from
	cost    int64       // until it is done; 0 for what does not wait
}

// serve takes in a connection and starts its reader.
func (k *Keeper) serve(nc net.Conn, local bool) error {
	c := &conn{
		k: k, nc: nc, local: local, addr: nc.RemoteAddr().String(), host: env.Host(nc.RemoteAddr()),
		opened: k.env.Clock.Now(), welcomed: make(chan struct{}), room: make(chan struct{}, 1),
	}
	c.ctx, c.cancel = context.WithCancelCause(k.group.Context())
	c.ids.Store(&[]tree.Identity{{Scheme: zk.SchemeIP, ID: javaHost(c.host)}})
	c.mu.stats.reset()
	if err := k.conns.add(c, k.cfg.MaxClientCnxns); err != nil {
		c.cancel(err)
		return err
	}
	k.group.Light(c.run)
	return nil
}

func (c *conn) identities() []tree.Identity { return *c.ids.Load() }

// run is the reader's life.
func (c *conn) run() {
	err := c.talk()
	c.mu.Lock()
	c.retireLocked()
	c.mu.Unlock()
	c.in = nil
	c.k.memory.large.Give(c.reserved)
	c.k.watches.Drop(c.id)
	c.k.sessions.detach(c)
	c.k.measures.dropped.Add(1)
	c.k.conns.remove(c) // before the peer learns of the end and counts connections
	c.logEnd(err)       // before the peer can know: who looks at the log then finds the line
	_ = c.nc.Close()
}

func (c *conn) logEnd(err error) {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), c.k.group.Context().Err() != nil:
		c.k.log.Debug("connection ended", "remote", c.addr)
	case isNetwork(err):
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() && c.session.Load() == nil {
			c.k.measures.silent.Add(1)
		}
		c.k.log.Info("connection lost", "remote", c.addr, "reason", err)
	default:
		c.k.log.Warn("connection closed", "remote", c.addr, "reason", err)
	}
}

// isNetwork tells a network that failed from a client that sent nonsense.
func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}

func (c *conn) talk() error {
	// A deadline that cannot be set shows at the next read.
	_ = c.nc.SetReadDeadline(c.k.env.Clock.Now().Add(helloTime))
	if word, err := c.word(); word != "" || err != nil {
		if err == nil {
			c.k.stats.received.Add(1)
			c.mu.Lock()
			c.mu.stats.received++
			c.mu.Unlock()
			c.say(c.k.fourLetterWord(word))
		}
		return err
	}
	if err := c.certified(); err != nil {
		return err
	}
	if err := c.greet(); err != nil {
		return err
	}
	_ = c.nc.SetReadDeadline(time.Time{})
	for {
		frame, err := c.next()
		if err != nil {
			return err
		}
		if err := c.handle(frame); err != nil {
			return err
		}
	}
}

// word looks whether the connection begins with a four-letter word.
func (c *conn) word() (string, error) {
	if err := c.fill(zk.LengthSize); err != nil {
		return "", c.unheard(err)
	}
	w := string(c.in[:zk.LengthSize])
	if !knownWord(w) {
		return "", nil
	}
	if w == "stmk" {
		if err := c.fill(zk.LengthSize + maskSize); err != nil {
			return "", err
		}
		if c.k.allows(w) {
			c.k.traceMask.Store(int64(binary.BigEndian.Uint64(c.in[zk.LengthSize:])))
		}
	}
	return w, nil
}

// say sends a text, after which the connection is closed.
func (c *conn) say(text string) {
	c.mu.Lock()
	c.mu.out = append(c.mu.out, text...)
	c.mu.Unlock()
	c.flush()
}

// greet reads the connect request and waits until there is a session.
func (c *conn) greet() error {
	frame, err := c.next()
	if err != nil {
		return err
	}
	hello := &zk.ConnectRequest{}
	if err := zk.Unmarshal(frame, hello); err != nil {
		return fmt.Errorf("connect request: %w", err)
	}
	c.hello = true
	if !c.k.serves() && c.k.showsOnly(hello) {
		return c.greetReadOnly(hello)
	}
	if !c.k.serves() {
		c.k.measures.notServing.Add(1)
		return errNotServing
	}
	hello.Password = slices.Clone(hello.Password)
	c.k.measures.connects.Add(1)
	if hello.SessionID != 0 {
		c.k.measures.reattached.Add(1)
	}
	cl := &call{conn: c, kind: callConnect, hello: hello, op: zk.OpCreateSession, start: c.k.env.Clock.Now()}
	ctx := c.k.group.Context()
	if err := c.k.inbox.Put(ctx, cl); err != nil {
		return err
	}
	select {
	case <-c.welcomed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// next returns the next frame, which is valid until the call after it.
func (c *conn) next() ([]byte, error) {
	if err := c.fill(zk.LengthSize); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(c.in[c.begin:])))
	if n < 0 || n > c.k.cfg.JuteMaxBuffer {
		return nil, &zk.FrameError{Length: n, Limit: c.k.cfg.JuteMaxBuffer}
	}
	if err := c.fill(zk.LengthSize + n); err != nil {
		return nil, err
	}
	frame := c.in[c.begin+zk.LengthSize : c.begin+zk.LengthSize+n]
	c.begin += zk.LengthSize + n
	c.k.stats.received.Add(1)
	return frame, nil
}

// fill reads until n bytes are there. Replies are sent before it waits.
func (c *conn) fill(n int) error {
	for c.filled-c.begin < n {
		if err := c.makeRoom(n); err != nil {
			return err
		}
		c.flush()
		k, err := c.nc.Read(c.in[c.filled:])
		c.filled += k
		c.k.measures.received.Add(int64(k))
		if err != nil && c.filled-c.begin < n {
			if errors.Is(err, io.EOF) && c.filled > c.begin {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom sees to it that at least one byte can be read: the buffer grows with
// what has arrived, and is small again when nothing waits.
func (c *conn) makeRoom(n int) error {
	have := c.in[c.begin:c.filled]
	switch {
	case len(have) == 0 && (len(c.in) == 0 || len(c.in) > keptBuffer) && n <= zk.LengthSize:
		c.in = make([]byte, idleBuffer)
		if err := c.reserve(idleBuffer); err != nil {
			return err
		}
	case c.begin > 0 && len(have) < len(c.in):
		copy(c.in, have)
	case len(have) == len(c.in):
		size := max(min(max(2*len(c.in), idleBuffer), max(n, idleBuffer)), len(have)+1)
		if err := c.reserve(size); err != nil {
			return err
		}
		grown := make([]byte, size)
		copy(grown, have)
		c.in = grown
	}
	c.begin, c.filled = 0, len(have)
	return nil
}

// mustWait reports whether a call has its turn later: every write, and reads
// behind one, as long as that is not answered.
func (c *conn) mustWait(cl *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cl.kind != callRead || len(c.mu.queue) > 0
}

// enqueue puts a call behind those that wait, if it must wait: every write, and
// reads behind one. ok is false for a read that may be answered now.
func (c *conn) enqueue(cl *call) (waits bool, err error) {
	for {
		c.mu.Lock()
		n, closed := len(c.mu.queue), c.mu.closed
		waits = cl.kind != callRead || n > 0
		if !closed && waits && n < maxQueue {
			c.mu.queue = append(c.mu.queue, cl)
			if cl.kind != callRead {
				c.k.stats.outstanding.Add(1)
			}
		}
		c.mu.Unlock()
		switch {
		case closed:
			return false, net.ErrClosed
		case n < maxQueue:
			return waits, nil
		}
		c.flush()
		select {
		case <-c.room:
		case <-c.k.group.Context().Done():
			return false, net.ErrClosed
		}
	}
}

// complete sends the reply to the oldest call, and those to the reads that
// waited for it. The loop calls it with the tree locked.
func (c *conn) complete(cl *call, h zk.ReplyHeader, body zk.Record) {
	cl.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.queue) == 0 || c.mu.queue[0] != cl {
		return // the connection is closed and forgot it
	}
	c.replyLocked(cl, h, body)
	n := 1
	for n < len(c.mu.queue) && c.mu.queue[n].kind == callRead {
		r := c.mu.queue[n]
		c.answerLocked(r)
		r.release()
		n++
	}
	clear(c.mu.queue[:n])
	if c.mu.queue = c.mu.queue[n:]; len(c.mu.queue) == 0 {
		c.mu.queue = nil
	}
	run.Hint(c.room)
	if cl.kind == callClose {
		c.closeAfterLocked()
	}
}

// replyLocked appends a reply to what is to be sent.
func (c *conn) replyLocked(cl *call, h zk.ReplyHeader, body zk.Record) {
	if cl.kind != callRead {
		c.k.stats.outstanding.Add(-1)
	}
	if c.mu.closed {
		return
	}
	before := len(c.mu.out)
	c.mu.out = zk.AppendReply(c.mu.out, h, body)
	size := len(c.mu.out) - before
	c.k.stats.sent.Add(1)
	c.k.stats.responses.note(size)
	now := c.k.env.Clock.Now()
	ms := now.Sub(cl.start).Milliseconds()
	c.k.stats.latency(ms)
	c.k.measures.reply(cl.kind == callRead, ms, size)
	c.mu.stats.answered(cl, h, now, ms)
	c.limitLocked()
}

// limitLocked cuts a client off that takes nothing.
func (c *conn) limitLocked() {
	if len(c.mu.out) > maxUnsent {
		c.closeLocked()
	}
}

// event appends a watch event to what is to be sent.
func (c *conn) event(zxid int64, ev zk.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.eventLocked(zxid, ev)
}

func (c *conn) eventLocked(zxid int64, ev zk.Event) {
	if c.mu.closed {
		return
	}
	before := len(c.mu.out)
	c.mu.out = zk.AppendEvent(c.mu.out, zxid, ev)
	c.k.measures.watchBytes.Add(int64(len(c.mu.out) - before))
	c.k.stats.sent.Add(1)
	c.mu.stats.sent++
	c.limitLocked()
}

// welcome sends the connect response and lets requests in, for a session, or
// for none when it was refused.
func (c *conn) welcome(r *zk.ConnectResponse, s *session) {
	c.mu.Lock()
	c.mu.out = zk.AppendFrame(c.mu.out, r)
	c.k.stats.sent.Add(1)
	c.mu.stats.sent++
	c.mu.stats.lastOp = "SESS"
	c.mu.Unlock()
	c.session.Store(s)
	close(c.welcomed)
}

// closeAfterReplies closes the connection when all is sent.
func (c *conn) closeAfterReplies() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeAfterLocked()
}

// closeAfterLocked gives the peer a last while to take what waits, also what is
// being sent now: nothing but a deadline ends a connection with a closed window.
func (c *conn) closeAfterLocked() {
	if c.mu.closeAfter || c.mu.closed {
		return
	}
	c.mu.closeAfter = true
	c.deadlineLocked()
}

// deadlineLocked bounds the time that a send takes: by then a peer that is
// alive and has a session would have lost it.
func (c *conn) deadlineLocked() {
	d := helloTime
	if s := c.session.Load(); s != nil {
		d = time.Duration(s.timeout.Load()) * time.Millisecond
	}
	// A deadline that cannot be set shows at the next write.
	_ = c.nc.SetWriteDeadline(c.k.env.Clock.Now().Add(d))
}

// linger sends what waits, closes the connection, and reads on without looking
// until that is done.
func (c *conn) linger() {
	c.closeAfterReplies()
	c.outlast()
}

// outlast reads on without looking until the connection is closed.
func (c *conn) outlast() {
	c.wake()
	for {
		if _, err := c.nc.Read(c.in); err != nil {
			return
		}
	}
}

// wake sends what waits on a goroutine of its own, unless somebody sends.
func (c *conn) wake() {
	c.mu.Lock()
	start := !c.mu.writing && !c.mu.closed && (len(c.mu.out) > 0 || c.mu.closeAfter)
	c.mu.writing = c.mu.writing || start
	c.mu.Unlock()
	if start {
		c.k.group.Light(c.send)
	}
}

// flush sends what waits on the calling goroutine, unless somebody sends.
func (c *conn) flush() {
	c.mu.Lock()
	start := !c.mu.writing && !c.mu.closed && len(c.mu.out) > 0
	c.mu.writing = c.mu.writing || start
	c.mu.Unlock()
	if start {
		c.send()
	}
}

// send writes until nothing waits.
func (c *conn) send() {
	for {
		c.mu.Lock()
		buf := c.mu.out
		if len(buf) == 0 || c.mu.closed {
			c.mu.writing = false
			if c.mu.closeAfter {
				c.closeLocked()
			}
			c.mu.Unlock()
			return
		}
		c.mu.out, c.mu.spare = c.mu.spare[:0], nil
		c.mu.Unlock()
		err := c.write(buf)
		c.mu.Lock()
		if err != nil {
			c.closeLocked()
		}
		if cap(buf) <= keptBuffer {
			c.mu.spare = buf[:0]
		}
		c.mu.Unlock()
	}
}

// write sends bytes, step by step. The deadline of a connection that is to be
// closed stands.
func (c *conn) write(buf []byte) error {
	for step := range slices.Chunk(buf, sendStep) {
		c.mu.Lock()
		if !c.mu.closeAfter {
			c.deadlineLocked()
		}
		c.mu.Unlock()
		if c.hello && !c.k.serves() && !c.readOnly.Load() {
			return errNotServing
		}
		if _, err := c.nc.Write(step); err != nil {
			return err
		}
	}
	return nil
}

// close ends the connection; the reader then cleans up. The session stays.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked()
}

func (c *conn) closeLocked() {
	if c.mu.closed {
		return
	}
	c.retireLocked()
	// The peer is gone or to be gone; there is nobody to tell of an error.
	_ = c.nc.Close()
}

// retireLocked takes nothing more and forgets what is not sent.
func (c *conn) retireLocked() {
	if c.mu.closed {
		return
	}
	c.mu.closed = true
	c.mu.out, c.mu.spare = nil, nil
	for _, cl := range c.mu.queue {
		if cl.kind == callRead {
			cl.release() // the loop has the others
			continue
		}
		c.k.stats.outstanding.Add(-1)
	}
	c.mu.queue = nil
	c.cancel(net.ErrClosed)
	run.Hint(c.room)
}
