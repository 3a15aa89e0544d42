package tree

import (
	"github.com/gregor-mq/gregor/internal/must"
)

// The arena hands out blocks of a few sizes from spans, and spans from regions.
const (
	unit       = 8  // bytes; refs count in units, so 31 bits reach 16 GiB
	spanShift  = 16 // a span is 64 KiB: small enough to be given back
	spanSize   = 1 << spanShift
	regionSize = 64 * spanSize // what is asked from the system at once
	maxBlock   = 8 << 10       // longer blocks are ordinary byte slices
	maxSpans   = 1 << (31 + 3 - spanShift)
	largeBit   = 1 << 31 // marks a ref to an ordinary byte slice
	noSpan     = -1
)

// ref is where a block lives: an offset in units, or largeBit and a number.
// 0 is no block.
type ref uint32

// span is the bookkeeping of one span, which holds blocks of one class.
type span struct {
	class      int16
	used       uint16 // blocks handed out
	fresh      uint16 // blocks never handed out start here
	free       ref    // freed blocks, chained through their first four bytes
	next, prev int32  // in the list of its class's spans with room
}

// arena allocates blocks outside the collected heap. A freed block serves
// blocks of its class; a span whose blocks are all free serves any class.
type arena struct {
	mem     Memory
	regions [][]byte
	spans   []span
	idle    []int32           // spans without blocks
	room    [numClasses]int32 // per class, the first span with room
	large   map[uint32][]byte // blocks above maxBlock, or when regions ran out
	nextBig uint32
	bytes   int64 // handed out, rounded up to classes
}

// The classes: steps of 8 bytes to 256, of 32 to 1 KiB, of 256 to maxBlock.
const (
	fineClasses   = 256 / 8
	middleClasses = (1024 - 256) / 32
	numClasses    = fineClasses + middleClasses + (maxBlock-1024)/256
)

func classOf(size int) int {
	switch {
	case size <= 256:
		return (size+7)/8 - 1
	case size <= 1024:
		return fineClasses + (size-256+31)/32 - 1
	}
	return fineClasses + middleClasses + (size-1024+255)/256 - 1
}

func classSize(class int) int {
	switch {
	case class < fineClasses:
		return (class + 1) * 8
	case class < fineClasses+middleClasses:
		return 256 + (class-fineClasses+1)*32
	}
	return 1024 + (class-fineClasses-middleClasses+1)*256
}

func newArena(mem Memory) *arena {
	a := &arena{mem: mem, large: map[uint32][]byte{}}
	for i := range a.room {
		a.room[i] = noSpan
	}
	// ref 0 means none: the first span stays unused. The other spans of its
	// region come with the first block.
	if region := mem.Map(regionSize); region != nil {
		a.regions = append(a.regions, region)
		a.addSpans()
		a.idle = a.idle[:len(a.idle)-1]
	}
	return a
}

// addSpans makes the newest region's spans idle, the first of them last.
func (a *arena) addSpans() {
	first := len(a.spans)
	for range regionSize / spanSize {
		a.spans = append(a.spans, span{class: noSpan, next: noSpan, prev: noSpan})
	}
	for i := len(a.spans) - 1; i >= first; i-- {
		a.idle = append(a.idle, int32(i))
	}
}

// alloc returns a block of at least size bytes and its first size bytes.
func (a *arena) alloc(size int) (ref, []byte) {
	if size == 0 {
		return 0, nil
	}
	if size > maxBlock {
		return a.allocLarge(size)
	}
	class := classOf(size)
	s := a.room[class]
	if s == noSpan {
		if s = a.openSpan(class); s == noSpan {
			return a.allocLarge(size)
		}
	}
	r := a.takeFrom(s)
	a.bytes += int64(classSize(class))
	return r, a.block(r, size)
}

func (a *arena) allocLarge(size int) (ref, []byte) {
	for {
		a.nextBig = (a.nextBig + 1) &^ largeBit
		if _, taken := a.large[a.nextBig]; !taken {
			break
		}
	}
	b := make([]byte, size)
	a.large[a.nextBig] = b
	a.bytes += int64(size)
	return ref(a.nextBig | largeBit), b
}

// openSpan gives an idle span to a class; noSpan when memory ran out.
func (a *arena) openSpan(class int) int32 {
	if len(a.idle) == 0 {
		if len(a.spans) >= maxSpans || len(a.spans) == 0 {
			return noSpan // no more room, or none from the beginning
		}
		region := a.mem.Map(regionSize)
		if region == nil {
			return noSpan
		}
		a.regions = append(a.regions, region)
		a.addSpans()
	}
	s := a.idle[len(a.idle)-1]
	a.idle = a.idle[:len(a.idle)-1]
	a.spans[s] = span{class: int16(class), next: noSpan, prev: noSpan}
	a.link(s)
	return s
}

// takeFrom hands out one block of a span with room.
func (a *arena) takeFrom(s int32) ref {
	sp := &a.spans[s]
	size := classSize(int(sp.class))
	r := sp.free
	if r != 0 {
		sp.free = ref(getUint32(a.block(r, 4)))
	} else {
		r = ref(int(s)*(spanSize/unit) + int(sp.fresh)*size/unit)
		sp.fresh++
	}
	sp.used++
	if sp.free == 0 && (int(sp.fresh)+1)*size > spanSize {
		a.unlink(s)
	}
	return r
}

// release frees a block; size is what alloc was asked for.
func (a *arena) release(r ref, size int) {
	if r == 0 {
		return
	}
	if r&largeBit != 0 {
		delete(a.large, uint32(r&^largeBit))
		a.bytes -= int64(size)
		return
	}
	s := int32(r >> (spanShift - 3))
	sp := &a.spans[s]
	must.Hold(int(sp.class) == classOf(size) && sp.used > 0, "a block is released with the size it was allocated with")
	class := classSize(int(sp.class))
	hadRoom := sp.free != 0 || (int(sp.fresh)+1)*class <= spanSize
	putUint32(a.block(r, 4), uint32(sp.free))
	sp.free = r
	sp.used--
	a.bytes -= int64(class)
	if !hadRoom {
		a.link(s)
	}
	if sp.used == 0 {
		a.unlink(s)
		sp.class = noSpan
		a.idle = append(a.idle, s)
	}
}

// block returns the first size bytes of a block. They stay valid until it is
// released; nobody keeps them longer than that.
func (a *arena) block(r ref, size int) []byte {
	switch {
	case r == 0:
		return nil
	case r&largeBit != 0:
		return a.large[uint32(r&^largeBit)][:size]
	}
	off := int(r) * unit
	region := a.regions[off/regionSize]
	off %= regionSize
	return region[off : off+size : off+size]
}

func (a *arena) link(s int32) {
	sp := &a.spans[s]
	head := a.room[sp.class]
	sp.next, sp.prev = head, noSpan
	if head != noSpan {
		a.spans[head].prev = s
	}
	a.room[sp.class] = s
}

func (a *arena) unlink(s int32) {
	sp := &a.spans[s]
	if sp.prev != noSpan {
		a.spans[sp.prev].next = sp.next
	} else {
		a.room[sp.class] = sp.next
	}
	if sp.next != noSpan {
		a.spans[sp.next].prev = sp.prev
	}
	sp.next, sp.prev = noSpan, noSpan
}

// close gives all memory back; the arena is unusable then.
func (a *arena) close() {
	for _, r := range a.regions {
		a.mem.Unmap(r)
	}
	a.regions, a.spans, a.large = nil, nil, nil
}

// getUint32 and putUint32 chain free blocks.
func getUint32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func putUint32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}
