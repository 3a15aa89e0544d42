package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// A follower gives its clients' calls to the leader, numbered one by one, and keeps
// them until it applies the transactions that answer them. What a connection that
// broke lost is sent again; the leader takes each number once. When a new leader
// has begun and all before its time is applied, what is still not answered never
// will be, and goes to the new one: no call is lost or done twice, and those of one
// client stay in order.

var errForward = errors.New("malformed call")

// appendForward writes a call.
func appendForward(dst []byte, term uint64, c *call) []byte {
	dst = binary.AppendUvarint(dst, term)
	dst = binary.AppendUvarint(dst, c.seq)
	dst = append(dst, byte(c.wireKind()))
	dst = binary.AppendVarint(dst, int64(c.xid))
	dst = binary.AppendUvarint(dst, uint64(c.req.Session))
	dst = binary.AppendVarint(dst, int64(c.timeout))
	dst = binary.AppendUvarint(dst, c.process)
	dst = binary.AppendUvarint(dst, uint64(len(c.req.IDs)))
	for _, id := range c.req.IDs {
		dst = appendText(appendText(dst, id.Scheme), id.ID)
	}
	if c.kind == callWrite {
		dst = zk.AppendRequest(dst, c.xid, c.req.Body)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decodeForward reads a call. Its data aliases src.
func decodeForward(src []byte) (term uint64, c *call, err error) {
	r := varints{src: src}
	c = &call{}
	term, c.seq = r.uvarint(), r.uvarint()
	c.kind = callKind(r.byte())
	c.xid, c.req.Session = int32(r.varint()), int64(r.uvarint())
	c.req.Cxid = c.xid
	c.timeout, c.process = int32(r.varint()), r.uvarint()
	n := r.uvarint()
	if r.bad || n > maxIdentities || c.kind >= callRead {
		return 0, nil, errForward
	}
	for range n {
		c.req.IDs = append(c.req.IDs, tree.Identity{Scheme: r.string(), ID: r.string()})
	}
	if r.bad || c.kind != callWrite {
		return term, c, r.err()
	}
	if len(r.src) < zk.LengthSize {
		return 0, nil, errForward
	}
	if _, c.req.Body, err = zk.DecodeForwarded(r.src[zk.LengthSize:]); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errForward, err)
	}
	return term, c, nil
}

func (r *varints) byte() byte {
	if len(r.src) == 0 {
		r.bad = true
		return 0
	}
	b := r.src[0]
	r.src = r.src[1:]
	return b
}

func (r *varints) err() error {
	if r.bad || len(r.src) > 0 {
		return errForward
	}
	return nil
}

// openStream begins to give the leader of the present term what waits, once all
// before its time is applied.
func (l *loop) openStream() {
	if l.leaderStart == 0 || l.leaderTerm != l.rn.BasicStatus().GetTerm() || l.stream == l.leaderTerm || l.applied < l.leaderStart {
		return
	}
	l.stream = l.leaderTerm
	l.resend()
}

// resend gives the leader all that waits, in order.
func (l *loop) resend() {
	for _, c := range l.waiting.calls {
		l.forward(c)
	}
}

// forward gives the leader one call. What does not get through is sent again when
// the connection is there again.
func (l *loop) forward(c *call) {
	st := l.rn.BasicStatus()
	if st.Lead == raft.None || l.stream != st.GetTerm() {
		return
	}
	l.k.quorum.peers.Send(memberOf(st.Lead), msgCall, appendForward(nil, l.stream, c))
}

// intake is which calls of a member a leader took.
type intake struct {
	boot uint64 // of the member's process
	next uint64
}

// takeForward takes a call of another member, once.
func (l *loop) takeForward(now int64, e event) {
	term, c, err := decodeForward(e.payload)
	switch {
	case err != nil:
		l.k.log.Error("call of another member cannot be read", "member", e.member, "error", err)
		return
	case l.prep == nil || term != l.rn.BasicStatus().GetTerm():
		return // the member will learn who leads
	}
	in, known := l.intakes[e.member]
	switch {
	case !known || in.boot != e.boot:
		in = intake{boot: e.boot, next: c.seq}
	case c.seq < in.next:
		return // it came before the connection broke
	case c.seq > in.next:
		l.k.log.Error("a call of another member is missing", "member", e.member, "expected", in.next, "got", c.seq)
		return
	}
	in.next = c.seq + 1
	l.intakes[e.member] = in
	l.take(now, origin{e.member, c.seq}, c)
}
