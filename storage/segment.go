package storage

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/storage/index"
)

// unread stands for a first timestamp that was not looked up yet.
const unread = math.MinInt64

// segment is one .log file and the indexes beside it. Files are opened, and
// indexes loaded, when first needed.
type segment struct {
	log    *Log
	base   int64
	size   atomic.Int64 // bytes that readers may see
	hasTxn atomic.Bool  // there is a .txnindex
	gone   atomic.Bool  // renamed to .deleted
	exists atomic.Bool  // there is a .log file

	mu struct {
		sync.Mutex
		file    *handle
		loaded  bool // offsets, times and newest are
		rebuilt bool // once is enough: what is wrong afterwards is the log
		offsets index.Sparse
		times   index.Sparse
		newest  index.Entry // largest timestamp and the last offset of its batch
	}

	// The rest belongs to whoever holds Log.mu.
	created    int64 // ms; when there is no first timestamp
	modified   int64 // ms, of the file; 0 when not looked up
	firstTime  int64 // largest timestamp of the first batch, or unread
	jitter     int64 // ms
	sinceIndex int64 // bytes since the last index entry
}

func newSegment(l *Log, base, now int64) *segment {
	s := &segment{log: l, base: base, created: now, firstTime: unread, modified: now}
	s.emptyLocked()
	return s
}

// emptyLocked makes the indexes those of a segment without batches.
func (s *segment) emptyLocked() {
	s.mu.loaded = true
	s.mu.offsets = index.New(index.ByOffset, s.base)
	s.mu.times = index.New(index.ByTime, s.base)
	s.mu.newest = index.Entry{Key: -1, Value: s.base}
}

// path is where a file of the segment is now.
func (s *segment) path(suffix string) string {
	if s.gone.Load() {
		suffix += suffixDeleted
	}
	return filepath.Join(s.log.Path(), fileName(s.base, suffix))
}

// acquire opens the file if need be and takes a reference.
func (s *segment) acquire() (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acquireLocked()
}

func (s *segment) acquireLocked() (*handle, error) {
	if h := s.mu.file; h != nil && h.retain() {
		return h, nil
	}
	f, err := s.log.fs().Open(s.path(suffixLog), os.O_RDWR, 0)
	if err != nil {
		return nil, exhausted(err)
	}
	s.mu.file = s.log.dir.files.add(f)
	return s.mu.file, nil
}

// create makes the empty .log file. Files of that name are left-overs.
func (s *segment) create() error {
	for _, suffix := range [...]string{suffixIndex, suffixTimeIndex, suffixTxnIndex} {
		if err := ignoreMissing(s.log.fs().Remove(s.path(suffix))); err != nil {
			return err
		}
	}
	f, err := s.log.fs().Open(s.path(suffixLog), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	s.exists.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.file = s.log.dir.files.add(f)
	s.mu.file.release()
	return nil
}

// discard closes the file as soon as no reader holds it.
func (s *segment) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.file != nil {
		s.mu.file.discard()
		s.mu.file = nil
	}
}

// loadLocked makes the indexes ready, from their files or else from the log.
func (s *segment) loadLocked() error {
	if s.mu.loaded {
		return nil
	}
	size := s.size.Load()
	if size == 0 {
		s.emptyLocked()
		return nil
	}
	offsets, err1 := s.loadIndex(index.ByOffset, suffixIndex)
	times, err2 := s.loadIndex(index.ByTime, suffixTimeIndex)
	err := errors.Join(err1, err2)
	if last, ok := offsets.Last(); ok && (last.Value >= size || last.Key >= s.log.end.Load()) {
		err = errors.Join(err, index.ErrCorrupt)
	}
	newest, ok := times.Last()
	if !ok {
		newest = index.Entry{Key: -1, Value: s.base}
	} else if newest.Value >= s.log.end.Load() {
		err = errors.Join(err, index.ErrCorrupt)
	}
	switch {
	case notExist(err) || errors.Is(err, index.ErrCorrupt):
		s.log.dir.log.Warn("index is missing or corrupt, rebuilding it", "segment", s.path(suffixLog), "err", err)
		return s.rebuildLocked()
	case err != nil:
		return err
	}
	s.mu.offsets, s.mu.times, s.mu.newest = offsets, times, newest
	s.mu.loaded = true
	return nil
}

func (s *segment) loadIndex(kind index.Kind, suffix string) (index.Sparse, error) {
	f, err := s.log.fs().Open(s.path(suffix), os.O_RDONLY, 0)
	if err != nil {
		return index.New(kind, s.base), exhausted(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return index.New(kind, s.base), err
	}
	return index.Load(kind, s.base, f, size)
}

// rebuildLocked makes the indexes from the batch headers. A batch that cannot
// be read ends it: what follows is found by walking, or is an error there.
func (s *segment) rebuildLocked() error {
	h, err := s.acquireLocked()
	if err != nil {
		return err
	}
	defer h.release()
	s.emptyLocked()
	s.mu.loaded = false // until all of it is there
	b, err := s.beginBuild()
	if err != nil {
		return err
	}
	w := walk(h.file, 0, s.size.Load())
	defer w.close()
	for {
		hd, ok, err := w.step()
		if err != nil && !damaged(err) {
			return errors.Join(err, b.close())
		}
		if err != nil || !ok {
			break
		}
		if err := b.add(&hd); err != nil {
			return errors.Join(err, b.close())
		}
	}
	return b.finish()
}

// builder fills the indexes of a segment while its batches pass by. Memory is
// bounded: entries go to the files as they gather.
type builder struct {
	s         *segment
	interval  int64
	lastEntry int64 // position
	offsets   *indexFile
	times     *indexFile
}

// beginBuild opens both index files to be written over; finish cuts what was
// there beyond. (To empty them first would make some file systems write each of
// thousands of small files to disk at once.) The caller has emptied the indexes
// and holds s.mu, or owns the segment.
func (s *segment) beginBuild() (*builder, error) {
	b := &builder{s: s, interval: int64(s.log.cfg.Load().IndexIntervalBytes)}
	var err1, err2 error
	b.offsets, err1 = s.openIndex(suffixIndex)
	b.times, err2 = s.openIndex(suffixTimeIndex)
	if err := errors.Join(err1, err2); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *builder) add(h *header) error {
	s := b.s
	if h.maxTime > s.mu.newest.Key {
		s.mu.newest = index.Entry{Key: h.maxTime, Value: h.last}
	}
	if h.pos-b.lastEntry <= b.interval {
		return nil
	}
	b.lastEntry = h.pos
	s.mu.offsets.Append(index.Entry{Key: h.last, Value: h.pos})
	s.mu.times.Append(s.mu.newest)
	if s.mu.offsets.Pending() < index.FlushEntries {
		return nil
	}
	return errors.Join(s.mu.offsets.WriteTail(b.offsets.File), s.mu.times.WriteTail(b.times.File))
}

// finish adds the last time entry, cuts off what older indexes left and closes
// the files.
func (b *builder) finish() error {
	s := b.s
	s.mu.times.Append(s.mu.newest)
	err := errors.Join(
		s.mu.offsets.WriteTail(b.offsets.File), cutTo(b.offsets.File, s.mu.offsets.Size()),
		s.mu.times.WriteTail(b.times.File), cutTo(b.times.File, s.mu.times.Size()), b.close())
	s.mu.loaded = err == nil
	return err
}

func (b *builder) close() error {
	return errors.Join(b.offsets.close(), b.times.close())
}
