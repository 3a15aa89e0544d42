package tree

import (
	"encoding/binary"

	"github.com/gregor-mq/gregor/internal/must"
)

// The records of a snapshot, in docs/format/keeper-snapshot.md.
const (
	recordState   = 'T' // last zxid
	recordSession = 'S'
	recordACL     = 'A'
	recordNode    = 'N'
)

// snapshotChunk is about how many bytes Next produces at once: what can be
// encoded within a millisecond, since writers wait meanwhile.
const snapshotChunk = 256 << 10

// Snapshot gives the tree out as it was when the snapshot began, while the tree
// goes on changing: a node is saved before its first change.
type Snapshot struct {
	t    *Tree
	zxid int64
	// out waits to be given out: sessions and ACLs, then nodes that changed
	// before cursor came to them.
	out    []byte
	cursor num
	end    num      // nodes from here on are younger than the snapshot
	saved  []uint64 // a bit per node that is in out or was not there
	nodes  int
	left   bool // the tree is another one now, and this one ends with the snapshot
}

// BeginSnapshot starts a snapshot; there can be one at a time. It must not run
// beside reads.
func (t *Tree) BeginSnapshot() *Snapshot {
	must.Hold(t.snap == nil, "one snapshot of a tree at a time")
	s := &Snapshot{t: t, zxid: t.lastZxid, cursor: rootNum, end: num(t.s.nodes.len)}
	s.saved = make([]uint64, int(s.end)/64+1)
	s.out = append(s.out, recordState)
	s.out = binary.AppendVarint(s.out, t.lastZxid)
	for _, id := range t.Sessions() {
		ses := t.sessions[id]
		s.out = append(s.out, recordSession)
		s.out = binary.AppendUvarint(s.out, uint64(id))
		s.out = binary.AppendVarint(s.out, int64(ses.Timeout))
		s.out = binary.AppendUvarint(s.out, ses.Member)
	}
	for id := range t.acls.entries {
		if e := &t.acls.entries[id]; e.refs > 0 {
			s.out = append(s.out, recordACL)
			s.out = binary.AppendUvarint(s.out, uint64(id))
			s.out = appendACL(s.out, e.list)
		}
	}
	t.snap, t.s.before = s, s.before
	return s
}

// Zxid returns the last transaction that the snapshot holds.
func (s *Snapshot) Zxid() int64 { return s.zxid }

// Nodes returns how many nodes were given out so far.
func (s *Snapshot) Nodes() int { return s.nodes }

// before saves a node that is about to change.
func (s *Snapshot) before(n num) {
	if n >= s.end || n < s.cursor || s.saved[n/64]&(1<<(n%64)) != 0 {
		return
	}
	s.saved[n/64] |= 1 << (n % 64)
	if s.t.s.used(n) {
		s.out = s.append(s.out, n)
	}
}

// Next appends some records to dst; more is false after the last. It may run
// beside reads, not beside Apply.
func (s *Snapshot) Next(dst []byte) (chunk []byte, more bool) { return s.nextLimit(dst, snapshotChunk) }

func (s *Snapshot) nextLimit(dst []byte, limit int) (chunk []byte, more bool) {
	start := len(dst)
	dst = append(dst, s.out...)
	s.out = s.out[:0]
	for ; s.cursor < s.end && len(dst)-start < limit; s.cursor++ {
		n := s.cursor
		if s.saved[n/64]&(1<<(n%64)) == 0 && s.t.s.used(n) {
			dst = s.append(dst, n)
		}
	}
	return dst, s.cursor < s.end
}

// End lets the tree forget the snapshot. It must not run beside reads.
func (s *Snapshot) End() {
	s.t.snap, s.t.s.before = nil, nil
	if s.left {
		s.t.s.close()
	}
}

func (s *Snapshot) append(dst []byte, n num) []byte {
	st := s.t.s
	nd := st.node(n)
	e := st.extraOf(nd)
	s.nodes++
	dst = append(dst, recordNode)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, uint64(nd.parent))
	dst = binary.AppendUvarint(dst, uint64(nd.acl))
	dst = binary.AppendVarint(dst, nd.czxid)
	dst = binary.AppendVarint(dst, nd.mzxid-nd.czxid)
	dst = binary.AppendVarint(dst, st.pzxid(nd)-nd.czxid)
	dst = binary.AppendVarint(dst, nd.ctime)
	dst = binary.AppendVarint(dst, nd.mtime-nd.ctime)
	dst = binary.AppendVarint(dst, int64(nd.version))
	dst = binary.AppendVarint(dst, int64(e.cversion))
	dst = binary.AppendVarint(dst, int64(e.aversion))
	dst = binary.AppendVarint(dst, e.owner)
	dst = binary.AppendUvarint(dst, uint64(nd.nameLen))
	dst = append(dst, st.name(nd)...)
	return appendBytes(dst, st.data(nd))
}
