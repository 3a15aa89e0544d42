package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/gregor-mq/gregor/record"
)

// Windows of a walk over a segment, in bytes: a lookup ends after a few
// batches, recovery reads everything.
const (
	lookupWindow  = 16 << 10
	recoverWindow = 256 << 10
)

var lookupWindows = sync.Pool{New: func() any { return new([lookupWindow]byte) }}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what a walk learns of a batch of any format.
type header struct {
	pos     int64 // in the segment
	size    int64 // of the whole batch
	magic   int8
	base    int64 // first offset; for magic 0 and 1 the same as last
	last    int64
	maxTime int64 // ms, or -1
	epoch   int32 // leader epoch, or -1
	// v2 is the header of a v2 batch, without its records; it lives until the
	// walk goes on.
	v2 record.Batch
}

func (h *header) next() int64 { return h.last + 1 }

// errTorn says that a batch reaches beyond the end of its segment.
var errTorn = errors.New("batch reaches beyond the end of the segment")

// parseHeader reads the header of the batch that src begins with. src may end
// after HeaderSize bytes. Errors: record.ErrShort, *record.CorruptError.
func parseHeader(src []byte, pos int64) (header, error) {
	size, magic, err := record.Peek(src)
	if err != nil {
		return header{}, err
	}
	h := header{pos: pos, size: int64(size), magic: magic, maxTime: -1, epoch: -1}
	if magic < 2 {
		h.last = int64(binary.BigEndian.Uint64(src))
		h.base = h.last
		if magic == 1 {
			const v1Timestamp = 18
			if len(src) < v1Timestamp+8 {
				return header{}, record.ErrShort
			}
			h.maxTime = int64(binary.BigEndian.Uint64(src[v1Timestamp:]))
		}
		return h, nil
	}
	if len(src) < record.HeaderSize {
		return header{}, record.ErrShort
	}
	h.v2 = record.Batch(src[:record.HeaderSize:record.HeaderSize])
	h.base, h.last = h.v2.BaseOffset(), h.v2.LastOffset()
	h.maxTime, h.epoch = h.v2.MaxTimestamp(), h.v2.LeaderEpoch()
	return h, nil
}

// check refuses headers that no broker writes.
func (h *header) check() error {
	if h.base < 0 || h.last < h.base {
		return fmt.Errorf("batch at position %d has offsets [%d, %d]", h.pos, h.base, h.last)
	}
	return nil
}

// checksum says where the stored checksum is, what it covers and how.
func (h *header) checksum() (at, from int64, table *crc32.Table) {
	if h.magic < 2 {
		return 12, 16, crc32.IEEETable
	}
	return 17, 21, castagnoli
}

// walker goes over the batch headers of a segment.
type walker struct {
	r     io.ReaderAt
	pos   int64 // of the next batch
	end   int64 // of what may be read
	buf   []byte
	at    int64 // position of buf[0]
	n     int   // bytes in buf
	spare *[lookupWindow]byte
}

// walk starts at a position, which must be that of a batch. close must follow.
func walk(r io.ReaderAt, pos, end int64) *walker {
	spare := lookupWindows.Get().(*[lookupWindow]byte)
	return &walker{r: r, pos: pos, end: end, buf: spare[:], spare: spare}
}

func (w *walker) close() {
	if w.spare != nil {
		lookupWindows.Put(w.spare)
		w.spare, w.buf = nil, nil
	}
}

// fill makes the window begin at pos, unless want bytes from there are in it.
func (w *walker) fill(pos int64, want int) error {
	if pos >= w.at && pos+int64(want) <= w.at+int64(w.n) {
		return nil
	}
	n := int(min(int64(len(w.buf)), w.end-pos))
	w.at, w.n = pos, 0
	got, err := w.r.ReadAt(w.buf[:n], pos)
	w.n = got
	if errors.Is(err, io.EOF) {
		return nil // the file is shorter than it was: the header check will tell
	}
	return err
}

// step returns the next header; ok is false at the end. Besides the disk's
// errors there are *record.CorruptError, record.ErrShort and errTorn; after any
// of them pos is still that of the bad batch.
func (w *walker) step() (h header, ok bool, err error) {
	if w.pos >= w.end {
		return header{}, false, nil
	}
	if err := w.fill(w.pos, int(min(record.HeaderSize, w.end-w.pos))); err != nil {
		return header{}, false, err
	}
	h, err = parseHeader(w.window(w.pos), w.pos)
	if err != nil {
		return header{}, false, err
	}
	if h.size > w.end-w.pos {
		return header{}, false, errTorn
	}
	if err := h.check(); err != nil {
		return header{}, false, &record.CorruptError{Reason: err.Error()}
	}
	w.pos += h.size
	return h, true, nil
}

// window is what of the window lies at and after pos.
func (w *walker) window(pos int64) []byte { return w.buf[pos-w.at : w.n] }

// verify computes the checksum of a batch that step returned. It may replace
// the window, so h.v2 is set anew.
func (w *walker) verify(h *header) (bool, error) {
	crcAt, from, table := h.checksum()
	if err := w.fill(h.pos, int(min(h.size, int64(len(w.buf))))); err != nil {
		return false, err
	}
	p := w.window(h.pos)
	if int64(len(p)) < from {
		return false, nil
	}
	want := binary.BigEndian.Uint32(p[crcAt:])
	if h.v2 != nil {
		h.v2 = record.Batch(p[:record.HeaderSize:record.HeaderSize])
	}
	whole := min(h.size, int64(len(p)))
	sum := crc32.Update(0, table, p[from:whole])
	if whole == h.size {
		return sum == want, nil
	}
	// Larger than the window: stream the rest through a buffer of its own.
	buf := make([]byte, min(int64(len(w.buf)), h.size-whole))
	for pos, end := h.pos+whole, h.pos+h.size; pos < end; {
		n := int(min(int64(len(buf)), end-pos))
		if _, err := w.r.ReadAt(buf[:n], pos); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		sum = crc32.Update(sum, table, buf[:n])
		pos += int64(n)
	}
	return sum == want, nil
}

// damaged tells whether an error of a walk is about what is in the file, and
// not about the disk.
func damaged(err error) bool {
	var c *record.CorruptError
	return errors.Is(err, record.ErrShort) || errors.Is(err, errTorn) || errors.As(err, &c)
}

// maxControlBatch bounds what is read of a control batch to see its marker,
// which takes 17 bytes of records.
const maxControlBatch = 4 << 10

// readBatch reads a whole batch, to look at its records.
func readBatch(r io.ReaderAt, h *header) (record.Batch, error) {
	b := make([]byte, h.size)
	if _, err := r.ReadAt(b, h.pos); err != nil {
		return nil, err
	}
	return b, nil
}
