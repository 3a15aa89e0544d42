//go:build !unix

package tree

// mapMemory falls back to the collected heap where there is no mmap.
func mapMemory(n int) []byte { return make([]byte, n) }

// unmapMemory leaves the work to the collector.
func unmapMemory([]byte) {}
