package storage

import "sync"

// tailBatches is how many of the newest batches have their places remembered:
// enough for consumers and followers that keep up, 24 bytes each.
const tailBatches = 32

// place is where a batch lies in the active segment.
type place struct {
	base, last int64
	pos        int64
}

// tail is the end of the active segment: what readers that keep up need, so
// that they touch neither index nor file.
type tail struct {
	mu struct {
		sync.Mutex
		seg    *segment
		ring   [tailBatches]place // batch number i is at ring[i % tailBatches]
		count  int64              // batches ever noted
		oldest int64              // first of them that is still valid
		end    int64              // offset
		size   int64              // of the segment
	}
}

// reset forgets all places: the active segment is another, or was cut.
func (t *tail) reset(s *segment, end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.seg, t.mu.end, t.mu.size = s, end, s.size.Load()
	t.mu.oldest = t.mu.count
}

// publish makes batches that were just written visible: size of the segment
// first, then places, then the end of the log.
func (t *tail) publish(l *Log, places []place, size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.seg.size.Store(size)
	for _, p := range places {
		t.mu.ring[t.mu.count%tailBatches] = p
		t.mu.count++
		t.mu.oldest = max(t.mu.oldest, t.mu.count-tailBatches)
		t.mu.end = p.last + 1
	}
	t.mu.size = size
	l.end.Store(t.mu.end)
}

// extent is a range of bytes of one segment that begins with a batch.
type extent struct {
	seg        *segment
	pos, limit int64 // limit is where reading must stop
	first      int64 // size of the first batch
}

// find looks the extent [offset, maxOffset) up; ok is false when it is not all
// remembered.
func (t *tail) find(offset, maxOffset int64) (x extent, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.oldest == t.mu.count || offset < t.mu.ring[t.mu.oldest%tailBatches].base {
		return extent{}, false
	}
	i := t.atLocked(offset)
	if i == t.mu.count {
		return extent{}, false
	}
	return extent{t.mu.seg, t.posLocked(i), t.posLocked(t.atLocked(maxOffset)), t.posLocked(i+1) - t.posLocked(i)}, true
}

// limit is the position of the first batch whose last offset is at or above
// maxOffset; ok is false when it is not remembered.
func (t *tail) limit(s *segment, maxOffset int64) (pos int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.seg != s {
		return 0, false
	}
	if maxOffset >= t.mu.end {
		return t.mu.size, true
	}
	if t.mu.oldest == t.mu.count || maxOffset < t.mu.ring[t.mu.oldest%tailBatches].base {
		return 0, false
	}
	return t.posLocked(t.atLocked(maxOffset)), true
}

// atLocked is the number of the first remembered batch whose last offset is at
// or above offset, count when there is none.
func (t *tail) atLocked(offset int64) int64 {
	lo, hi := t.mu.oldest, t.mu.count
	for lo < hi {
		mid := (lo + hi) / 2
		if t.mu.ring[mid%tailBatches].last < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (t *tail) posLocked(i int64) int64 {
	if i == t.mu.count {
		return t.mu.size
	}
	return t.mu.ring[i%tailBatches].pos
}
