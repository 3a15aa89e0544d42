package tree

import "math/bits"

// index finds a child by parent and name: open addressing over node numbers,
// cut into shards so that growing never stalls for long.
type index struct {
	seed   uint64
	shards [indexShards]shard
}

// indexShards is a power of two; a million nodes leave some 4,000 a shard, and
// rehashing that many takes well under a millisecond.
const indexShards = 256

type shard struct {
	slots []num // a power of two long
	used  int
}

// hashName mixes parent and name; it need not be the same on every member.
func hashName[T string | []byte](seed uint64, parent num, name T) uint64 {
	const m = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	h := mix(seed^uint64(parent), m)
	for len(name) >= 8 {
		v := uint64(name[0]) | uint64(name[1])<<8 | uint64(name[2])<<16 | uint64(name[3])<<24 |
			uint64(name[4])<<32 | uint64(name[5])<<40 | uint64(name[6])<<48 | uint64(name[7])<<56
		h = mix(h^v, m)
		name = name[8:]
	}
	var tail uint64
	for i := range len(name) {
		tail |= uint64(name[i]) << (8 * i)
	}
	return mix(h^tail^uint64(len(name))<<56, m)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a|1, b)
	return hi ^ lo ^ a>>32
}

func (x *index) shardOf(h uint64) *shard { return &x.shards[h>>56] }

// expect makes room for so many nodes, before any is there.
func (x *index) expect(nodes int) {
	size := 8
	for size*3 < nodes/indexShards*4 {
		size *= 2
	}
	for i := range x.shards {
		x.shards[i].slots = make([]num, size)
	}
}

// find returns the child of parent with a name, or 0.
func (x *index) find(s *store, parent num, name string) num {
	h := hashName(x.seed, parent, name)
	sh := x.shardOf(h)
	if sh.used == 0 {
		return 0
	}
	mask := uint64(len(sh.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		n := sh.slots[i]
		if n == 0 {
			return 0
		}
		nd := s.node(n)
		if nd.parent == parent && int(nd.nameLen) == len(name) && string(s.name(nd)) == name {
			return n
		}
	}
}

func (x *index) hashNode(s *store, n num) uint64 {
	nd := s.node(n)
	return hashName(x.seed, nd.parent, s.name(nd))
}

func (x *index) add(s *store, n num) {
	h := x.hashNode(s, n)
	sh := x.shardOf(h)
	if (sh.used+1)*4 > len(sh.slots)*3 {
		x.resize(s, sh, max(8, len(sh.slots)*2))
	}
	sh.put(h, n)
	sh.used++
}

func (sh *shard) put(h uint64, n num) {
	mask := uint64(len(sh.slots) - 1)
	i := h & mask
	for sh.slots[i] != 0 {
		i = (i + 1) & mask
	}
	sh.slots[i] = n
}

func (x *index) resize(s *store, sh *shard, size int) {
	old := sh.slots
	sh.slots = make([]num, size)
	for _, n := range old {
		if n != 0 {
			sh.put(x.hashNode(s, n), n)
		}
	}
}

// remove takes a node out and closes the gap, so that no tombstones remain.
func (x *index) remove(s *store, n num) {
	h := x.hashNode(s, n)
	sh := x.shardOf(h)
	mask := uint64(len(sh.slots) - 1)
	i := h & mask
	for sh.slots[i] != n {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; sh.slots[j] != 0; j = (j + 1) & mask {
		home := x.hashNode(s, sh.slots[j]) & mask
		if (j-home)&mask >= (j-i)&mask { // its home lies at or before the gap
			sh.slots[i] = sh.slots[j]
			i = j
		}
	}
	sh.slots[i] = 0
	sh.used--
	if small := len(sh.slots) / 2; small >= 8 && sh.used*4 < small {
		x.resize(s, sh, small)
	}
}
