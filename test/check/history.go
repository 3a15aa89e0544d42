package check

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Record is one record of a log as a reader got it.
type Record struct {
	Offset int64
	Value  []byte
}

// line is what one producer writes to one partition.
type line struct {
	producer int
	Partition
}

// History is what producers sent and consumers read.
type History struct {
	mu struct {
		sync.Mutex
		next     map[line]int64                // sequence of the next value
		at       map[Partition]map[int64]Value // what was acknowledged or read at an offset
		acked    map[Partition]map[Value]int64 // offset by acknowledged value
		read     map[Partition]int64           // the next offset that a consumer has not seen
		problems []error
	}
}

// NewHistory returns an empty history.
func NewHistory() *History {
	h := &History{}
	h.mu.next, h.mu.at = map[line]int64{}, map[Partition]map[int64]Value{}
	h.mu.acked, h.mu.read = map[Partition]map[Value]int64{}, map[Partition]int64{}
	return h
}

// Next returns the next value that a producer is about to send.
func (h *History) Next(producer int, p Partition) Value {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := line{producer, p}
	v := Value{producer, h.mu.next[l]}
	h.mu.next[l]++
	return v
}

// Acked says that a value was acknowledged at an offset.
func (h *History) Acked(p Partition, v Value, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.acked[p] == nil {
		h.mu.acked[p] = map[Value]int64{}
	}
	if old, ok := h.mu.acked[p][v]; ok {
		h.problemLocked("%s: %v was acknowledged at offset %d and at %d", p, v, old, offset)
	}
	h.mu.acked[p][v] = offset
	h.placeLocked(p, v, offset, "acknowledged")
}

// Refused says that a producer gave a value up: never right for one that
// retries until it is acknowledged.
func (h *History) Refused(p Partition, v Value, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problemLocked("%s: %v was refused: %w", p, v, err)
}

// Read says that a consumer was given a record. Going back is allowed, leaving
// records out is not.
func (h *History) Read(p Partition, r Record) {
	v, err := DecodeValue(p, r.Value)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.problemLocked("%s: consumer at offset %d: %w", p, r.Offset, err)
		return
	}
	if next := h.mu.read[p]; r.Offset > next {
		h.problemLocked("%s: consumer was given offset %d after %d", p, r.Offset, next-1)
	}
	h.mu.read[p] = max(h.mu.read[p], r.Offset+1)
	h.placeLocked(p, v, r.Offset, "read")
}

// Resume says that consumers go on at an offset, if that is ahead of what they
// have read: their group's commit outlived the records before it.
func (h *History) Resume(p Partition, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.read[p] = max(h.mu.read[p], offset)
}

// placeLocked notes what an offset holds, which must never differ.
func (h *History) placeLocked(p Partition, v Value, offset int64, how string) {
	if h.mu.at[p] == nil {
		h.mu.at[p] = map[int64]Value{}
	}
	if old, ok := h.mu.at[p][offset]; ok && old != v {
		h.problemLocked("%s: offset %d was %v, now %s as %v", p, offset, old, how, v)
	}
	h.mu.at[p][offset] = v
}

// maxProblems bounds what is kept: one cause makes thousands of them.
const maxProblems = 20

func (h *History) problemLocked(format string, args ...any) {
	if len(h.mu.problems) < maxProblems {
		h.mu.problems = append(h.mu.problems, fmt.Errorf(format, args...))
	}
}

// Problems returns what was wrong already while it happened.
func (h *History) Problems() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.mu.problems)
}

// Partitions lists the partitions that somebody wrote to, in order.
func (h *History) Partitions() []Partition {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Partition
	for l := range h.mu.next {
		out = append(out, l.Partition)
	}
	slices.SortFunc(out, func(a, b Partition) int { return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index)) })
	return slices.Compact(out)
}

// AckedEnd is the offset behind the last record that was acknowledged.
func (h *History) AckedEnd(p Partition) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := int64(0)
	for _, o := range h.mu.acked[p] {
		end = max(end, o+1)
	}
	return end
}

// AckedCount returns how many values were acknowledged in all.
func (h *History) AckedCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, m := range h.mu.acked {
		n += len(m)
	}
	return n
}

// Log compares a whole log from offset 0 with the history. Everything
// acknowledged below floor must be there, at its offset; what was acknowledged
// at or above floor may be missing from some offset on, and is then forgotten.
// Whatever is there was sent, once, in its producer's order, without a gap in
// the offsets.
func (h *History) Log(p Partition, log []Record, floor int64) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var problems []error
	add := func(format string, args ...any) {
		if len(problems) < maxProblems {
			problems = append(problems, fmt.Errorf("%s: "+format, append([]any{p}, args...)...))
		}
	}
	there, last := map[Value]int64{}, map[int]int64{}
	for i, r := range log {
		if r.Offset != int64(i) {
			add("offset %d follows %d", r.Offset, i-1)
			break
		}
		v, err := DecodeValue(p, r.Value)
		if err != nil {
			add("offset %d: %w", r.Offset, err)
			continue
		}
		if v.Seq >= h.mu.next[line{v.Producer, p}] {
			add("offset %d holds %v, which was never sent", r.Offset, v)
		}
		if before, twice := there[v]; twice {
			add("%v is at offset %d and again at %d", v, before, r.Offset)
		} else if seq, ok := last[v.Producer]; ok && v.Seq < seq {
			add("offset %d holds %v, behind %d/%d", r.Offset, v, v.Producer, seq)
		}
		if known, ok := h.mu.at[p][r.Offset]; ok && known != v {
			add("offset %d holds %v, it held %v before", r.Offset, v, known)
		}
		there[v], last[v.Producer] = r.Offset, v.Seq
	}
	end := int64(len(log))
	if end < floor {
		add("ends at offset %d, but all below %d was promised", end, floor)
	}
	for v, offset := range h.mu.acked[p] {
		if _, ok := there[v]; !ok && offset < max(floor, end) {
			add("%v was acknowledged at offset %d and is not there; the log ends at %d", v, offset, end)
		}
	}
	h.forgetLocked(p, end)
	return problems
}

// forgetLocked drops what lay at or behind an offset: a power cut took it.
func (h *History) forgetLocked(p Partition, end int64) {
	for v, o := range h.mu.acked[p] {
		if o >= end {
			delete(h.mu.acked[p], v)
		}
	}
	for o := range h.mu.at[p] {
		if o >= end {
			delete(h.mu.at[p], o)
		}
	}
	h.mu.read[p] = min(h.mu.read[p], end)
}
