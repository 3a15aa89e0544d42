package keepers

import (
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/test/virtual"
	"github.com/gregor-mq/gregor/zk"
)

// ephemerals is the node below which sessions have theirs.
const ephemerals = "/e"

// run is a client's life, until the world's end.
func (c *client) run() {
	defer c.leave()
	for !c.w.over() {
		if c.nc == nil {
			c.come()
			continue
		}
		c.step()
	}
	c.disconnect(true)
	for range 100 {
		if c.life == nil || c.nc != nil {
			break
		}
		c.come()
	}
	if c.nc != nil {
		c.bye()
	}
}

// come connects to some member.
func (c *client) come() {
	timeout := virtual.Pick(c.rng, time.Second, 2*time.Second, 4*time.Second)
	to := virtual.Pick(c.rng, c.w.members...)
	fresh := c.life == nil
	switch err := c.connect(to, timeout); {
	case errors.Is(err, errOver):
		c.w.trace.Add("%s: session 0x%x is over", c.Name(), uint64(c.life.id))
		c.forget()
	case err != nil:
		c.w.trace.Add("%s: %s: %v", c.Name(), to.Name(), err)
		c.w.sleep(c.rng.Between(20*time.Millisecond, 300*time.Millisecond))
	default:
		c.w.trace.Add("%s: at %s with session 0x%x", c.Name(), to.Name(), uint64(c.life.id))
		if fresh {
			c.settleIn()
		}
	}
}

// settleIn makes the session's ephemeral node.
func (c *client) settleIn() {
	c.life.node = fmt.Sprintf("%s/%x", ephemerals, uint64(c.life.id))
	c.xid++
	l := c.life
	err := c.exchange([]*asked{
		{xid: c.xid, req: &zk.CreateRequest{Path: ephemerals, ACL: zk.OpenACL()}},
		{xid: c.xid + 1, req: &zk.CreateRequest{Path: l.node, ACL: zk.OpenACL(), Flags: zk.Ephemeral}},
	})
	c.xid++
	if err == nil {
		l.created = c.zxid
	}
}

// step is one thing that a client does.
func (c *client) step() {
	switch n := c.rng.N(200); {
	case n < 2: // it goes, and comes again
		c.disconnect(true)
	case n < 4: // it comes again elsewhere, and asks for something before
		_ = c.send(c.batch()) // whether it got there is not known
		c.disconnect(c.rng.Chance(50))
	case n < 5: // it falls silent for good
		c.w.trace.Add("%s: leaves session 0x%x alone", c.Name(), uint64(c.life.id))
		c.disconnect(c.rng.Chance(50))
		c.forget()
	case n < 6:
		c.bye()
	case n < 12: // it only lives
		c.w.sleep(c.life.timeout / 3)
		_ = c.exchange([]*asked{{xid: zk.XidPing, req: zk.PingRequest{}}}) // it notices at the next step
	default:
		_ = c.exchange(c.batch())
		pace := time.Second / time.Duration(c.w.setup.ops)
		c.w.sleep(c.rng.Between(pace/4, pace))
	}
}

// bye ends the session.
func (c *client) bye() {
	c.life.closing = true
	c.xid++
	_ = c.exchange([]*asked{{xid: c.xid, req: zk.CloseRequest{}}})
	c.disconnect(true)
	c.forget()
}

// batch is a few requests to be sent together.
func (c *client) batch() []*asked {
	var all []*asked
	for range 1 + c.rng.N(4) {
		all = append(all, c.draw()...)
	}
	return all
}

// draw makes requests for one operation.
func (c *client) draw() []*asked {
	path := virtual.Pick(c.rng, paths()...)
	switch n := c.rng.N(100); {
	case n < 20:
		o := &op{kind: opRead, path: path, call: c.now()}
		sync := c.ask(&zk.SyncRequest{Path: path})
		return []*asked{sync, c.ask(&zk.GetDataRequest{Path: path}, o)}
	case n < 40:
		a := c.ask(&zk.GetDataRequest{Path: path}, &op{kind: opLook, path: path})
		return []*asked{a}
	case n < 50:
		a := c.ask(&zk.GetDataRequest{Path: path, Watch: true}, &op{kind: opLook, path: path})
		a.arms = path
		return []*asked{a}
	case n < 60:
		return []*asked{c.multi()}
	}
	o, req := c.change(path)
	return []*asked{c.ask(req, o)}
}

// change makes one write.
func (c *client) change(path string) (*op, zk.Request) {
	o := &op{path: path, version: -1}
	if v, ok := c.known[path]; ok && c.rng.Chance(40) {
		o.version = v
	}
	c.n++
	o.value = fmt.Sprintf("%s.%d", c.Name(), c.n)
	switch n := c.rng.N(10); {
	case n < 3:
		o.kind, o.version = opCreate, -1
		return o, &zk.CreateRequest{Path: path, Data: []byte(o.value), ACL: zk.OpenACL()}
	case n < 5:
		o.kind = opDelete
		return o, &zk.DeleteRequest{Path: path, Version: o.version}
	}
	o.kind = opSet
	return o, &zk.SetDataRequest{Path: path, Data: []byte(o.value), Version: o.version}
}

// multi makes writes to two nodes that happen both or not at all.
func (c *client) multi() *asked {
	all := paths()
	order := c.rng.Perm(len(all))
	req := &zk.MultiRequest{}
	var ops []*op
	for _, i := range order[:2] {
		o, r := c.change(all[i])
		ops, req.Ops = append(ops, o), append(req.Ops, r)
	}
	return c.ask(req, ops...)
}
