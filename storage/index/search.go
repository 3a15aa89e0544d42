package index

import (
	"io"
	"sort"
	"sync"
)

// window is how many entries are read at once when the search has come near.
const window = 512

var windows = sync.Pool{New: func() any { return new([window * TimeEntrySize]byte) }}

// View is an immutable picture of where an index's entries are, so that its
// file can be searched without holding the lock that guards the index.
type View struct {
	x Sparse // tail is not used
	n int
}

// FloorTail looks for the newest entry with Key <= key among those in memory.
// When ok is false the entry, if any, is on disk: search the returned view.
func (x *Sparse) FloorTail(key int64) (e Entry, ok bool, disk View) {
	i := sort.Search(len(x.tail), func(i int) bool { return x.tail[i].Key > key })
	if i > 0 {
		return x.tail[i-1], true, View{}
	}
	return Entry{}, false, View{x: Sparse{kind: x.kind, base: x.base}, n: x.onDisk}
}

// Len is the number of entries on disk.
func (v View) Len() int { return v.n }

// Floor returns the newest entry on disk with Key <= key; ok is false when
// there is none. f may be nil when Len is 0.
func (v View) Floor(f io.ReaderAt, key int64) (e Entry, ok bool, err error) {
	i, block, err := v.search(f, func(e Entry) bool { return e.Key > key })
	if err != nil || i == 0 {
		return Entry{}, false, err
	}
	if block != nil {
		return *block, true, nil
	}
	e, err = v.x.readAt(f, i-1)
	return e, err == nil, err
}

// search finds the first entry for which above holds (n when none does), and
// the entry before it when it was at hand. above must be monotonic.
func (v View) search(f io.ReaderAt, above func(Entry) bool) (int, *Entry, error) {
	lo, hi := 0, v.n
	for hi-lo > window {
		mid := int(uint(lo+hi) >> 1)
		e, err := v.x.readAt(f, mid)
		if err != nil {
			return 0, nil, err
		}
		if above(e) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == hi {
		return lo, nil, nil
	}
	buf := windows.Get().(*[window * TimeEntrySize]byte)
	defer windows.Put(buf)
	size := int(v.x.kind.EntrySize())
	p := buf[:(hi-lo)*size]
	if _, err := f.ReadAt(p, int64(lo*size)); err != nil {
		return 0, nil, short(err)
	}
	i := sort.Search(hi-lo, func(i int) bool { return above(v.x.decode(p[i*size:])) })
	if i == 0 {
		return lo, nil, nil
	}
	return lo + i, new(v.x.decode(p[(i-1)*size:])), nil
}

// Truncate drops all entries at or above an offset (of the log, in both
// kinds). It changes memory only: the caller cuts the file to Size afterwards,
// and writes the tail first if it wants it kept.
func (x *Sparse) Truncate(f io.ReaderAt, offset int64) error {
	at := func(e Entry) int64 {
		if x.kind == ByTime {
			return e.Value
		}
		return e.Key
	}
	i := sort.Search(len(x.tail), func(i int) bool { return at(x.tail[i]) >= offset })
	x.tail = x.tail[:i]
	if i > 0 {
		x.last = x.tail[i-1]
		return nil
	}
	n, last, err := View{x: Sparse{kind: x.kind, base: x.base}, n: x.onDisk}.search(f, func(e Entry) bool { return at(e) >= offset })
	if err != nil {
		return err
	}
	x.onDisk, x.last = n, Entry{}
	if n == 0 {
		return nil
	}
	if last != nil {
		x.last = *last
		return nil
	}
	x.last, err = x.readAt(f, n-1)
	return err
}

// CeilValue looks for the first entry with Value >= value: e when it is among
// those in memory. An entry found in the view, if it has any, comes before it.
func (x *Sparse) CeilValue(value int64) (disk View, e Entry, ok bool) {
	disk = View{x: Sparse{kind: x.kind, base: x.base}, n: x.onDisk}
	i := sort.Search(len(x.tail), func(i int) bool { return x.tail[i].Value >= value })
	if i == len(x.tail) {
		return disk, Entry{}, false
	}
	return disk, x.tail[i], true
}

// CeilValue returns the first entry on disk with Value >= value.
func (v View) CeilValue(f io.ReaderAt, value int64) (e Entry, ok bool, err error) {
	i, _, err := v.search(f, func(e Entry) bool { return e.Value >= value })
	if err != nil || i == v.n {
		return Entry{}, false, err
	}
	e, err = v.x.readAt(f, i)
	return e, err == nil, err
}
