package coordinator

import (
	"cmp"
	"strings"
	"time"
)

// timerKey names a timer; setting it again moves it.
type timerKey struct {
	kind      timerKind
	partition int32
	group     string
}

type timerKind int8

const (
	timerTick timerKind = iota // a group wants a Tick
	timerScan                  // a shard scans for expired offsets
	timerLoad                  // a failed load is tried again
)

// timers is a heap of deadlines with one entry per key, so that it is no
// larger than the number of groups. Equal deadlines come in the order of keys.
type timers struct {
	heap  []*timer
	index map[timerKey]*timer
}

type timer struct {
	key timerKey
	at  time.Time
	pos int
}

func (a *timer) before(b *timer) bool {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.key.kind, b.key.kind),
		cmp.Compare(a.key.partition, b.key.partition), strings.Compare(a.key.group, b.key.group)) < 0
}

func newTimers() timers { return timers{index: map[timerKey]*timer{}} }

// set makes key due at a time, instead of any it had.
func (t *timers) set(key timerKey, at time.Time) {
	e := t.index[key]
	if e == nil {
		e = &timer{key: key, at: at, pos: len(t.heap)}
		t.index[key] = e
		t.heap = append(t.heap, e)
	} else {
		e.at = at
	}
	t.up(e.pos)
	t.down(e.pos)
}

// next returns the earliest deadline.
func (t *timers) next() (at time.Time, ok bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

// pop takes the earliest timer if it is due.
func (t *timers) pop(now time.Time) (key timerKey, ok bool) {
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return timerKey{}, false
	}
	top := t.heap[0]
	last := len(t.heap) - 1
	t.swap(0, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	t.down(0)
	delete(t.index, top.key)
	return top.key, true
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].pos, t.heap[j].pos = i, j
}

func (t *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !t.heap[i].before(t.heap[parent]) {
			return
		}
		t.swap(i, parent)
		i = parent
	}
}

func (t *timers) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t.heap); c++ {
			if t.heap[c].before(t.heap[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}
