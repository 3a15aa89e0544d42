package keepers

import (
	"fmt"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// kind is what an operation on a node is.
type kind string

const (
	opCreate kind = "create"
	opDelete kind = "delete"
	opSet    kind = "set"
	opRead   kind = "read" // behind a sync
	opLook   kind = "look" // a read without one
)

// op is one operation on one node, as its client saw it. A multi is one for each of
// its nodes.
type op struct {
	client  string
	session int64
	kind    kind
	path    string
	value   string // what is written
	version int32  // that is asked for, -1 for any

	call, ret time.Time
	known     bool // there was an answer
	err       zk.Err
	zxid      int64 // of the answer
	// What the answer shows: of a read all, of a set the version.
	got  string
	stat zk.Stat
	// Of an operation without an answer: when it had happened or never would.
	settled bool
}

func (o *op) String() string {
	text := fmt.Sprintf("%s 0x%x %s %s", o.client, uint64(o.session), o.kind, o.path)
	switch o.kind {
	case opCreate, opSet:
		text += fmt.Sprintf(" %s if %d", o.value, o.version)
	case opDelete:
		text += fmt.Sprintf(" if %d", o.version)
	}
	if !o.known {
		return text + ": no answer"
	}
	return fmt.Sprintf("%s: %v zxid 0x%x got %q v%d mzxid 0x%x", text, o.err, o.zxid, o.got, o.stat.Version, o.stat.Mzxid)
}

// did reports whether an answer says that the node was changed.
func (o *op) did() bool { return o.known && o.err == zk.OK && o.changes() }

func (o *op) changes() bool { return o.kind == opCreate || o.kind == opDelete || o.kind == opSet }

// history is what all clients saw.
type history struct {
	mu    sync.Mutex
	ops   []*op
	conns []*connLog
	lives []*life
}

func (h *history) add(o *op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, o)
}

func (h *history) addConn(c *connLog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, c)
}

func (h *history) addLife(l *life) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives = append(h.lives, l)
}

// connLog is what came over one connection, in order.
type connLog struct {
	client string
	seen   []sight
}

// sight is a packet: a reply, or an event of a path; armed is the path that a
// reply begins to watch, since is the zxid from which on changes count.
type sight struct {
	zxid  int64
	event string
	armed string
	since int64
}

// life is a session, as its client knows it.
type life struct {
	id      int64
	timeout time.Duration
	node    string // its ephemeral node
	created int64  // zxid of that, 0 if not known
	// said is when the client last sent something, answered when it last sent
	// something that was answered.
	said, answered time.Time
	closing        bool      // it was asked to end
	refused        time.Time // when a member said that it is over
}
