package keeper

// FreeMemory returns what is left of the memory for requests, in bytes.
func (k *Keeper) FreeMemory() (small, large int64) {
	return k.memory.small.Free(), k.memory.large.Free()
}

// Blocked counts the connections that wait for memory.
func (k *Keeper) Blocked() int {
	n := 0
	for _, c := range k.conns.all() {
		if c.waits.Load() {
			n++
		}
	}
	return n
}
