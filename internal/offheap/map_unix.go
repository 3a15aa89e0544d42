//go:build unix

package offheap

import "syscall"

// Memory maps and unmaps. It has no state.
type Memory struct{}

// Map returns n zeroed bytes, or nil when the system has no more. They cost
// something only where they are written to.
func (Memory) Map(n int) []byte {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return b
}

// Unmap gives back what Map returned. Nobody may use it any more.
func (Memory) Unmap(b []byte) {
	// The only failure is an argument that Map never returned.
	_ = syscall.Munmap(b)
}
