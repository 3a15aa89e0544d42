package load

import (
	"encoding/binary"
	"time"
)

// stamp is a value of so many bytes that carries the time at which it was due.
func stamp(size int, due time.Duration) []byte {
	v := make([]byte, max(size, 8))
	binary.BigEndian.PutUint64(v, uint64(due))
	return v
}

// stamped reads what stamp wrote; shorter values were due at the start.
func stamped(value []byte) time.Duration {
	if len(value) < 8 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(value))
}
