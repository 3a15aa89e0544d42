//go:build !unix

package offheap

// Memory falls back to the collected heap where there is no mmap.
type Memory struct{}

// Map returns n zeroed bytes.
func (Memory) Map(n int) []byte { return make([]byte, n) }

// Unmap leaves the work to the collector.
func (Memory) Unmap([]byte) {}
