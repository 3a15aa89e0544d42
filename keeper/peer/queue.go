package peer

import (
	"sync"

	"github.com/gregor-mq/gregor/internal/run"
)

// queue holds the frames that wait to be sent on one connection. They are copied
// into buffers of one size, one after another; a large frame has a buffer to
// itself. Nothing is moved when the queue grows.
type queue struct {
	ready chan struct{} // a hint that something waits
	mu    struct {
		sync.Mutex
		bufs    [][]byte
		waiting int      // bytes in bufs, and of those being written
		free    [][]byte // empty, to be used again
		refused bool     // something was not taken, so nothing more is
	}
}

const (
	// sendBuffer is the size of a buffer for small frames.
	sendBuffer = 64 << 10
	// keptBuffers bounds those that wait to be used again: together what is
	// written in one go.
	keptBuffers = sendStep / sendBuffer
)

func newQueue() queue { return queue{ready: make(chan struct{}, 1)} }

// put takes a frame, if all that waits then is at most limit bytes, or nothing
// waits yet. It returns the bytes that waited before. Once it did not take one it
// takes none: a gap must not be hidden.
func (q *queue) put(kind byte, payload []byte, limit int) (waits int, ok bool) {
	crc, size := frameCRC(kind, payload), frameHead+len(payload)
	q.mu.Lock()
	defer q.mu.Unlock()
	waits = q.mu.waiting
	if q.mu.refused || waits > 0 && waits+size > limit {
		q.mu.refused = true
		return waits, false
	}
	last := len(q.mu.bufs) - 1
	if last < 0 || cap(q.mu.bufs[last])-len(q.mu.bufs[last]) < size {
		q.mu.bufs = append(q.mu.bufs, q.emptyLocked(size))
		last++
	}
	q.mu.bufs[last] = appendFrame(q.mu.bufs[last], kind, payload, crc)
	q.mu.waiting += size
	run.Hint(q.ready)
	return waits, true
}

// refuse takes nothing more.
func (q *queue) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.refused = true
}

// emptyLocked returns a buffer with room for size bytes.
func (q *queue) emptyLocked(size int) []byte {
	n := len(q.mu.free)
	switch {
	case size > sendBuffer:
		return make([]byte, 0, size)
	case n == 0:
		return make([]byte, 0, sendBuffer)
	}
	b := q.mu.free[n-1]
	q.mu.free = q.mu.free[:n-1]
	return b
}

// take returns the oldest buffers: some sendStep bytes, or one that is larger.
func (q *queue) take() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.mu.bufs) && (n == 0 || size+len(q.mu.bufs[n]) <= sendStep) {
		size += len(q.mu.bufs[n])
		n++
	}
	bufs := q.mu.bufs[:n:n]
	if q.mu.bufs = q.mu.bufs[n:]; len(q.mu.bufs) == 0 {
		q.mu.bufs = nil
	}
	return bufs
}

// written gives buffers back whose bytes were sent.
func (q *queue) written(bufs [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range bufs {
		q.mu.waiting -= len(b)
		if cap(b) == sendBuffer && len(q.mu.free) < keptBuffers {
			q.mu.free = append(q.mu.free, b[:0])
		}
	}
}
