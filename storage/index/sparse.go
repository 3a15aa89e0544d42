package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
)

// Kind says which of the two sparse indexes a Sparse is.
type Kind uint8

// The two sparse indexes.
const (
	ByOffset Kind = iota // .index: offset to position in the segment
	ByTime               // .timeindex: timestamp to offset
)

// Sizes of one entry on disk, in bytes.
const (
	OffsetEntrySize = 8  // relative offset i32, position i32
	TimeEntrySize   = 12 // timestamp i64, relative offset i32
)

// FlushEntries is how many entries gather in memory before they are written:
// one page of the offset index, about 2 MiB of log at the default interval.
const FlushEntries = 512

// ErrCorrupt says that an index contradicts itself or its segment; the caller
// rebuilds it from the log.
var ErrCorrupt = errors.New("corrupt index")

// Entry is one index entry with absolute numbers. In an offset index Key is
// the last offset of the batch at position Value; in a time index Key is the
// largest timestamp so far (ms) and Value the last offset of its batch.
type Entry struct{ Key, Value int64 }

// File is what a Sparse needs of a file.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// Sparse is one sparse index: entries on disk and a tail of newer ones in
// memory. Keys and values of successive entries never fall. The zero value is
// not usable; call New or Load.
type Sparse struct {
	kind   Kind
	base   int64 // base offset of the segment
	onDisk int   // valid entries in the file
	tail   []Entry
	last   Entry // newest of all, when there is one
}

// New returns an empty index of the segment with that base offset.
func New(kind Kind, base int64) Sparse { return Sparse{kind: kind, base: base} }

// EntrySize is the size of one entry on disk, in bytes.
func (k Kind) EntrySize() int64 {
	if k == ByTime {
		return TimeEntrySize
	}
	return OffsetEntrySize
}

// Load returns the index whose file f holds size bytes. Entries of zeros at
// the end are what preallocation leaves and do not count. A size that is no
// multiple of the entry size, or a last entry before the first, is ErrCorrupt.
func Load(kind Kind, base int64, f io.ReaderAt, size int64) (Sparse, error) {
	x := New(kind, base)
	if size%kind.EntrySize() != 0 {
		return x, fmt.Errorf("%d bytes are no multiple of %d: %w", size, kind.EntrySize(), ErrCorrupt)
	}
	n := int(size / kind.EntrySize())
	var first error
	used := sort.Search(n, func(i int) bool {
		zero, err := x.zeroAt(f, i)
		if err != nil && first == nil {
			first = err
		}
		return zero || err != nil
	})
	if first != nil {
		return x, first
	}
	if used == 0 {
		return x, nil
	}
	head, err := x.readAt(f, 0)
	if err != nil {
		return x, err
	}
	if x.last, err = x.readAt(f, used-1); err != nil {
		return x, err
	}
	if x.last.Key < head.Key || x.last.Value < head.Value || x.last.Value < 0 || kind == ByOffset && head.Key < base {
		return x, fmt.Errorf("last entry %v, first entry %v: %w", x.last, head, ErrCorrupt)
	}
	x.onDisk = used
	return x, nil
}

// Len is the number of entries.
func (x *Sparse) Len() int { return x.onDisk + len(x.tail) }

// Size is the number of bytes all entries take on disk.
func (x *Sparse) Size() int64 { return int64(x.Len()) * x.kind.EntrySize() }

// Last returns the newest entry.
func (x *Sparse) Last() (Entry, bool) { return x.last, x.Len() > 0 }

// Pending is how many entries wait in memory to be written.
func (x *Sparse) Pending() int { return len(x.tail) }

// Append adds an entry. An offset index takes keys above the last only, a time
// index skips timestamps not above the last; it reports whether it was added.
func (x *Sparse) Append(e Entry) bool {
	if x.Len() > 0 && (e.Key <= x.last.Key || e.Value < x.last.Value) {
		return false
	}
	if x.kind == ByTime && x.Len() == 0 && e.Key < 0 {
		return false // no record has a timestamp so far
	}
	x.tail = append(x.tail, e)
	x.last = e
	return true
}

// WriteTail writes the entries that wait in memory. After an error they wait
// on, so that it can be tried again.
func (x *Sparse) WriteTail(f io.WriterAt) error {
	if len(x.tail) == 0 {
		return nil
	}
	buf := make([]byte, 0, len(x.tail)*int(x.kind.EntrySize()))
	for _, e := range x.tail {
		buf = x.encode(buf, e)
	}
	if _, err := f.WriteAt(buf, int64(x.onDisk)*x.kind.EntrySize()); err != nil {
		return err
	}
	x.onDisk += len(x.tail)
	x.tail = x.tail[:0]
	return nil
}

// Release gives the memory of an empty tail back: the segment is not written
// any more.
func (x *Sparse) Release() {
	if len(x.tail) == 0 {
		x.tail = nil
	}
}

func (x *Sparse) encode(dst []byte, e Entry) []byte {
	if x.kind == ByTime {
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Key))
		return binary.BigEndian.AppendUint32(dst, uint32(e.Value-x.base))
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Key-x.base))
	return binary.BigEndian.AppendUint32(dst, uint32(e.Value))
}

func (x *Sparse) decode(src []byte) Entry {
	if x.kind == ByTime {
		return Entry{int64(binary.BigEndian.Uint64(src)), x.base + int64(int32(binary.BigEndian.Uint32(src[8:])))}
	}
	return Entry{x.base + int64(int32(binary.BigEndian.Uint32(src))), int64(int32(binary.BigEndian.Uint32(src[4:])))}
}

func (x *Sparse) readAt(f io.ReaderAt, i int) (Entry, error) {
	var buf [TimeEntrySize]byte
	p := buf[:x.kind.EntrySize()]
	if _, err := f.ReadAt(p, int64(i)*x.kind.EntrySize()); err != nil {
		return Entry{}, short(err)
	}
	return x.decode(p), nil
}

func (x *Sparse) zeroAt(f io.ReaderAt, i int) (bool, error) {
	var buf [TimeEntrySize]byte
	p := buf[:x.kind.EntrySize()]
	if _, err := f.ReadAt(p, int64(i)*x.kind.EntrySize()); err != nil {
		return false, short(err)
	}
	return buf == [TimeEntrySize]byte{}, nil
}

// short turns an early end of file into ErrCorrupt: the file shrank.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("file ends early: %w", ErrCorrupt)
	}
	return err
}
