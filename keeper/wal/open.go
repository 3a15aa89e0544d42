package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
)

// Contents are what an opened log held.
type Contents struct {
	// Entries follow each other without gaps, beginning after the index that
	// Open was told, or at the first there is.
	Entries []Entry
	State   State
	// Cut is how many bytes of the last append were lost to a power cut, in
	// CutFile.
	Cut     int64
	CutFile string

	last uint64 // index of the last entry, also when it is in the snapshot
	lost bool   // entries between the snapshot and these are not in the log
}

// ErrMissing says that segments are missing which must be there.
var ErrMissing = errors.New("log is incomplete")

// Create begins a log in an existing directory that holds no segments.
func Create(fsys env.FS, dir string, opts Options) (*Log, error) {
	l := newLog(fsys, dir, opts)
	if err := l.begin(1); err != nil {
		return nil, fmt.Errorf("create log in %s: %w", dir, err)
	}
	return l, nil
}

func newLog(fsys env.FS, dir string, opts Options) *Log {
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = DefaultSegmentBytes
	}
	return &Log{fs: fsys, dir: dir, opts: opts}
}

// Open reads a log for entries after an index, cuts off what a power cut left
// of the last append, and makes the rest durable.
func Open(fsys env.FS, dir string, opts Options, after uint64) (*Log, Contents, error) {
	l := newLog(fsys, dir, opts)
	var c Contents
	if err := l.list(); err != nil {
		return nil, c, err
	}
	if err := l.checkNewest(); err != nil {
		return nil, c, err
	}
	if l.segments[0].first > after+1 {
		return nil, c, fmt.Errorf("%s begins with entry %d, the newest snapshot ends with %d: %w",
			dir, l.segments[0].first, after, ErrMissing)
	}
	for i := range l.segments {
		lastSegment := i == len(l.segments)-1
		if !lastSegment && l.segments[i+1].first <= after+1 {
			continue // all of it is in the snapshot; the state is repeated later
		}
		if err := l.read(i, after, lastSegment, &c); err != nil {
			return nil, c, err
		}
	}
	l.state = c.State
	if c.lost {
		return nil, c, fmt.Errorf("%s begins behind a snapshot that another member sent, the newest that can be used ends with %d: %w",
			dir, after, ErrMissing)
	}
	if c.last < after && l.opts.Behind {
		return l.restart(after, c)
	}
	if c.last < after {
		return nil, c, fmt.Errorf("%s ends with entry %d, the newest snapshot ends with %d: %w", dir, c.last, after, ErrMissing)
	}
	return l, c, l.reopen()
}

// restart does what Reset was going to do when the process ended.
func (l *Log) restart(after uint64, c Contents) (*Log, Contents, error) {
	if err := l.reopen(); err != nil {
		return nil, c, err
	}
	return l, Contents{State: c.State, last: after}, l.Reset(after, nil)
}

// checkNewest misses the newest segment by name, where that is known.
func (l *Log) checkNewest() error {
	known := l.opts.Durable.Segment
	n := len(l.segments)
	switch {
	case known != "" && (n == 0 || filepath.Base(l.segments[n-1].name) < known):
		return fmt.Errorf("%s is missing, it was there when the keeper last ran: %w", filepath.Join(l.dir, known), ErrMissing)
	case n == 0:
		return fmt.Errorf("no segment in %s: %w", l.dir, ErrMissing)
	}
	return nil
}

// list finds the segments by name.
func (l *Log) list() error {
	files, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	for _, f := range files {
		var first uint64
		name := f.Name()
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		if n, err := fmt.Sscanf(name, "%016x.log", &first); n != 1 || err != nil || name != segmentName(first) {
			return fmt.Errorf("%s is no segment of a keeper's log; remove it", filepath.Join(l.dir, name))
		}
		l.segments = append(l.segments, segment{filepath.Join(l.dir, name), first})
	}
	return nil
}

// read takes in one segment.
func (l *Log) read(i int, after uint64, last bool, c *Contents) error {
	s := l.segments[i]
	b, err := l.fs.ReadFile(s.name)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	durable := int64(0)
	if filepath.Base(s.name) == l.opts.Durable.Segment {
		durable = l.opts.Durable.Size
	}
	if int64(len(b)) < durable {
		return &CorruptError{File: s.name, Offset: int64(len(b)), Reason: fmt.Sprintf("it ends there, and had %d bytes that were durable: acknowledged writes are cut off", durable), Cut: true}
	}
	if err := l.checkHeader(s, b, last && durable == 0); err != nil {
		return err
	}
	if c.last > 0 && s.first > c.last+1 {
		return &CorruptError{
			File: l.segments[i-1].name, Offset: l.size,
			Reason: fmt.Sprintf("it ends with entry %d, and the next segment begins with %d", c.last, s.first),
		}
	}
	c.last = s.first - 1
	end := min(int64(len(b)), segmentHeader)
	for end < int64(len(b)) {
		r, state := parseRecord(b[end:])
		if state != recordOK {
			if end < durable {
				return &CorruptError{File: s.name, Offset: end, Reason: "a record does not check, though it was durable", Cut: true}
			}
			if reason := damage(b, end, r, state, last); reason != "" {
				return &CorruptError{File: s.name, Offset: end, Reason: reason}
			}
			c.Cut, c.CutFile = int64(len(b))-end, s.name
			break
		}
		if reason := c.take(r, after); reason != "" {
			return &CorruptError{File: s.name, Offset: end, Reason: reason}
		}
		end += int64(r.size)
	}
	l.size = end
	return nil
}

// checkHeader accepts a segment's header. The last segment may lack it when
// power went while it was made; then nothing follows, and it is made again.
func (l *Log) checkHeader(s segment, b []byte, last bool) error {
	if last && (len(b) < segmentHeader || torn(b, 0)) && len(b) <= segmentHeader+recordHeader+30 {
		return nil
	}
	switch {
	case len(b) < segmentHeader || !bytes.Equal(b[:7], magic[:7]):
		return &CorruptError{File: s.name, Offset: 0, Reason: "it does not begin like a keeper's log"}
	case crc32.Checksum(b[:segmentHeader-4], table) != binary.BigEndian.Uint32(b[segmentHeader-4:]):
		return &CorruptError{File: s.name, Offset: 0, Reason: "the header's checksum is wrong"}
	case b[7] != magic[7]:
		return fmt.Errorf("log %s has format version %d, this program reads %d; use the program that wrote it",
			s.name, b[7], magic[7])
	case binary.BigEndian.Uint64(b[8:]) != l.opts.DirID:
		return fmt.Errorf("log %s belongs to another keeper (directory id %016x, expected %016x); put its own log back",
			s.name, binary.BigEndian.Uint64(b[8:]), l.opts.DirID)
	case binary.BigEndian.Uint64(b[16:]) != s.first:
		return &CorruptError{File: s.name, Offset: 16, Reason: "the first index differs from the file's name: it was renamed"}
	}
	return nil
}

// damage decides about a record that does not check: the reason to refuse the
// log, or "" when it is what a power cut left of the last append. Later records
// tell how much was durable when they were written.
func damage(b []byte, at int64, r record, state parseState, last bool) string {
	if !last {
		return "a record in the middle of the log does not check"
	}
	for p := at + 1; p+recordHeader <= int64(len(b)); p++ {
		later, st := parseRecord(b[p:])
		if st == recordOK && later.synced > at {
			return fmt.Sprintf("a record does not check, though it was durable when that at byte %d was written", p)
		}
	}
	switch state {
	case recordHeadNo:
		if !torn(b[at:at+recordHeader], at) {
			return "the header of the last record does not check"
		}
	case recordBodyNo:
		if !torn(b[at:at+int64(r.size)], at) {
			return "the content of the last record does not check"
		}
	}
	return ""
}

// take adds a record to what was found so far.
func (c *Contents) take(r record, after uint64) (fault string) {
	switch r.kind {
	case kindState:
		s, ok := decodeState(r.payload)
		if !ok {
			return "a state record is malformed"
		}
		c.State = s
	case kindEntry:
		e, ok := decodeEntry(r.payload)
		if !ok {
			return "an entry record is malformed"
		}
		c.last = e.Index
		if e.Index <= after || c.lost {
			return ""
		}
		return c.add(e, after)
	case kindReset:
		index, n := binary.Uvarint(r.payload)
		if n != len(r.payload) {
			return "a reset record is malformed"
		}
		c.last, c.Entries = index, nil
		c.lost = index > after // is there no snapshot that ends there?
	}
	return ""
}

func (c *Contents) add(e Entry, after uint64) (fault string) {
	first := after + 1
	if n := len(c.Entries); n > 0 {
		first = c.Entries[0].Index
	}
	place := e.Index - first
	if place > uint64(len(c.Entries)) || e.Index < first {
		return fmt.Sprintf("entry %d follows entry %d", e.Index, first+uint64(len(c.Entries))-1)
	}
	c.Entries = append(c.Entries[:place], e)
	return ""
}

// reopen cuts the last segment where its records end and makes sure that all
// of it is durable, for what a crashed process wrote may not be.
func (l *Log) reopen() error {
	s := l.segments[len(l.segments)-1]
	if l.size < segmentHeader {
		l.segments = l.segments[:len(l.segments)-1]
		return l.begin(s.first)
	}
	f, err := l.fs.Open(s.name, os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	l.file = f
	size, err := f.Size()
	if err == nil && size != l.size {
		err = f.Truncate(l.size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open log %s: %w", s.name, err), f.Close())
	}
	l.synced = l.size
	return nil
}

// Remove deletes a log that was created and never used.
func Remove(fsys env.FS, dir string) error {
	files, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".log") {
			if err := fsys.Remove(filepath.Join(dir, f.Name())); err != nil {
				return err
			}
		}
	}
	return fsys.SyncDir(dir)
}
