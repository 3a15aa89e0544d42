package snap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
)

const (
	headSize  = 8 + 4 + 4 // magic with version, length and CRC of the meta data
	chunkHead = 4 + 4     // length and CRC of a chunk
	endMark   = 1<<32 - 1 // in place of a chunk's length, before the CRC of all CRCs
	// maxChunk bounds a chunk: the largest record that a tree gives out is one
	// node, far below this.
	maxChunk = 1 << 30
	// bufferSize is how much is gathered before it is written.
	bufferSize = 1 << 20
)

var (
	magic = [8]byte{'G', 'R', 'G', 'S', 'N', 'A', 'P', 2} // the last byte is the version
	table = crc32.MakeTable(crc32.Castagnoli)
)

// Meta says which state a snapshot is.
type Meta struct {
	// DirID is the directory's, so that a snapshot of another keeper is noticed.
	DirID uint64
	// Index and Term are those of the last log entry in it.
	Index, Term uint64
	// Zxid is the last transaction in it.
	Zxid int64
	// Members are who has a vote, or data only, at that entry.
	Members Members
	// Ensemble is the ensemble's id, 0 for a keeper that is alone or was when this
	// was written.
	Ensemble uint64
	// Installed is a snapshot that another member sent: the log of this one may end
	// before it.
	Installed bool
}

// Members are raft's members, by the ids of their directories, as its ConfState
// has them.
type Members struct {
	Voters, Learners, Outgoing, LearnersNext []uint64
	AutoLeave                                bool
}

// CorruptError says that a snapshot holds bytes that were never written so.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("snapshot %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

func fileName(index uint64) string { return fmt.Sprintf("%016x.snap", index) }

// Write stores a snapshot; next gives its chunks out, each appended to what it
// is passed, until more is false. Before the snapshot gets its name, whole says
// whether it is to count. The file's size in bytes is returned.
func Write(
	fsys env.FS, dir string, m Meta, next func([]byte) (chunk []byte, more bool), whole func() error,
) (int64, error) {
	name := filepath.Join(dir, fileName(m.Index))
	tmp := name + ".tmp"
	f, err := fsys.Open(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	w := writer{f: f}
	w.head(m)
	for more := true; more && w.err == nil; {
		more = w.chunk(next)
	}
	w.end()
	if w.err == nil {
		w.err = whole()
	}
	if w.err == nil {
		w.err = f.Sync()
	}
	if err := errors.Join(w.err, f.Close()); err != nil {
		return 0, errors.Join(fmt.Errorf("snapshot %s: %w", tmp, err), fsys.Remove(tmp))
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	return w.at, fsys.SyncDir(dir)
}

type writer struct {
	f   env.File
	buf []byte
	at  int64  // where buf goes
	sum uint32 // CRC over the CRCs of all chunks
	err error
}

func (w *writer) head(m Meta) {
	b := binary.AppendUvarint(nil, m.DirID)
	b = binary.AppendUvarint(b, m.Index)
	b = binary.AppendUvarint(b, m.Term)
	b = binary.AppendVarint(b, m.Zxid)
	for _, ids := range [][]uint64{m.Members.Voters, m.Members.Learners, m.Members.Outgoing, m.Members.LearnersNext} {
		b = binary.AppendUvarint(b, uint64(len(ids)))
		for _, id := range ids {
			b = binary.AppendUvarint(b, id)
		}
	}
	b = binary.AppendUvarint(b, m.Ensemble)
	b = append(b, flag(m.Members.AutoLeave), flag(m.Installed))
	w.buf = append(w.buf, magic[:]...)
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(len(b)))
	w.buf = binary.BigEndian.AppendUint32(w.buf, crc32.Checksum(b, table))
	w.buf = append(w.buf, b...)
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (w *writer) chunk(next func([]byte) ([]byte, bool)) (more bool) {
	start := len(w.buf)
	w.buf, more = next(append(w.buf, make([]byte, chunkHead)...))
	payload := w.buf[start+chunkHead:]
	crc := crc32.Checksum(payload, table)
	binary.BigEndian.PutUint32(w.buf[start:], uint32(len(payload)))
	binary.BigEndian.PutUint32(w.buf[start+4:], crc)
	w.sum = crc32.Update(w.sum, table, w.buf[start+4:start+8])
	if len(w.buf) >= bufferSize {
		w.flush()
	}
	return more
}

func (w *writer) end() {
	w.buf = binary.BigEndian.AppendUint32(w.buf, endMark)
	w.buf = binary.BigEndian.AppendUint32(w.buf, w.sum)
	w.flush()
}

func (w *writer) flush() {
	if w.err != nil {
		return
	}
	_, w.err = w.f.WriteAt(w.buf, w.at)
	w.at += int64(len(w.buf))
	w.buf = w.buf[:0]
}

// Sweep deletes what is left of unfinished snapshots, before any is begun.
func Sweep(fsys env.FS, dir string) error {
	files, err := fsys.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	for _, f := range files {
		if name := f.Name(); strings.HasSuffix(name, ".snap.tmp") {
			if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("snapshots: %w", err)
			}
		}
	}
	return nil
}

// List returns the indexes of the snapshots there are, newest first.
func List(fsys env.FS, dir string) ([]uint64, error) {
	files, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	var found []uint64
	for _, f := range files {
		name := f.Name()
		var index uint64
		if n, err := fmt.Sscanf(name, "%016x.snap", &index); n == 1 && err == nil && name == fileName(index) {
			found = append(found, index)
		}
	}
	slices.Sort(found)
	slices.Reverse(found)
	return found, nil
}

// Read reads a snapshot, giving its chunks to load one by one. dirID must be
// that of the directory.
func Read(fsys env.FS, dir string, index, dirID uint64, load func(chunk []byte) error) (Meta, error) {
	name := filepath.Join(dir, fileName(index))
	f, err := fsys.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return Meta{}, fmt.Errorf("snapshot: %w", err)
	}
	r := reader{f: f, name: name}
	m, err := r.all(load)
	if err = errors.Join(err, f.Close()); err != nil {
		return Meta{}, err
	}
	switch {
	case m.DirID != dirID:
		return Meta{}, fmt.Errorf("snapshot %s belongs to another keeper (directory id %016x, expected %016x); put its own back",
			name, m.DirID, dirID)
	case m.Index != index:
		return Meta{}, &CorruptError{name, 0, "its index differs from the file's name: it was renamed"}
	}
	return m, nil
}

type reader struct {
	f    env.File
	name string
	at   int64
	size int64
	sum  uint32
	buf  []byte
}

func (r *reader) corrupt(reason string) error { return &CorruptError{r.name, r.at, reason} }

// take reads the next n bytes, which are valid until the next call.
func (r *reader) take(n int64, what string) ([]byte, error) {
	if n > r.size-r.at {
		return nil, r.corrupt(what + " is cut")
	}
	r.buf = slices.Grow(r.buf[:0], int(n))[:n]
	if k, err := r.f.ReadAt(r.buf, r.at); int64(k) < n {
		return nil, fmt.Errorf("snapshot %s: %w", r.name, err)
	}
	r.at += n
	return r.buf, nil
}

func (r *reader) all(load func([]byte) error) (m Meta, err error) {
	if r.size, err = r.f.Size(); err != nil {
		return m, fmt.Errorf("snapshot %s: %w", r.name, err)
	}
	if m, err = r.head(); err != nil {
		return m, err
	}
	for {
		more, err := r.chunk(load)
		if err != nil || !more {
			return m, err
		}
	}
}

func (r *reader) head() (m Meta, err error) {
	b, err := r.take(headSize, "the header")
	if err != nil {
		return m, err
	}
	if string(b[:7]) != string(magic[:7]) {
		r.at = 0
		return m, r.corrupt("it does not begin like a keeper's snapshot")
	}
	version := b[7]
	if version < 1 || version > magic[7] {
		return m, fmt.Errorf("snapshot %s has format version %d, this program reads 1 to %d; use the program that wrote it",
			r.name, version, magic[7])
	}
	crc := binary.BigEndian.Uint32(b[12:])
	if b, err = r.take(int64(binary.BigEndian.Uint32(b[8:])), "the header"); err != nil {
		return m, err
	}
	if crc32.Checksum(b, table) != crc || !m.decode(b, version) {
		return m, r.corrupt("the header does not check")
	}
	return m, nil
}

// decode reads the meta data; version 1 knew voters only.
func (m *Meta) decode(b []byte, version byte) bool {
	d := metaReader{b: b}
	m.DirID, m.Index, m.Term = d.uvarint(), d.uvarint(), d.uvarint()
	m.Zxid = d.varint()
	m.Members.Voters = d.ids()
	if version == 1 {
		return !d.bad && len(d.b) == 0
	}
	m.Members.Learners, m.Members.Outgoing, m.Members.LearnersNext = d.ids(), d.ids(), d.ids()
	m.Ensemble = d.uvarint()
	m.Members.AutoLeave, m.Installed = d.uvarint() == 1, d.uvarint() == 1
	return !d.bad && len(d.b) == 0
}

// metaReader takes varints off; bad sticks.
type metaReader struct {
	b   []byte
	bad bool
}

func (d *metaReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *metaReader) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *metaReader) ids() []uint64 {
	var out []uint64
	for left := d.uvarint(); left > 0 && !d.bad; left-- {
		out = append(out, d.uvarint())
	}
	return out
}

func (r *reader) chunk(load func([]byte) error) (more bool, err error) {
	start := r.at
	b, err := r.take(chunkHead, "a chunk's header")
	if err != nil {
		return false, err
	}
	size, crc := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if size == endMark {
		if crc != r.sum || r.at != r.size {
			return false, r.corrupt("the end does not fit what is before it")
		}
		return false, nil
	}
	r.sum = crc32.Update(r.sum, table, b[4:])
	if size > maxChunk {
		return false, r.corrupt("a chunk is too long")
	}
	if b, err = r.take(int64(size), "a chunk"); err != nil {
		return false, err
	}
	if crc32.Checksum(b, table) != crc {
		r.at = start
		return false, r.corrupt("a chunk does not check")
	}
	if err := load(b); err != nil {
		r.at = start
		return false, r.corrupt(err.Error())
	}
	return true, nil
}

// Purge deletes all but the newest keep snapshots and returns the index of the
// oldest left, 0 when there is none.
func Purge(fsys env.FS, dir string, keep int) (oldest uint64, err error) {
	found, err := List(fsys, dir)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	keep = min(max(keep, 1), len(found))
	for _, index := range found[keep:] {
		if err := fsys.Remove(filepath.Join(dir, fileName(index))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("purge snapshots: %w", err)
		}
	}
	return found[keep-1], fsys.SyncDir(dir)
}
