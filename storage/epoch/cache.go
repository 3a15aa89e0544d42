package epoch

import (
	"slices"
	"sync"
)

// None is the epoch, and Undefined the offset, that mean "not known".
const (
	None      int32 = -1
	Undefined int64 = -1
)

// Entry says that a leader epoch began at an offset.
type Entry struct {
	Epoch int32
	Start int64
}

// Cache holds the epochs of one partition in ascending order of both epoch and
// start offset. Its zero value is empty and ready.
type Cache struct {
	mu struct {
		sync.Mutex
		entries []Entry
		version uint64 // grows with every change, for whoever writes the file
	}
}

// Load replaces all entries by those of a file, applying them one by one so
// that a file which is out of order still gives a sane cache.
func (c *Cache) Load(entries []Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.entries = nil
	for _, e := range entries {
		c.assignLocked(e)
	}
}

// Assign notes that epoch began at start and reports whether that was news.
// Entries that contradict it (a later epoch, or one that began at or after
// start) are dropped. Negative values are ignored.
func (c *Cache) Assign(epoch int32, start int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.assignLocked(Entry{epoch, start})
}

func (c *Cache) assignLocked(e Entry) bool {
	if e.Epoch < 0 || e.Start < 0 {
		return false
	}
	es := c.mu.entries
	if n := len(es); n > 0 && es[n-1].Epoch == e.Epoch && es[n-1].Start <= e.Start {
		return false
	}
	for n := len(es); n > 0 && (es[n-1].Epoch >= e.Epoch || es[n-1].Start >= e.Start); n = len(es) {
		es = es[:n-1]
	}
	c.mu.entries = append(es, e)
	c.mu.version++
	return true
}

// Latest returns the newest entry; ok is false when there is none.
func (c *Cache) Latest() (e Entry, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.mu.entries); n > 0 {
		return c.mu.entries[n-1], true
	}
	return Entry{None, Undefined}, false
}

// Earliest returns the oldest entry; ok is false when there is none.
func (c *Cache) Earliest() (e Entry, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.entries) > 0 {
		return c.mu.entries[0], true
	}
	return Entry{None, Undefined}, false
}

// For returns the epoch that an offset belongs to, or None.
func (c *Cache) For(offset int64) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, found := slices.BinarySearchFunc(c.mu.entries, offset, func(e Entry, o int64) int { return cmp64(e.Start, o) })
	switch {
	case found:
		return c.mu.entries[i].Epoch
	case i == 0:
		return None
	default:
		return c.mu.entries[i-1].Epoch
	}
}

// EndOffset answers OffsetsForLeaderEpoch: the largest known epoch not above
// the asked one, and where it ended. logEnd is the end of the log. An unknown
// epoch gives (None, Undefined); one older than all gives itself and the first
// start offset.
func (c *Cache) EndOffset(epoch int32, logEnd int64) (int32, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	es := c.mu.entries
	if epoch == None || len(es) == 0 || epoch > es[len(es)-1].Epoch {
		return None, Undefined
	}
	if epoch == es[len(es)-1].Epoch {
		return epoch, logEnd
	}
	above, _ := slices.BinarySearchFunc(es, epoch, func(e Entry, want int32) int {
		if e.Epoch <= want {
			return -1
		}
		return 1
	})
	if above == 0 {
		return epoch, es[0].Start
	}
	return es[above-1].Epoch, es[above].Start
}

// TruncateEnd drops the epochs that began at or after an offset.
func (c *Cache) TruncateEnd(offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	es := c.mu.entries
	n := len(es)
	for offset >= 0 && n > 0 && es[n-1].Start >= offset {
		n--
	}
	if n < len(es) {
		c.mu.entries = es[:n]
		c.mu.version++
	}
}

// TruncateStart drops the epochs that ended at or before an offset; the one
// the offset lies in then begins there.
func (c *Cache) TruncateStart(offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	es := c.mu.entries
	n := 0
	for n < len(es) && es[n].Start <= offset {
		n++
	}
	if n == 0 || n == 1 && es[0].Start == offset {
		return
	}
	es[n-1].Start = offset
	c.mu.entries = slices.Clone(es[n-1:])
	c.mu.version++
}

// Clear drops everything.
func (c *Cache) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.entries) > 0 {
		c.mu.version++
	}
	c.mu.entries = nil
}

// Entries returns a copy, and the version it belongs to: it has changed since
// when Version differs.
func (c *Cache) Entries() ([]Entry, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.mu.entries), c.mu.version
}

// Version grows with every change.
func (c *Cache) Version() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.version
}

func cmp64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
