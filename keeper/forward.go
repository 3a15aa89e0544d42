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

// appendForward writes a call; first is the number of the oldest that waits.
func appendForward(dst []byte, term, first uint64, c *call) []byte {
	dst = binary.AppendUvarint(dst, term)
	dst = binary.AppendUvarint(dst, first)
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
	if c.wireKind() == callWrite {
		dst = zk.AppendRequest(dst, c.xid, c.req.Body)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decodeForward reads a call. Its data aliases src.
func decodeForward(src []byte) (term, first uint64, c *call, err error) {
	r := varints{src: src}
	c = &call{}
	term, first, c.seq = r.uvarint(), r.uvarint(), r.uvarint()
	c.kind = callKind(r.byte())
	c.xid, c.req.Session = int32(r.varint()), int64(r.uvarint())
	c.req.Cxid = c.xid
	c.timeout, c.process = int32(r.varint()), r.uvarint()
	n := r.uvarint()
	if r.bad || n > maxIdentities || c.kind >= callRead {
		return 0, 0, nil, errForward
	}
	for range n {
		c.req.IDs = append(c.req.IDs, tree.Identity{Scheme: r.string(), ID: r.string()})
	}
	if r.bad || c.kind != callWrite {
		return term, first, c, r.err()
	}
	if len(r.src) < zk.LengthSize {
		return 0, 0, nil, errForward
	}
	if _, c.req.Body, err = zk.DecodeForwarded(r.src[zk.LengthSize:]); err != nil {
		return 0, 0, nil, fmt.Errorf("%w: %w", errForward, err)
	}
	return term, first, c, nil
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
	st := l.rn.BasicStatus()
	if st.Lead == raft.None || l.leaderStart == 0 || l.leaderTerm != st.GetTerm() || l.stream == l.leaderTerm || l.applied < l.leaderStart {
		return
	}
	l.stream = l.leaderTerm
	for _, c := range l.waiting.calls {
		l.forward(c)
	}
}

// forward gives the leader one call. When one does not get through, those behind it
// wait too: all are sent again once the leader is heard.
func (l *loop) forward(c *call) {
	st := l.rn.BasicStatus()
	if l.stream != st.GetTerm() {
		return
	}
	if st.Lead == raft.None || !l.k.quorum.peers.Send(memberOf(st.Lead), msgCall, appendForward(nil, l.stream, l.waiting.calls[0].seq, c)) {
		l.stream = 0
	}
}

// intake is which calls of a member a leader took.
type intake struct {
	boot uint64 // of the member's process
	next uint64
}

// takeForward takes a call of another member, once.
func (l *loop) takeForward(now int64, e event) {
	term, first, c, err := decodeForward(e.payload)
	switch {
	case err != nil:
		l.k.log.Error("call of another member cannot be read", "member", e.member, "error", err)
		return
	case l.prep == nil || term != l.rn.BasicStatus().GetTerm():
		return // the member will learn who leads
	}
	in := l.intakes[e.member]
	if in.boot != e.boot {
		in = intake{boot: e.boot}
	}
	in.next = max(in.next, first) // what it gave up, or lost with a connection, is not waited for
	switch {
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
