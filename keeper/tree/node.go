package tree

import (
	"unsafe"
)

// num addresses a node: its slot in the slabs. 0 is no node.
type num uint32

// rootNum is the slot of "/".
const rootNum num = 1

// node is what every znode costs besides its block in the arena. The layout is
// free of pointers and padding: 72 bytes. What only some nodes need (children,
// an owner, changed ACLs) lives in extra.
type node struct {
	czxid, mzxid int64
	ctime, mtime int64 // ms since 1970
	version      int32
	dataLen      int32 // -1: null data
	nameLen      uint32
	block        ref   // name, then data
	parent       num   // 0 in the root; in a free slot, the next free slot
	next, prev   num   // siblings, in no order that means anything
	acl          aclID // 0 marks a free slot
	extra        uint32
}

// extra is what a node needs once it has had children, an owner or a second
// ACL. 40 bytes.
type extra struct {
	pzxid      int64
	owner      int64 // session, or the special values of containers and TTLs
	cversion   int32 // counts creates only; what clients see is 2·c − children
	aversion   int32
	children   uint32
	firstChild num // in a free slot, the next free slot
	ownedNext  num // nodes of the same owner
	ownedPrev  num
}

// slab is a growing array outside the collected heap; slot 0 stays unused.
type slab[T any] struct {
	mem    Memory
	chunks []*[slabChunk]T
	raw    [][]byte
	len    uint32 // slots ever used, the unused one included
}

// slabChunk is how many slots are asked from the system at once: about 1 MiB.
const (
	slabShift = 14
	slabChunk = 1 << slabShift
)

func (s *slab[T]) at(i uint32) *T { return &s.chunks[i>>slabShift][i&(slabChunk-1)] }

// grow appends one zeroed slot.
func (s *slab[T]) grow() uint32 {
	if s.len == 0 {
		s.len = 1
	}
	for int(s.len>>slabShift) >= len(s.chunks) {
		var zero T
		b := s.mem.Map(slabChunk * int(unsafe.Sizeof(zero)))
		if b == nil { // no more room outside: the heap takes over
			s.chunks = append(s.chunks, new([slabChunk]T))
			continue
		}
		s.raw = append(s.raw, b)
		s.chunks = append(s.chunks, (*[slabChunk]T)(unsafe.Pointer(unsafe.SliceData(b))))
	}
	s.len++
	return s.len - 1
}

func (s *slab[T]) close() {
	for _, b := range s.raw {
		s.mem.Unmap(b)
	}
	s.chunks, s.raw = nil, nil
}

// store holds nodes, what belongs to them, and the index by name.
type store struct {
	nodes      slab[node]
	extras     slab[extra]
	freeNodes  num
	freeExtras uint32
	arena      *arena
	index      index
	count      int
	dataBytes  int64 // lengths of all data
	// before is called with a node about to change or to appear: a snapshot
	// that has not come to it yet saves what is there. nil without a snapshot.
	before func(n num)
}

func newStore(mem Memory, seed uint64) *store {
	return &store{
		nodes: slab[node]{mem: mem}, extras: slab[extra]{mem: mem},
		arena: newArena(mem), index: index{seed: seed},
	}
}

func (s *store) close() {
	s.nodes.close()
	s.extras.close()
	s.arena.close()
}

func (s *store) node(n num) *node { return s.nodes.at(uint32(n)) }

// used reports whether a slot holds a node.
func (s *store) used(n num) bool {
	return n != 0 && uint32(n) < s.nodes.len && s.node(n).acl != 0
}

// touch must precede every change of a node.
func (s *store) touch(n num) {
	if s.before != nil {
		s.before(n)
	}
}

// noExtra is read for nodes that have none; its pzxid is not valid.
var noExtra extra

// extraOf returns the extra of a node for reading.
func (s *store) extraOf(nd *node) *extra {
	if nd.extra == 0 {
		return &noExtra
	}
	return s.extras.at(nd.extra)
}

// needExtra returns the extra of a node for writing.
func (s *store) needExtra(nd *node) *extra {
	if nd.extra != 0 {
		return s.extras.at(nd.extra)
	}
	i := s.freeExtras
	if i != 0 {
		s.freeExtras = uint32(s.extras.at(i).firstChild)
	} else {
		i = s.extras.grow()
	}
	nd.extra = i
	e := s.extras.at(i)
	*e = extra{pzxid: nd.czxid}
	return e
}

func (s *store) pzxid(nd *node) int64 {
	if nd.extra == 0 {
		return nd.czxid // no child ever
	}
	return s.extras.at(nd.extra).pzxid
}

// name and data are valid until the node changes.
func (s *store) name(nd *node) []byte { return s.arena.block(nd.block, int(nd.nameLen)) }

func (s *store) data(nd *node) []byte {
	if nd.dataLen < 0 {
		return nil
	}
	all := s.arena.block(nd.block, int(nd.nameLen)+int(nd.dataLen))
	if all == nil {
		return []byte{}
	}
	return all[nd.nameLen:]
}

func (nd *node) blockSize() int { return int(nd.nameLen) + int(max(nd.dataLen, 0)) }

// fill puts name and data into a fresh block.
func (s *store) fill(nd *node, name string, data []byte) {
	nd.nameLen, nd.dataLen = uint32(len(name)), int32(len(data))
	r, b := s.arena.alloc(len(name) + len(data))
	copy(b, name)
	copy(b[min(len(name), len(b)):], data)
	if data == nil {
		nd.dataLen = -1
	}
	nd.block = r
}

// setData replaces the data, in place when the block stays of its class.
func (s *store) setData(nd *node, data []byte) {
	oldSize, newSize := nd.blockSize(), int(nd.nameLen)+len(data)
	s.dataBytes += int64(newSize - oldSize)
	if oldSize == newSize && newSize > 0 {
		copy(s.arena.block(nd.block, newSize)[nd.nameLen:], data)
	} else {
		old := nd.block
		name := string(s.name(nd))
		s.arena.release(old, oldSize)
		s.fill(nd, name, data)
	}
	nd.dataLen = int32(len(data))
	if data == nil {
		nd.dataLen = -1
	}
}

// newSlot takes a free slot or appends one.
func (s *store) newSlot() num {
	n := s.freeNodes
	if n != 0 {
		s.freeNodes = s.node(n).parent
		s.touch(n)
		return n
	}
	n = num(s.nodes.grow())
	s.touch(n)
	return n
}

// insert adds a node below parent and returns it for its stats to be set.
func (s *store) insert(parent num, name string, data []byte, acl aclID) (num, *node) {
	n := s.newSlot()
	nd := s.node(n)
	*nd = node{parent: parent, acl: acl}
	s.fill(nd, name, data)
	s.count++
	s.dataBytes += int64(len(data))
	if parent != 0 {
		s.index.add(s, n)
		s.link(n)
	}
	return n, nd
}

// link puts a node in front of its parent's children.
func (s *store) link(n num) {
	nd := s.node(n)
	pe := s.needExtra(s.node(nd.parent))
	nd.prev, nd.next = 0, pe.firstChild
	if pe.firstChild != 0 {
		s.node(pe.firstChild).prev = n
	}
	pe.firstChild = n
	pe.children++
}

// remove deletes a node without children.
func (s *store) remove(n num) {
	nd := s.node(n)
	pe := s.needExtra(s.node(nd.parent))
	if nd.prev != 0 {
		s.node(nd.prev).next = nd.next
	} else {
		pe.firstChild = nd.next
	}
	if nd.next != 0 {
		s.node(nd.next).prev = nd.prev
	}
	pe.children--
	s.index.remove(s, n)
	s.count--
	s.dataBytes -= int64(max(nd.dataLen, 0))
	s.arena.release(nd.block, nd.blockSize())
	if nd.extra != 0 {
		*s.extras.at(nd.extra) = extra{firstChild: num(s.freeExtras)}
		s.freeExtras = nd.extra
	}
	*nd = node{parent: s.freeNodes}
	s.freeNodes = n
}
