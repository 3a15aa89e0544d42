package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage/checkpoint"
	"github.com/gregor-mq/gregor/storage/epoch"
	"github.com/gregor-mq/gregor/storage/producer"
)

// TopicID is a topic's id; zero is none.
type TopicID = checkpoint.TopicID

// Log is one replica of a partition. Offsets are read without a lock; appends
// and all that changes the segments go one at a time.
type Log struct {
	dir  *Dir
	tp   TopicPartition
	name string // topic-partition
	path atomic.Pointer[string]
	cfg  atomic.Pointer[Config]

	// segs is replaced whole: ascending by base, never empty, the last is the
	// active one.
	segs     atomic.Pointer[[]*segment]
	tail     atomic.Pointer[tail] // of the active segment; nil before the first append
	start    atomic.Int64
	end      atomic.Int64
	high     atomic.Int64 // high watermark, within [start, end]
	unstable atomic.Int64 // first unstable offset, or noOffset
	recovery atomic.Int64 // everything below is flushed

	epochs      epoch.Cache
	epochsReady atomic.Bool
	ready       atomic.Bool // producers are loaded
	closed      atomic.Bool
	retired     atomic.Bool // closed, but what it holds may still be read
	succeeds    atomic.Bool // it has taken the place of one in another directory

	// flush lets one flush run at a time; those who wait find theirs done.
	flush sync.Mutex

	mu struct {
		sync.Mutex
		active    bool // ready to append: activate has run
		producers *producer.State
		snapshots []int64 // offsets of .snapshot files, ascending
		unsynced  []int64 // those of them that flush must sync
		newFiles  bool    // files were made since the directory was synced
		epochSeen uint64  // version of epochs that is in the file
		unflushed int64   // records since the last flush
		flushedAt int64   // ms
		topicID   TopicID
		idRead    bool     // topicID is what partition.metadata says
		idSynced  bool     // partition.metadata is on disk
		doomed    []doomed // files to remove after a delay
		cut       int64    // see TakeCut
	}
}

// noOffset stands for "none" in Log.unstable.
const noOffset = -1

// LogOptions is what a Log needs to be opened.
type LogOptions struct {
	Config *Config // never changed afterwards; SetConfig replaces it
	// RecoveryPoint and StartOffset come from the checkpoints of the Dir; 0
	// when the partition is not in them.
	RecoveryPoint int64
	StartOffset   int64
}

// Partition is which partition the log belongs to.
func (l *Log) Partition() TopicPartition { return l.tp }

// Dir is the log directory it lies in.
func (l *Log) Dir() *Dir { return l.dir }

// Path is the directory of its files.
func (l *Log) Path() string { return *l.path.Load() }

// Config is the effective topic configuration; it must not be changed.
func (l *Log) Config() *Config { return l.cfg.Load() }

// SetConfig replaces the topic configuration; c must not be changed afterwards.
func (l *Log) SetConfig(c *Config) { l.cfg.Store(c) }

// StartOffset is the first offset that can be read.
func (l *Log) StartOffset() int64 { return l.start.Load() }

// EndOffset is where the next record goes.
func (l *Log) EndOffset() int64 { return l.end.Load() }

// HighWatermark is what all in-sync replicas have, as far as this one was told.
func (l *Log) HighWatermark() int64 { return l.high.Load() }

// RecoveryPoint is up to where the log is known to be on disk: what the
// recovery-point checkpoint must tell.
func (l *Log) RecoveryPoint() int64 { return l.recovery.Load() }

// CheckpointStart is what the log-start checkpoint must tell: ok is false when
// the first segment's name tells it.
func (l *Log) CheckpointStart() (offset int64, ok bool) {
	start := l.start.Load()
	return start, start > l.segments()[0].base
}

// Size is the sum of the segments, in bytes.
func (l *Log) Size() int64 {
	var sum int64
	for _, s := range l.segments() {
		sum += s.size.Load()
	}
	return sum
}

// SegmentCount is the number of segments.
func (l *Log) SegmentCount() int { return len(l.segments()) }

// SetHighWatermark moves the high watermark, within [start, end], and returns
// what it became. Whether it may fall is the caller's business.
func (l *Log) SetHighWatermark(offset int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.setHighLocked(offset)
}

func (l *Log) setHighLocked(offset int64) int64 {
	offset = max(l.start.Load(), min(offset, l.end.Load()))
	l.high.Store(offset)
	if l.mu.producers != nil {
		l.mu.producers.Replicated(offset)
		l.publishUnstableLocked()
	}
	return offset
}

// LastStableOffset is the end of what is decided: the high watermark, or where
// the first transaction begins that is open or whose marker is not replicated.
func (l *Log) LastStableOffset() (int64, error) {
	if err := l.ensureProducers(); err != nil {
		return 0, err
	}
	high := l.high.Load()
	if u := l.unstable.Load(); u != noOffset && u < high {
		return u, nil
	}
	return high, nil
}

func (l *Log) publishUnstableLocked() {
	offset, ok := l.mu.producers.FirstUnstable()
	if !ok {
		l.unstable.Store(noOffset)
		return
	}
	l.unstable.Store(max(offset, l.start.Load()))
}

func (l *Log) segments() []*segment { return *l.segs.Load() }

// active is the segment that is appended to.
func (l *Log) active() *segment {
	segs := l.segments()
	return segs[len(segs)-1]
}

// segmentFor is the index of the last segment whose base is not above offset,
// 0 when all are above.
func segmentFor(segs []*segment, offset int64) int {
	lo, hi := 0, len(segs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if segs[mid].base <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return max(0, lo-1)
}

func (l *Log) fs() env.FS { return l.dir.env.FS }

func (l *Log) now() int64 { return l.dir.env.Clock.Now().UnixMilli() }

func (l *Log) file(name string) string { return filepath.Join(l.Path(), name) }

// fail takes the log directory offline, unless the log is closed.
func (l *Log) fail(op string, err error) error {
	if l.closed.Load() {
		return ErrClosed // its files may be gone
	}
	return l.dir.fail(op+" "+l.name, err)
}

// failUnchanged is fail for what has changed nothing yet, or can be done again:
// then a process that is short of descriptors fails this one request and no
// more.
func (l *Log) failUnchanged(op string, err error) error {
	if _, failed := errors.AsType[*DirError](err); !failed && noDescriptor(err) {
		return fmt.Errorf("%s %s: %w", op, l.name, exhausted(err))
	}
	return l.fail(op, err)
}

// usableLocked refuses work on a log that is closed or whose disk failed.
func (l *Log) usableLocked() error {
	if l.closed.Load() {
		return ErrClosed
	}
	if e := l.dir.failed.Load(); e != nil {
		return e
	}
	return nil
}

// change runs f under the lock of a usable log. An error of f takes the
// directory offline.
func (l *Log) change(op string, f func() error) error { return l.locked(op, f, l.fail) }

// attempt is change for an f that opens files before it changes anything.
func (l *Log) attempt(op string, f func() error) error { return l.locked(op, f, l.failUnchanged) }

func (l *Log) locked(op string, f func() error, fail func(op string, err error) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return fail(op, err)
	}
	return nil
}
