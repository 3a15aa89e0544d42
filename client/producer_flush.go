package client

import "slices"

// flushes counts records by eras: a flush ends one, and waits until none of that
// era or an earlier one is left. It is guarded by Producer.mu.
type flushes struct {
	era     uint64
	left    map[uint64]int
	waiting []*flushWait
}

type flushWait struct {
	era  uint64
	done chan struct{}
}

// startLocked ends the era and returns what to wait for.
func (f *flushes) startLocked() *flushWait {
	w := &flushWait{era: f.era, done: make(chan struct{})}
	f.era++
	if f.overLocked(w.era) {
		close(w.done)
		return w
	}
	f.waiting = append(f.waiting, w)
	return w
}

// endLocked ends a wait, over or not.
func (f *flushes) endLocked(w *flushWait) {
	f.waiting = slices.DeleteFunc(f.waiting, func(o *flushWait) bool { return o == w })
}

// hurryLocked reports whether somebody waits.
func (f *flushes) hurryLocked() bool { return len(f.waiting) > 0 }

// doneLocked notes that a record is done.
func (f *flushes) doneLocked(era uint64) {
	if f.left[era]--; f.left[era] > 0 {
		return
	}
	delete(f.left, era)
	f.waiting = slices.DeleteFunc(f.waiting, func(w *flushWait) bool {
		over := f.overLocked(w.era)
		if over {
			close(w.done)
		}
		return over
	})
}

func (f *flushes) overLocked(era uint64) bool {
	for e := range f.left {
		if e <= era {
			return false
		}
	}
	return true
}
