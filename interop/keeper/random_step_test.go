//go:build interop

package keeper

import (
	"crypto/sha1" // what the digest scheme is made of
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

func digestID(userPassword string) string {
	user, _, _ := strings.Cut(userPassword, ":")
	sum := sha1.Sum([]byte(userPassword))
	return user + ":" + base64.StdEncoding.EncodeToString(sum[:])
}

// superUser is who may do everything, on both sides.
const superUser = "super:secret"

// steps are what a client does next, with how often.
var steps = []struct {
	weight int
	do     func(*trial, *party) error
}{
	{60, func(t *trial, c *party) error { return t.ask(c, t.create()) }},
	{18, func(t *trial, c *party) error {
		return t.ask(c, &zk.DeleteRequest{Path: t.path(), Version: t.version()})
	}},
	{25, func(t *trial, c *party) error {
		return t.ask(c, &zk.SetDataRequest{Path: t.path(), Data: t.data(), Version: t.version()})
	}},
	{8, func(t *trial, c *party) error {
		return t.ask(c, &zk.SetACLRequest{Path: t.path(), ACL: t.acl(), Version: t.version()})
	}},
	{25, func(t *trial, c *party) error { return t.ask(c, t.multi()) }},
	{80, func(t *trial, c *party) error { return t.ask(c, t.read()) }},
	{30, func(t *trial, c *party) error { return t.ask(c, t.watching()) }},
	{8, (*trial).rearm},
	{6, (*trial).authenticate},
	{10, (*trial).quota},
	{2, func(t *trial, c *party) error { return t.ask(c, t.reconfig()) }},
	{10, settled((*trial).malformed)},
	{4, (*trial).unknown},
	{3, settled((*trial).misframed)},
	{6, settled((*trial).leave)},
	{5, settled((*trial).reattach)},
	{4, (*trial).end},
	{2, (*trial).stranger},
	{1, settled((*trial).huge)},
}

// settled precedes a step after which a connection may end at any moment: what
// was on its way to the client has arrived by then.
func settled(do func(*trial, *party) error) func(*trial, *party) error {
	return func(t *trial, c *party) error {
		if err := t.probe(c); err != nil {
			return err
		}
		return do(t, c)
	}
}

// next does one step.
func (t *trial) next() error {
	t.step++
	c := pick(t, t.clients...)
	if !c.connected() {
		return t.arrive(c)
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := t.rng.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			return s.do(t, c)
		}
	}
	panic("weights do not add up")
}

// xidOf draws the number of a request.
func (t *trial) xidOf(c *party, req zk.Request) int32 {
	c.xid++
	switch req.(type) {
	case zk.PingRequest:
		return zk.XidPing
	case *zk.SetWatchesRequest, *zk.SetWatches2Request:
		return zk.XidSetWatches
	}
	if t.chance(2) {
		return pick[int32](t, 0, zk.XidPing, zk.XidAuth, zk.XidSetWatches, -77, math.MaxInt32, math.MinInt32, 1)
	}
	return c.xid
}

func describe(req zk.Request) string {
	text := fmt.Sprintf("%v %+v", req.Op(), req)
	if m, ok := req.(*zk.MultiRequest); ok {
		text = req.Op().String()
		for _, op := range m.Ops {
			text += " <" + describe(op) + ">"
		}
	}
	if len(text) > 600 {
		text = text[:600] + "..."
	}
	return text
}

// ask sends one request and awaits its answer.
func (t *trial) ask(c *party, req zk.Request) error {
	if t.pipelined && t.chance(15) {
		return t.pipeline(c, req)
	}
	xid := t.xidOf(c, req)
	b := wire(xid, req)
	return t.exchange(c, fmt.Sprintf("xid=%d %s", xid, describe(req)), func(int) []byte { return b }, req.Op())
}

// pipeline sends several requests at once. Those whose outcome depends on when
// the server comes to them are not among them, and nothing counts: ZooKeeper looks
// at the ACLs and quotas that are applied, not at those on their way.
func (t *trial) pipeline(c *party, first zk.Request) error {
	var what strings.Builder
	what.WriteString("at once:")
	var all []byte
	var ops []zk.Op
	for i := range 2 + t.rng.IntN(8) {
		var req zk.Request
		switch {
		case i == 0:
			req = first
		case t.chance(60):
			req = t.write()
		default:
			req = t.read()
		}
		switch req.Op() {
		case zk.OpSetACL, zk.OpCheck, zk.OpReconfig:
			continue
		}
		xid := t.xidOf(c, req)
		all = append(all, wire(xid, req)...)
		ops = append(ops, req.Op())
		what.WriteString(fmt.Sprintf(" (xid=%d %s)", xid, describe(req)))
	}
	return t.exchange(c, what.String(), func(int) []byte { return all }, ops...)
}

// rearm sends the watches of a client that is back.
func (t *trial) rearm(c *party) error {
	req, old, from := t.setWatches()
	xid := t.xidOf(c, req)
	return t.exchange(c, fmt.Sprintf("%s from z+%d", describe(req), from), func(i int) []byte {
		old.RelativeZxid = t.sides[i].base + from
		return wire(xid, req)
	}, req.Op())
}

// probe shows whether a connection is still served.
func (t *trial) probe(c *party) error {
	if !c.connected() {
		return nil
	}
	b := wire(zk.XidPing, zk.PingRequest{})
	return t.exchange(c, "ping", func(int) []byte { return b }, zk.OpPing)
}

func (t *trial) authenticate(c *party) error {
	var req zk.Request = &zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: []byte(pick(t, provers...))}
	switch t.rng.IntN(12) {
	case 0:
		req = &zk.AuthRequest{Scheme: zk.SchemeIP, Auth: []byte("x")}
	case 1:
		req = &zk.AuthRequest{Scheme: pick(t, "world", "auth", "", "sasl", "none", t.null()), Auth: t.data()}
	case 2:
		req = &zk.AuthRequest{Scheme: zk.SchemeDigest, Auth: pick(t, nil, []byte{}, []byte(":"), []byte("a"), []byte(":b"), []byte("a:b:c"), []byte("super:wrong"))}
	case 3:
		req = &zk.SASLRequest{Token: pick(t, []byte{}, []byte("token"), []byte("x"))}
	}
	xid := pick(t, zk.XidAuth, zk.XidAuth, 5)
	b := wire(xid, req)
	if err := t.exchange(c, describe(req), func(int) []byte { return b }, req.Op()); err != nil {
		return err
	}
	return t.probe(c)
}

// quota sets, changes and removes limits, and looks at what is counted.
func (t *trial) quota(c *party) error {
	if t.pipelined {
		return t.ask(c, t.multi())
	}
	var top strings.Builder
	top.WriteString("/zookeeper/quota" + t.root)
	for range t.rng.IntN(3) {
		top.WriteString("/" + pick(t, "a", "b"))
	}
	accepted("deadly-quotas") // none that end ZooKeeper
	limits := []byte(pick(t, "count=3,bytes=20", "count=-1,bytes=-1", "count=100,bytes=-1=;countHardLimit=6", "count=-1,bytes=100=;byteHardLimit=40",
		"count=2,bytes=-1=;byteHardLimit=60;countHardLimit=8", "count=5", "bytes=7", "", "countHardLimit=4"))
	create := func(path string, data []byte) error {
		return t.ask(c, &zk.CreateRequest{Kind: zk.OpCreate, Path: path, Data: data, ACL: zk.OpenACL()})
	}
	switch t.rng.IntN(6) {
	case 0, 1:
		for i := range quotaNodes(top.String()) {
			if err := create(quotaNodes(top.String())[i], nil); err != nil {
				return err
			}
		}
		if err := create(top.String()+"/zookeeper_limits", limits); err != nil {
			return err
		}
		if t.chance(10) {
			return nil
		}
		return create(top.String()+"/zookeeper_stats", []byte(pick(t, "count=0,bytes=0", "", "count=7,bytes=8")))
	case 2:
		return t.ask(c, &zk.SetDataRequest{Path: top.String() + "/zookeeper_limits", Data: limits, Version: -1})
	case 3:
		return t.ask(c, &zk.DeleteRequest{Path: top.String() + pick(t, "/zookeeper_limits", "/zookeeper_stats"), Version: -1})
	}
	return t.ask(c, &zk.GetDataRequest{Path: top.String() + pick(t, "/zookeeper_limits", "/zookeeper_stats", "/zookeeper_stats"), Watch: t.chance(30)})
}

// quotaNodes lists the nodes above and at a path, below /zookeeper/quota.
func quotaNodes(top string) []string {
	var all []string
	p := "/zookeeper/quota"
	for name := range strings.SplitSeq(strings.TrimPrefix(top, p+"/"), "/") {
		p += "/" + name
		all = append(all, p)
	}
	return all
}

// malformed spoils a request that would be good.
func (t *trial) malformed(c *party) error {
	var req zk.Request
	switch t.rng.IntN(8) {
	case 0, 1:
		req = t.multi()
	case 2:
		req = t.multiRead()
	case 3:
		req, _, _ = t.setWatches()
	case 4:
		req = t.reconfig()
	case 5:
		req = t.watching()
	case 6:
		req = t.read()
	default:
		req = t.write()
	}
	for req.Op() == zk.OpCreateTTL || req.Op() == zk.OpWhoAmI || req.Op() == zk.OpPing || t.mute(req.Op()) { // nothing to spoil, or deadly
		req = t.write()
	}
	xid := t.xidOf(c, req)
	body := wire(xid, req)[zk.LengthSize:]
	const header = 8
	for range 1 + t.rng.IntN(2) {
		switch n := len(body) - header; t.rng.IntN(5) {
		case 0:
			body = body[:header+t.rng.IntN(n+1)]
		case 1:
			body = append(body, make([]byte, t.rng.IntN(9))...)
		case 2:
			if n >= 4 {
				at := header + t.rng.IntN(n-3)
				v := pick[int32](t, -1, -2, 0, 1, 4, math.MaxInt32, math.MinInt32, int32(n), 1<<20)
				binary.BigEndian.PutUint32(body[at:], uint32(v))
			}
		case 3:
			if n > 0 {
				body[header+t.rng.IntN(n)] ^= byte(1 << t.rng.IntN(8))
			}
		case 4:
			op := pick(t, zk.OpCreate, zk.OpDelete, zk.OpExists, zk.OpGetData, zk.OpSetData, zk.OpGetACL, zk.OpSetACL, zk.OpGetChildren,
				zk.OpSync, zk.OpGetChildren2, zk.OpMulti, zk.OpCreate2, zk.OpReconfig, zk.OpCheckWatches, zk.OpRemoveWatches, zk.OpCreateContainer,
				zk.OpMultiRead, zk.OpSetWatches, zk.OpGetEphemerals, zk.OpGetAllChildrenNumber, zk.OpSetWatches2, zk.OpAddWatch)
			binary.BigEndian.PutUint32(body[4:], uint32(op))
		}
	}
	op := zk.Op(int32(binary.BigEndian.Uint32(body[4:])))
	if (op == zk.OpSetWatches || op == zk.OpSetWatches2) && len(body) >= header+8 {
		clear(body[header : header+8]) // a zxid means different things to the sides
	}
	if _, req, err := zk.DecodeRequest(body); t.stumbles() && errors.Is(err, zk.ErrNull) || err == nil && t.tripsOver(req) {
		return nil
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	frame = append(frame, body...)
	what := fmt.Sprintf("spoilt %v: %x", op, body)
	if err := t.exchange(c, what, func(int) []byte { return frame }, op); err != nil {
		return err
	}
	return t.probe(c)
}

// mute operations get no answer from ZooKeeper when they succeed.
func (t *trial) mute(op zk.Op) bool {
	return op == zk.OpCheck && t.emulate != "" && accepted("check-alone-in-3.8")
}

// unknown asks for an operation that is none, or none of clients.
func (t *trial) unknown(c *party) error {
	op := pick[zk.Op](t, 0, -1, -2, 10, 23, 99, 108, 1000, math.MaxInt32, math.MinInt32, zk.OpCheck, zk.OpDeleteContainer, zk.OpCreateSession)
	if t.mute(op) {
		op = 23
	}
	if op == zk.OpCreateSession && accepted("createSession-is-no-request") {
		op = 24
	}
	if op == zk.OpDeleteContainer && accepted("deleteContainer-needs-permission") {
		c = t.admin
	}
	b := binary.BigEndian.AppendUint32(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(c.xid+1))
	b = binary.BigEndian.AppendUint32(b, uint32(op))
	if op == zk.OpDeleteContainer || t.chance(50) {
		e := zk.NewEncoder(b)
		e.String(t.path())
		b = e.Bytes()
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-zk.LengthSize))
	if err := t.exchange(c, fmt.Sprintf("%v: %x", op, b), func(int) []byte { return b }, op); err != nil {
		return err
	}
	return t.probe(c)
}

// misframed sends lengths that are wrong, after which a connection is of no use.
func (t *trial) misframed(c *party) error {
	b := wire(c.xid+1, t.read())
	switch t.rng.IntN(6) {
	case 0:
		binary.BigEndian.PutUint32(b, uint32(pick[int32](t, -1, math.MinInt32, math.MaxInt32, zk.MaxFrame+1, 1<<30)))
	case 1:
		b = binary.BigEndian.AppendUint32(nil, uint32(t.rng.IntN(8)))
		b = append(b, make([]byte, binary.BigEndian.Uint32(b))...)
	case 2:
		b = b[:1+t.rng.IntN(len(b)-1)]
	case 3:
		binary.BigEndian.PutUint32(b, uint32(len(b))) // waits for four bytes more
	case 4:
		b = []byte(pick(t, "ruok", "stat", "srvr")) // no words once there is a session
	case 5:
		b = binary.BigEndian.AppendUint32(nil, zk.MaxFrame) // waits
	}
	for _, l := range c.links {
		l.send(b)
	}
	old := c.links
	c.links = [2]*link{}
	return t.drain(&party{name: c.name}, fmt.Sprintf("misframed %x", b), old)
}

// leave drops the connection and keeps the session.
func (t *trial) leave(c *party) error {
	old := c.links
	c.links = [2]*link{}
	return t.drain(&party{name: c.name}, "leaves", old)
}

func (t *trial) helloOf(c *party, r zk.ConnectRequest) func(int) []byte {
	seen := pick[int64](t, 0, 0, 0, t.last[0]-t.sides[0].base, 1, 100_000)
	r.Timeout = pick[int32](t, 0, -1, 10_000, 119_999, 120_000, 600_000, 600_000, 1_200_000, 1_200_001, math.MaxInt32, math.MinInt32)
	r.ReadOnly, r.Old = t.chance(20), t.chance(20)
	if t.chance(5) {
		r.ProtocolVersion = 1
	}
	return func(i int) []byte {
		r := r
		if r.LastZxidSeen = seen; seen > 0 {
			r.LastZxidSeen += t.sides[i].base
		}
		if r.SessionID == mine {
			r.SessionID, r.Password = c.id[i], c.pw[i]
		} else if r.SessionID == others {
			r.SessionID = c.id[i]
		}
		return zk.AppendFrame(nil, &r)
	}
}

// mine and others stand for the session's id in a connect request, with its
// password and with the one that is given.
const (
	mine   = 1
	others = 2
)

// arrive connects a client that is away: as itself, or as somebody new.
func (t *trial) arrive(c *party) error {
	if c.id[0] == 0 || t.chance(10) {
		if c.id[0] != 0 {
			t.left = append(t.left, &party{name: c.name, id: c.id, pw: c.pw})
		}
		c.id, c.pw = [2]int64{}, [2][]byte{}
		c.name = fmt.Sprintf("%s'", c.name)
		return t.hurried(c, "connects", t.helloOf(c, zk.ConnectRequest{Password: pick(t, make([]byte, 16), nil, []byte("x"))}))
	}
	if t.chance(15) {
		return t.intrude(c)
	}
	return t.hurried(c, "is back", t.helloOf(c, zk.ConnectRequest{SessionID: mine}))
}

// hurried connects, and now and then does not wait for the answer before it sends
// the first request.
func (t *trial) hurried(c *party, what string, hello func(side int) []byte) error {
	if !t.chance(25) {
		return t.hello(c, what, hello)
	}
	req := t.read()
	xid := t.xidOf(c, req)
	what += fmt.Sprintf(" with xid=%d %s", xid, describe(req))
	if err := t.hello(c, what, hello, wire(xid, req)...); err != nil || !c.connected() {
		return err
	}
	return t.exchange(c, what, func(int) []byte { return nil }, req.Op())
}

// huge creates a node whose request is as long as one may be, or a byte longer.
func (t *trial) huge(c *party) error {
	req := &zk.CreateRequest{Path: t.root + "/huge", ACL: zk.OpenACL()}
	c.xid++
	rest := zk.MaxFrame - (len(wire(c.xid, req)) - zk.LengthSize)
	req.Data = make([]byte, rest+t.rng.IntN(2))
	b := wire(c.xid, req)
	if err := t.exchange(c, fmt.Sprintf("create with %d bytes", len(req.Data)), func(int) []byte { return b }, req.Op()); err != nil || !c.connected() {
		return err
	}
	if err := t.ask(c, &zk.GetDataRequest{Path: req.Path}); err != nil || !c.connected() {
		return err
	}
	return t.ask(c, &zk.DeleteRequest{Path: req.Path, Version: -1})
}

// reattach moves a session to a new connection while it has one.
func (t *trial) reattach(c *party) error {
	if t.chance(25) {
		return t.intrude(c)
	}
	return t.hello(c, "moves", t.helloOf(c, zk.ConnectRequest{SessionID: mine}))
}

// intrude tries to attach with a wrong password. ZooKeeper ends the connection
// that the session has all the same; gregor's stays, and goes here.
func (t *trial) intrude(c *party) error {
	other := &party{name: c.name, id: c.id, pw: c.pw}
	err := t.hello(other, "intrudes", t.helloOf(other, zk.ConnectRequest{SessionID: others, Password: pick(t, make([]byte, 16), nil, []byte{}, []byte("0123456789abcdef"), make([]byte, 17))}))
	if err != nil || !c.connected() || !accepted("wrong-password-ends-nothing") {
		return err
	}
	for _, l := range c.links {
		if err := l.halt(func([]byte) {}); err != nil {
			return err
		}
	}
	c.links = [2]*link{}
	return nil
}

// end closes a session; another takes its place.
func (t *trial) end(c *party) error {
	c.xid++
	b := wire(c.xid, zk.CloseRequest{})
	if err := t.exchange(c, "closes", func(int) []byte { return b }, zk.OpCloseSession); err != nil {
		return err
	}
	old := c.links
	c.links = [2]*link{}
	if old[0] != nil {
		if err := t.drain(&party{name: c.name}, "closed", old); err != nil {
			return err
		}
	}
	if t.chance(30) { // the session is over
		if err := t.hello(c, "is late", t.helloOf(c, zk.ConnectRequest{SessionID: mine})); err != nil {
			return err
		}
	}
	c.id, c.pw = [2]int64{}, [2][]byte{}
	return nil
}

// stranger sends what is no connect request.
func (t *trial) stranger(*party) error {
	b := zk.AppendFrame(nil, &zk.ConnectRequest{Password: make([]byte, 16)})
	switch t.rng.IntN(5) {
	case 0:
		b = b[:t.rng.IntN(len(b))]
	case 1:
		binary.BigEndian.PutUint32(b, uint32(pick[int32](t, -1, 0, 1, 28, math.MaxInt32, zk.MaxFrame+1)))
	case 2:
		binary.BigEndian.PutUint32(b[28:], uint32(pick[int32](t, -2, 18, math.MaxInt32)))
	case 3:
		b = []byte("GET / HTTP/1.1\r\n\r\n")
	case 4:
		b = []byte("nope")
	}
	c := &party{name: "stranger"}
	for i, s := range t.sides {
		l, err := s.dial()
		if err != nil {
			return err
		}
		l.send(b)
		c.links[i] = l
	}
	old := c.links
	var lines [2][]string
	for i, l := range old {
		err := l.halt(func(frame []byte) {
			line, _ := t.sides[i].welcome(frame, "stranger", nil)
			lines[i] = append(lines[i], line)
		})
		if err != nil {
			lines[i] = append(lines[i], err.Error())
		}
	}
	c.links = [2]*link{}
	return t.compare(c, fmt.Sprintf("sends %x", b), lines)
}
