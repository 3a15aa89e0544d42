//go:build unix

package tree

import "syscall"

// mapMemory returns n zeroed bytes that the garbage collector neither scans nor
// counts: with a million nodes in its heap, the default pacing would keep as
// much again for garbage. nil means that the system has no more.
func mapMemory(n int) []byte {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return b
}

// unmapMemory gives back what mapMemory returned.
func unmapMemory(b []byte) {
	// The only failure is an argument that mapMemory never returned.
	_ = syscall.Munmap(b)
}
