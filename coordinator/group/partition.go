package group

// Partition returns the partition of __consumer_offsets that holds a group:
// Java's String.hashCode over UTF-16 units, its absolute value (zero for the
// one that has none), modulo the number of partitions.
func Partition(group string, partitions int32) int32 {
	var h int32
	for _, r := range group {
		if r < 0x10000 {
			h = 31*h + r
			continue
		}
		r -= 0x10000
		h = 31*h + (0xd800 + r>>10)
		h = 31*h + (0xdc00 + r&0x3ff)
	}
	if h == -1<<31 {
		return 0
	}
	return max(h, -h) % partitions
}

// utf16Len returns the length of s as Java counts it.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x10000 {
			n++
		}
	}
	return n
}
