package record

// Records use protobuf's zig-zag varints: 32 bits in at most five bytes, 64 in
// at most ten. Kafka accepts overlong encodings within those lengths, so do we.

// varint reads a 32-bit varint of b at i and returns the index behind it, or -1.
func varint(b []byte, i int) (int32, int) {
	// Two bytes hold the lengths and offsets of nearly all records.
	if j := i + 1; i >= 0 && j < len(b) {
		u, next := uint32(b[i]), uint32(b[j])
		if u < 0x80 {
			return int32(u>>1) ^ -int32(u&1), j
		}
		if next < 0x80 {
			u = u&0x7f | next<<7
			return int32(u>>1) ^ -int32(u&1), j + 1
		}
	}
	return varintSlow(b, i)
}

//go:noinline
func varintSlow(b []byte, i int) (int32, int) {
	if i < 0 {
		return 0, -1
	}
	var u uint32
	for shift := 0; shift < 35 && i < len(b); shift += 7 {
		c := b[i]
		i++
		u |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return int32(u>>1) ^ -int32(u&1), i
		}
	}
	return 0, -1
}

// varlong reads a 64-bit varint of b at i and returns the index behind it, or -1.
func varlong(b []byte, i int) (int64, int) {
	if i < 0 {
		return 0, -1
	}
	var u uint64
	for shift := 0; shift < 70 && i < len(b); shift += 7 {
		c := b[i]
		i++
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i
		}
	}
	return 0, -1
}

// The longest encodings of 32 and 64 bits.
const (
	maxVarint  = 5
	maxVarlong = 10
)

func appendVarint(dst []byte, v int32) []byte {
	return appendUvarint(dst, uint64(uint32(v<<1)^uint32(v>>31)))
}

func appendVarlong(dst []byte, v int64) []byte {
	return appendUvarint(dst, uint64(v<<1)^uint64(v>>63))
}

func appendUvarint(dst []byte, u uint64) []byte {
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

func varintSize(v int32) int { return uvarintSize(uint64(uint32(v<<1) ^ uint32(v>>31))) }

func varlongSize(v int64) int { return uvarintSize(uint64(v<<1) ^ uint64(v>>63)) }

func uvarintSize(u uint64) int {
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}
