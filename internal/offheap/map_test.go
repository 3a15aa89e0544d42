package offheap

import (
	"runtime"
	"testing"
)

func TestMappedMemoryIsZeroedAndUncounted(t *testing.T) {
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b := Memory{}.Map(size)
	if len(b) != size {
		t.Fatalf("%d bytes, want %d", len(b), size)
	}
	for i := 0; i < size; i += 4096 {
		if b[i] != 0 {
			t.Fatalf("byte %d is %d", i, b[i])
		}
		b[i] = 1
	}
	runtime.ReadMemStats(&after)
	if runtime.GOOS == "linux" && after.HeapAlloc-before.HeapAlloc > size/2 {
		t.Fatalf("the heap grew by %d bytes", after.HeapAlloc-before.HeapAlloc)
	}
	Memory{}.Unmap(b)
}
