package follow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// journal is what happened, line by line.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.lines
	j.lines = nil
	return out
}

// history is a log as far as these tests care: the leader epoch of each record
// from start on.
type history struct {
	start  int64
	epochs []int32
	high   int64
}

func (h *history) end() int64 { return h.start + int64(len(h.epochs)) }

func (h *history) latest() int32 {
	if len(h.epochs) == 0 {
		return -1
	}
	return h.epochs[len(h.epochs)-1]
}

// epochEnd finds the largest epoch not above one, as an epoch cache does: none
// above the latest is known, and below the first nothing is.
func (h *history) epochEnd(epoch int32) (int32, int64) {
	if epoch > h.latest() {
		return -1, -1
	}
	if epoch < h.epochs[0] {
		return epoch, h.start
	}
	for i := len(h.epochs) - 1; i >= 0; i-- {
		if h.epochs[i] <= epoch {
			return h.epochs[i], h.start + int64(i) + 1
		}
	}
	return -1, -1
}

func (h *history) String() string {
	out := fmt.Sprintf("%d..%d hw=%d [", h.start, h.end(), h.high)
	for i, e := range h.epochs {
		if i > 0 {
			out += " "
		}
		out += fmt.Sprint(e)
	}
	return out + "]"
}

// encode writes the records from an offset on, at most n.
func (h *history) encode(from int64, n int) []byte {
	var out []byte
	for o := from; o < h.end() && n > 0; o, n = o+1, n-1 {
		out = binary.BigEndian.AppendUint64(out, uint64(o))
		out = binary.BigEndian.AppendUint32(out, uint32(h.epochs[o-h.start]))
	}
	return out
}

const recordSize = 12

// local is a Replica in memory.
type local struct {
	journal *journal
	name    Partition
	mu      sync.Mutex
	log     history
	epoch   string // that it is followed in
	old     bool   // of a format without epochs
	revoked bool
	fail    error // of a call
	failIn  int   // how many calls before that go well
	half    bool  // of what comes next only the first record is good
	calls   int
}

func (l *local) positionLocked() Position {
	p := Position{Start: l.log.start, End: l.log.end(), HighWatermark: l.log.high, Epoch: l.log.latest()}
	if l.old {
		p.Epoch = -1
	}
	return p
}

func (l *local) useLocked() error {
	l.calls++
	if l.revoked {
		return ErrRevoked
	}
	if l.fail == nil || l.failIn > 0 {
		l.failIn--
		return nil
	}
	err := l.fail
	l.fail = nil
	return err
}

// Position implements Replica.
func (l *local) Position() (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.useLocked()
	return l.positionLocked(), err
}

// Append implements Replica.
func (l *local) Append(f Fetched) (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.useLocked(); err != nil {
		return Position{}, err
	}
	if f.Offset != l.log.end() {
		return Position{}, fmt.Errorf("asked for %d, log ends at %d", f.Offset, l.log.end())
	}
	before := l.log.String()
	for b := f.Records; len(b) >= recordSize; b = b[recordSize:] {
		if o := int64(binary.BigEndian.Uint64(b)); o != l.log.end() {
			return Position{}, fmt.Errorf("record %d at %d", o, l.log.end())
		}
		l.log.epochs = append(l.log.epochs, int32(binary.BigEndian.Uint32(b[8:])))
		if l.half {
			l.half = false
			l.journal.add("%s appends the first of them: %s", l.name, &l.log)
			return Position{}, fmt.Errorf("bad bytes behind it: %w", ErrRetry)
		}
	}
	l.log.high = max(l.log.high, min(f.HighWatermark, l.log.end()))
	if f.LogStart > l.log.start {
		l.log.epochs = l.log.epochs[f.LogStart-l.log.start:]
		l.log.start = f.LogStart
	}
	if after := l.log.String(); after != before {
		l.journal.add("%s appends: %s", l.name, after)
	}
	return l.positionLocked(), nil
}

// EpochEnd implements Replica.
func (l *local) EpochEnd(epoch int32) (int32, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.useLocked(); err != nil {
		return -1, -1, err
	}
	found, end := l.log.epochEnd(epoch)
	return found, end, nil
}

// Truncate implements Replica.
func (l *local) Truncate(to int64) (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.useLocked(); err != nil {
		return Position{}, err
	}
	if to < l.log.end() {
		l.log.epochs = l.log.epochs[:max(to-l.log.start, 0)]
		l.log.high = min(l.log.high, l.log.end())
	}
	l.journal.add("%s truncates to %d: %s", l.name, to, &l.log)
	return l.positionLocked(), nil
}

// Restart implements Replica.
func (l *local) Restart(at int64) (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.useLocked(); err != nil {
		return Position{}, err
	}
	l.log = history{start: at, high: at}
	l.journal.add("%s restarts: %s", l.name, &l.log)
	return l.positionLocked(), nil
}

// Fail implements Replica.
func (l *local) Fail(err error) { l.journal.add("%s fails: %v", l.name, err) }

var errDisk = errors.New("disk error")
