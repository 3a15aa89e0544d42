package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
)

// DefaultSegmentBytes is the size at which a new segment begins: what ZooKeeper
// preallocates, small enough to be deleted soon after a snapshot.
const DefaultSegmentBytes = 64 << 20

// Options describe a log.
type Options struct {
	// DirID is written into every segment, so that one of another keeper is
	// noticed.
	DirID uint64
	// SegmentBytes is 0 for DefaultSegmentBytes.
	SegmentBytes int64
	// Durable is up to where the log is known to have been durable, the zero
	// value when nothing is: a log that is shorter was cut by somebody.
	Durable End
	// Behind allows the log to end before the snapshot, which another member sent: it
	// is then begun anew behind it.
	Behind bool
}

// End is a place in a log.
type End struct {
	Segment string // the file's name
	Size    int64  // bytes of it
}

// Log is an open log, ready to append.
type Log struct {
	fs   env.FS
	dir  string
	opts Options

	segments []segment // in order; the last is open
	file     env.File
	size     int64 // of the open segment
	synced   int64 // how much of it is durable
	last     uint64
	state    State // written again at the head of every segment
	buf      []byte
	err      error // the first failure; nothing is appended after it
}

type segment struct {
	name  string
	first uint64 // index of the first entry that may be in it
}

// maxKeptBuffer is how large the encoding buffer may stay between appends.
const maxKeptBuffer = 1 << 20

func segmentName(first uint64) string { return fmt.Sprintf("%016x.log", first) }

// Append writes entries and, when not nil, a new state, and returns once they
// are durable. An entry replaces that of its index and all after it. After an
// error the log takes nothing more: what is on disk is not known any longer.
func (l *Log) Append(entries []Entry, state *State) error {
	if l.err != nil {
		return l.err
	}
	if len(entries) == 0 && state == nil {
		return nil
	}
	// Entries may have replaced others: names of segments still go up.
	if l.size >= l.opts.SegmentBytes && len(entries) > 0 && entries[0].Index > l.segments[len(l.segments)-1].first {
		if err := l.roll(entries[0].Index); err != nil {
			return l.fail("begin a segment of", err)
		}
	}
	b := l.buf[:0]
	var head [3 * 10]byte // three varints
	for i := range entries {
		e := &entries[i]
		b = appendRecord(b, kindEntry, l.synced, appendEntryHead(head[:0], e), e.Data)
		l.last = e.Index
	}
	if state != nil {
		l.state = *state
		b = appendRecord(b, kindState, l.synced, appendState(head[:0], *state))
	}
	if cap(b) <= maxKeptBuffer {
		l.buf = b
	}
	return l.write(b)
}

func (l *Log) write(b []byte) error {
	if _, err := l.file.WriteAt(b, l.size); err != nil {
		return l.fail("write", err)
	}
	l.size += int64(len(b))
	if err := l.file.Sync(); err != nil {
		return l.fail("fsync", err)
	}
	l.synced = l.size
	return nil
}

// fail remembers the first failure. After a failed fsync the kernel may have
// dropped the pages: trying again would report success for lost data.
func (l *Log) fail(what string, err error) error {
	l.err = fmt.Errorf("%s log %s: %w", what, l.dir, err)
	return l.err
}

// roll closes the open segment and begins the next.
func (l *Log) roll(first uint64) error {
	if err := l.file.Close(); err != nil {
		return err
	}
	return l.begin(first)
}

// Reset begins the log anew behind an index, up to which a snapshot of another
// member holds everything; state is taken over when it is not nil. Segments of what
// was before go with the next Purge.
func (l *Log) Reset(after uint64, state *State) error {
	if l.err != nil {
		return l.err
	}
	l.last = after
	if state != nil {
		l.state = *state
	}
	b := appendRecord(l.buf[:0], kindReset, l.synced, binary.AppendUvarint(nil, after))
	return l.write(appendRecord(b, kindState, l.synced, appendState(nil, l.state)))
}

// begin makes a segment whose header is durable before anything follows it.
func (l *Log) begin(first uint64) error {
	name := filepath.Join(l.dir, segmentName(first))
	f, err := l.fs.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	l.file = f
	l.segments = append(l.segments, segment{name, first})
	b := appendSegmentHeader(nil, l.opts.DirID, first)
	if l.state != (State{}) {
		b = appendRecord(b, kindState, 0, appendState(nil, l.state))
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l.size, l.synced = int64(len(b)), int64(len(b))
	return l.fs.SyncDir(l.dir)
}

// Purge deletes segments that hold only entries up to and including upTo.
func (l *Log) Purge(upTo uint64) error {
	n := 0
	for n+1 < len(l.segments) && l.segments[n+1].first <= upTo+1 {
		if err := l.fs.Remove(l.segments[n].name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("purge log: %w", err)
		}
		n++
	}
	if n == 0 {
		return nil
	}
	l.segments = l.segments[n:]
	return l.fs.SyncDir(l.dir)
}

// Bytes returns the summed size of all segments; those that cannot be asked
// count as empty.
func (l *Log) Bytes() int64 {
	var sum int64
	for _, s := range l.segments {
		if st, err := l.fs.Stat(s.name); err == nil {
			sum += st.Size()
		}
	}
	return sum
}

// End returns up to where the log is durable.
func (l *Log) End() End {
	return End{filepath.Base(l.segments[len(l.segments)-1].name), l.synced}
}

// Close notes that everything was durable and closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	var err error
	if l.err == nil {
		err = l.write(appendRecord(nil, kindClose, l.synced))
	}
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}
