package server

import (
	"math/bits"
	"sync"
)

// smallestClass is the power of two of the smallest pooled buffer, 1 KiB.
const smallestClass = 10

// bufferPools holds buffers by size class (powers of two from 1 KiB to
// maxPooled), as pointers so that putting one back does not allocate.
var bufferPools [13]sync.Pool

// getBuffer returns a buffer of length 0 and at least the given capacity.
func getBuffer(n int) *[]byte {
	class := max(bits.Len(uint(max(n, 1)-1)), smallestClass)
	if n > maxPooled {
		b := make([]byte, 0, n)
		return &b
	}
	if b, ok := bufferPools[class-smallestClass].Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, 1<<class)
	return &b
}

// pooledBelow returns the largest pooled capacity that is not above n, or the
// smallest there is.
func pooledBelow(n int) int { return 1 << max(bits.Len(uint(n))-1, smallestClass) }

// putBuffer gives a buffer back. The caller must not touch it again.
func putBuffer(b *[]byte) {
	if b == nil || cap(*b) > maxPooled || cap(*b) < 1<<smallestClass {
		return
	}
	// A buffer that append replaced may have an odd capacity: it serves the
	// class below.
	class := bits.Len(uint(cap(*b))) - 1
	bufferPools[class-smallestClass].Put(b)
}
