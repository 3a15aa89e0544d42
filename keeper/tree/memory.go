package tree

// Memory is where nodes and their bytes live. With one outside the collected
// heap a tree costs what it holds, whatever the collector's pacing.
type Memory interface {
	// Map returns n zeroed bytes, or nil when there are no more.
	Map(n int) []byte
	// Unmap takes back what Map returned.
	Unmap(b []byte)
}

// heap is the Memory of trees that are given none.
type heap struct{}

func (heap) Map(n int) []byte { return make([]byte, n) }
func (heap) Unmap([]byte)     {}
