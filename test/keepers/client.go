package keepers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/virtual"
	"github.com/gregor-mq/gregor/zk"
)

// client is one that speaks ZooKeeper's protocol, packet by packet, and writes down
// all that it sees.
type client struct {
	*machine
	env  env.Env
	rng  *virtual.Random
	life *life // its session, nil without one
	pw   []byte
	zxid int64 // the last one seen in this session
	xid  int32
	n    int // values written

	nc      net.Conn // nil while it is not connected
	log     *connLog
	waits   []*asked         // for answers, in order
	unknown []*op            // of this session, without an answer
	known   map[string]int32 // versions that it saw
	watches map[string]int64 // paths, and since which zxid
	left    []net.Conn       // connections that it left open
}

// asked is a request on its way.
type asked struct {
	xid  int32
	req  zk.Request
	ops  []*op
	sent time.Time
	arms string // the path it watches
	body zk.Record
	err  zk.Err
}

func (w *world) newClient(name string) *client {
	m := w.newMachine(name)
	c := &client{machine: m, rng: virtual.NewRandom(w.seed, "load of "+name)}
	c.env = m.Boot()
	if w.clock != env.Clock(w.sched) { // of real processes
		c.env = env.Real()
	}
	c.forget()
	return c
}

// forget begins without a session.
func (c *client) forget() {
	c.life, c.pw, c.zxid = nil, make([]byte, zk.PasswordSize), 0
	c.known, c.watches = map[string]int32{}, map[string]int64{}
	c.unknown = nil
}

var errOver = errors.New("the session is over")

// dialLimit bounds the time until a member has answered.
const dialLimit = 2 * time.Second

// connect makes a connection to a member, and a session or attaches the one there is.
func (c *client) connect(to *member, timeout time.Duration) error {
	nc, err := dial(c.env, to.client())
	if err != nil {
		return err
	}
	if err := c.greet(nc, timeout); err != nil {
		_ = nc.Close() // it is of no use
		return err
	}
	return nil
}

// dial bounds Dial by the virtual clock.
func dial(e env.Env, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	t := e.Clock.AfterFunc(dialLimit, cancel)
	defer t.Stop()
	return e.Net.Dial(ctx, "tcp", addr)
}

func (c *client) greet(nc net.Conn, timeout time.Duration) error {
	req := zk.ConnectRequest{LastZxidSeen: c.zxid, Timeout: int32(timeout.Milliseconds()), Password: c.pw}
	if c.life != nil {
		req.SessionID, req.Timeout = c.life.id, int32(c.life.timeout.Milliseconds())
	}
	now := c.now()
	_ = nc.SetDeadline(c.env.Clock.Now().Add(dialLimit)) // shows at once below
	if c.life != nil {
		c.life.said = now
	}
	if _, err := nc.Write(zk.AppendFrame(nil, &req)); err != nil {
		return err
	}
	frame, err := zk.ReadFrame(nc, nil, zk.MaxFrame)
	if err != nil {
		return err
	}
	var resp zk.ConnectResponse
	if err := zk.Unmarshal(frame, &resp); err != nil {
		return err
	}
	if resp.Timeout == 0 {
		c.life.refused = c.now()
		c.settle()
		return errOver
	}
	if c.life == nil {
		c.life = &life{id: resp.SessionID, timeout: time.Duration(resp.Timeout) * time.Millisecond, said: now}
		c.pw = append([]byte{}, resp.Password...)
		c.w.history.addLife(c.life)
	} else if resp.SessionID != c.life.id {
		c.w.problem("%s: attached to session 0x%x, asked for 0x%x", c.Name(), resp.SessionID, c.life.id)
	}
	c.life.answered = now
	c.settle()
	c.nc, c.log, c.waits = nc, &connLog{client: c.Name()}, nil
	c.w.history.addConn(c.log)
	return c.armAgain()
}

// settle closes what this session asked for without an answer: it has happened by
// now or never will.
func (c *client) settle() {
	for _, o := range c.unknown {
		o.ret, o.settled = c.now(), true
	}
	c.unknown = nil
}

// armAgain arms the watches of the connection before.
func (c *client) armAgain() error {
	if len(c.watches) == 0 {
		return nil
	}
	req := &zk.SetWatchesRequest{RelativeZxid: c.zxid}
	for _, path := range paths() {
		if _, ok := c.watches[path]; ok {
			req.Data = append(req.Data, path)
		}
	}
	// What changed since it was armed and before the last zxid seen was told then.
	return c.exchange([]*asked{{xid: zk.XidSetWatches, req: req}})
}

// ask makes a request of operations on nodes.
func (c *client) ask(req zk.Request, ops ...*op) *asked {
	c.xid++
	for _, o := range ops {
		o.client, o.session = c.Name(), c.life.id
		c.w.history.add(o)
	}
	return &asked{xid: c.xid, req: req, ops: ops}
}

// exchange sends requests together and reads all answers.
func (c *client) exchange(all []*asked) error {
	err := c.send(all)
	for err == nil && len(c.waits) > 0 {
		err = c.receive()
	}
	if err != nil {
		c.disconnect(true)
	}
	return err
}

func (c *client) send(all []*asked) error {
	var out []byte
	now := c.now()
	for _, a := range all {
		a.sent = now
		for _, o := range a.ops {
			if o.call.IsZero() {
				o.call = now
			}
		}
		out = zk.AppendRequest(out, a.xid, a.req)
	}
	c.waits = append(c.waits, all...)
	c.life.said = now
	_ = c.nc.SetDeadline(c.env.Clock.Now().Add(c.life.timeout * 2 / 3)) // shows below
	_, err := c.nc.Write(out)
	return err
}

// receive reads one packet.
func (c *client) receive() error {
	frame, err := zk.ReadFrame(c.nc, nil, zk.MaxFrame)
	if err != nil {
		return err
	}
	d := zk.NewDecoder(frame)
	var h zk.ReplyHeader
	h.Decode(d)
	if h.Xid == zk.XidNotification {
		var ev zk.Event
		ev.Decode(d)
		return c.event(h, &ev)
	}
	if len(c.waits) == 0 || c.waits[0].xid != h.Xid {
		c.w.problem("%s: an answer to %d, which has not its turn", c.Name(), h.Xid)
		return errors.New("out of turn")
	}
	a := c.waits[0]
	if h.Err == zk.ErrSessionExpired || h.Err == zk.ErrSessionMoved {
		return fmt.Errorf("answer to %v: %w", a.req.Op(), h.Err)
	}
	c.waits = c.waits[1:]
	if c.life.answered.Before(a.sent) {
		c.life.answered = a.sent
	}
	c.advance(h)
	return c.answer(a, h, d)
}

// advance checks that what the session sees never goes back.
func (c *client) advance(h zk.ReplyHeader) {
	if h.Zxid <= 0 {
		return
	}
	if h.Zxid < c.zxid {
		c.w.problem("%s: session 0x%x saw zxid 0x%x and then 0x%x", c.Name(), uint64(c.life.id), c.zxid, h.Zxid)
	}
	c.zxid = h.Zxid
}

func (c *client) event(h zk.ReplyHeader, ev *zk.Event) error {
	if ev.State != zk.StateSyncConnected {
		return fmt.Errorf("event %v", ev)
	}
	c.w.trace.Add("%s: %v %s at 0x%x", c.Name(), ev.Type, ev.Path, h.Zxid)
	if _, ok := c.watches[ev.Path]; !ok {
		c.w.problem("%s: an event of %s, which it does not watch", c.Name(), ev.Path)
	}
	delete(c.watches, ev.Path)
	if h.Zxid > 0 {
		c.advance(h)
	}
	c.log.seen = append(c.log.seen, sight{zxid: h.Zxid, event: ev.Path})
	return nil
}

// answer takes in what a reply says.
func (c *client) answer(a *asked, h zk.ReplyHeader, d *zk.Decoder) error {
	now := c.now()
	seen := sight{zxid: h.Zxid}
	defer func() { c.log.seen = append(c.log.seen, seen) }()
	body := zk.NewResponse(a.req.Op())
	if body != nil && (h.Err == zk.OK) {
		body.Decode(d)
		if d.Err() != nil {
			return d.Err()
		}
	}
	a.body, a.err = body, h.Err
	if a.xid == zk.XidSetWatches {
		for _, path := range paths() {
			if since, ok := c.watches[path]; ok {
				c.log.seen = append(c.log.seen, sight{armed: path, since: since})
			}
		}
		return nil
	}
	for i, o := range a.ops {
		o.known, o.ret, o.err, o.zxid = true, now, h.Err, h.Zxid
		c.learn(o, i, body)
		c.w.trace.Add("%v", o)
	}
	if a.arms != "" && h.Err == zk.OK {
		if _, ok := c.watches[a.arms]; !ok {
			c.watches[a.arms] = h.Zxid
			seen.armed, seen.since = a.arms, h.Zxid
		}
	}
	return nil
}

// learn takes the part of an answer that is about one operation.
func (c *client) learn(o *op, i int, body zk.Record) {
	switch b := body.(type) {
	case *zk.GetDataResponse:
		if o.err == zk.OK {
			o.got, o.stat = string(b.Data), b.Stat
		}
	case *zk.StatResponse:
		o.stat = b.Stat
	case *zk.MultiResponse:
		if o.err != zk.OK || i >= len(b.Results) {
			break
		}
		if _, err := b.Fault(); err != nil {
			o.err, _ = errorOf(b, i)
			break
		}
		o.stat = b.Results[i].Stat
	}
	if o.err == zk.OK && (o.kind == opSet || o.kind == opRead || o.kind == opLook) {
		c.known[o.path] = o.stat.Version
	}
}

// errorOf is what a multi that failed says of one of its operations.
func errorOf(b *zk.MultiResponse, i int) (zk.Err, bool) {
	if e := b.Results[i].Err; e != zk.OK {
		return e, true
	}
	return zk.ErrRuntimeInconsistency, true // undone
}

// disconnect leaves the connection, which is closed or stays as it is.
func (c *client) disconnect(closes bool) {
	if c.nc == nil {
		return
	}
	for _, a := range c.waits {
		for _, o := range a.ops {
			o.ret = c.now()
			c.w.trace.Add("%v", o)
			c.unknown = append(c.unknown, o)
		}
	}
	if closes {
		_ = c.nc.Close() // nobody is left to be told
	} else {
		c.left = append(c.left, c.nc)
	}
	c.nc, c.waits = nil, nil
}

// leave closes all connections.
func (c *client) leave() {
	c.disconnect(true)
	for _, nc := range c.left {
		_ = nc.Close()
	}
	c.left = nil
}

// paths are the nodes that all clients write.
func paths() []string { return strings.Fields("/k0 /k1 /k2 /k3 /k4 /k5") }

// now is the time by which the history goes: that of no machine.
func (c *client) now() time.Time { return c.w.clock.Now().Round(0) }
