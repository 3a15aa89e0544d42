package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/storage/producer"
)

// CreateLog makes the directory of a new, empty replica. kind is Current, or
// Future for a copy that will replace the replica in another directory. id may
// be zero. Fails with fs.ErrExist when the partition has a directory here.
func (d *Dir) CreateLog(tp TopicPartition, kind PartitionKind, id TopicID, cfg *Config) (*Log, error) {
	p := PartitionDir{TopicPartition: tp, Kind: kind, Name: tp.String()}
	if kind == Future {
		p.Name = markedName(tp, kind, d.random())
	}
	path := filepath.Join(d.path, p.Name)
	if _, err := d.env.FS.Stat(path); err == nil {
		return nil, fmt.Errorf("create log %s: %w", path, fs.ErrExist)
	} else if !notExist(err) {
		return nil, d.fail("create "+p.Name, err)
	}
	l := d.newLog(p, cfg)
	err := d.attempt("create "+p.Name, func() error {
		if err := d.env.FS.MkdirAll(path, 0o755); err != nil {
			return err
		}
		l.mu.newFiles = true
		if id == (TopicID{}) {
			return nil
		}
		err := l.writeTopicIDLocked(id)
		if noDescriptor(err) {
			return errors.Join(err, d.env.FS.Remove(path)) // it is empty, and could not be created again
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	l.mu.idRead = true
	l.setSegments([]*segment{l.newSegment(0, l.now())})
	l.mu.producers = producer.NewState()
	l.ready.Store(true)
	l.epochsReady.Store(true)
	return l, nil
}

func (d *Dir) random() (id [16]byte) {
	d.env.Rand.Read(id[:])
	return id
}

func (d *Dir) newLog(p PartitionDir, cfg *Config) *Log {
	l := &Log{dir: d, tp: p.TopicPartition, name: p.TopicPartition.String()}
	l.path.Store(new(filepath.Join(d.path, p.Name)))
	l.cfg.Store(cfg)
	l.unstable.Store(noOffset)
	l.mu.cut = noCut
	l.mu.flushedAt = l.now()
	return l
}

// OpenLog opens the replica in a directory that Partitions lists as Current,
// Future or Stray. After a clean stop it reads names and sizes only; otherwise
// it reads everything from the recovery point on, cuts the log off at the
// first bad batch and rebuilds what was derived. Memory is bounded. Logs of one
// Dir may be opened side by side. Errors: *DirError, ErrOverflow.
func (d *Dir) OpenLog(p PartitionDir, opt LogOptions) (*Log, error) {
	l := d.newLog(p, opt.Config)
	l.mu.idSynced = d.clean
	if e := d.failed.Load(); e != nil {
		return nil, e
	}
	err := l.load(opt)
	if err != nil {
		l.discardFiles()
		if errors.Is(err, ErrOverflow) {
			return nil, fmt.Errorf("open log %s: %w", l.Path(), err)
		}
		return nil, l.fail("open", err)
	}
	return l, nil
}

// listing is what the directory of a partition holds.
type listing struct {
	logs      map[int64]fs.DirEntry // by base offset
	snapshots []int64               // ascending
	txn       map[int64]bool        // segments that have a .txnindex
}

func (l *Log) load(opt LogOptions) error {
	if err := l.settleSwaps(); err != nil {
		return err
	}
	ls, err := l.list()
	if err != nil {
		return err
	}
	if err := l.makeSegments(ls, opt); err != nil {
		return err
	}
	segs := l.segments()
	l.start.Store(max(opt.StartOffset, segs[0].base))
	end, trusted := l.trustedEnd(ls, opt)
	if trusted {
		l.openTrusted(ls, end)
	} else if err := l.recover(opt); err != nil {
		return err
	}
	l.high.Store(l.start.Load())
	return nil
}

// list sorts the files out; index files without a log are removed, as are
// files of a snapshot or checkpoint that was not finished.
func (l *Log) list() (*listing, error) {
	entries, err := l.fs().ReadDir(l.Path())
	if err != nil {
		return nil, err
	}
	ls := &listing{logs: map[int64]fs.DirEntry{}}
	for _, e := range entries {
		base, suffix, ok := parseFileName(e.Name())
		if ok && suffix == suffixLog {
			ls.logs[base] = e
		}
	}
	for _, e := range entries {
		base, suffix, ok := parseFileName(e.Name())
		switch {
		case strings.HasSuffix(e.Name(), suffixTmp):
			err = ignoreMissing(l.fs().Remove(l.file(e.Name())))
		case e.Name() == fileMoved:
			l.succeeds.Store(true)
		case !ok:
		case suffix == suffixSnapshot:
			ls.snapshots = append(ls.snapshots, base)
		case suffix == suffixIndex || suffix == suffixTimeIndex || suffix == suffixTxnIndex:
			if _, found := ls.logs[base]; !found {
				err = ignoreMissing(l.fs().Remove(l.file(e.Name())))
			} else if suffix == suffixTxnIndex {
				ls.markTxn(base)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(ls.snapshots)
	return ls, nil
}

func (ls *listing) markTxn(base int64) {
	if ls.txn == nil {
		ls.txn = map[int64]bool{}
	}
	ls.txn[base] = true
}

// makeSegments makes the segments that the listing has, or one without a file
// when it has none.
func (l *Log) makeSegments(ls *listing, opt LogOptions) error {
	now := l.now()
	segs := make([]*segment, 0, max(1, len(ls.logs)))
	for base, e := range ls.logs {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Size() > math.MaxInt32 {
			return fmt.Errorf("%s has %d bytes: %w", e.Name(), info.Size(), ErrOverflow)
		}
		s := l.newSegment(base, now)
		s.modified = info.ModTime().UnixMilli()
		s.exists.Store(true)
		s.size.Store(info.Size())
		s.mu.loaded = info.Size() == 0
		s.hasTxn.Store(ls.txn[base])
		segs = append(segs, s)
	}
	slices.SortFunc(segs, func(a, b *segment) int { return int(min(1, max(-1, a.base-b.base))) })
	if len(segs) == 0 {
		segs = append(segs, l.newSegment(opt.StartOffset, now))
	}
	l.setSegments(segs)
	l.mu.snapshots = ls.snapshots
	return nil
}

// trustedEnd says where the log ends, if that is known without reading it: the
// last broker stopped cleanly, and recovery point, sizes and the snapshot that
// every clean stop leaves agree.
func (l *Log) trustedEnd(ls *listing, opt LogOptions) (end int64, ok bool) {
	segs := l.segments()
	last := segs[len(segs)-1]
	if !l.dir.clean || last.base < 0 {
		return 0, false
	}
	if last.size.Load() == 0 {
		end = last.base
	} else {
		end = opt.RecoveryPoint
		n := len(ls.snapshots)
		if end <= last.base || n == 0 || ls.snapshots[n-1] != end {
			return 0, false
		}
	}
	return end, end >= l.start.Load()
}

// openTrusted takes the end as it is told. Producers are loaded when somebody
// asks, unless the snapshot is too small to hold any.
func (l *Log) openTrusted(ls *listing, end int64) {
	l.end.Store(end)
	l.recovery.Store(end)
	if n := len(ls.snapshots); n > 0 {
		info, err := l.fs().Stat(l.file(fileName(ls.snapshots[n-1], suffixSnapshot)))
		if err != nil || info.Size() != producer.SnapshotHeader || ls.snapshots[n-1] != end {
			return
		}
	}
	l.ready.Store(true) // no producers; the state is made by the first append
}

// settleSwaps removes what was deleted or not finished, and finishes the swap
// of cleaned segments for old ones when all the new ones were ready.
func (l *Log) settleSwaps() error {
	entries, err := l.fs().ReadDir(l.Path())
	if err != nil {
		return err
	}
	lowestCleaned := int64(math.MaxInt64)
	var swaps []string
	dirty := false
	for _, e := range entries {
		name := e.Name()
		base, _, ok := parseFileName(name)
		switch {
		case strings.HasSuffix(name, suffixDeleted):
		case strings.HasSuffix(name, suffixCleaned):
			if ok {
				lowestCleaned = min(lowestCleaned, base)
			}
		case strings.HasSuffix(name, suffixSwap):
			swaps = append(swaps, name)
			continue
		default:
			continue
		}
		dirty = true
		if err := ignoreMissing(l.fs().Remove(l.file(name))); err != nil {
			return err
		}
	}
	if len(swaps) > 0 {
		dirty = true
		if err := l.finishSwaps(entries, swaps, lowestCleaned); err != nil {
			return err
		}
	}
	if dirty {
		return l.fs().SyncDir(l.Path())
	}
	return nil
}

// finishSwaps renames .swap files to their final names. Those at or above a
// .cleaned file belong to a swap that was not ready, and go.
func (l *Log) finishSwaps(entries []fs.DirEntry, swaps []string, lowestCleaned int64) error {
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	ready := swaps[:0]
	for _, name := range swaps {
		base, suffix, ok := parseFileName(name)
		if !ok || base >= lowestCleaned {
			if err := ignoreMissing(l.fs().Remove(l.file(name))); err != nil {
				return err
			}
			continue
		}
		ready = append(ready, name)
		if suffix == suffixLog+suffixSwap {
			end, err := l.endOfFile(name, base)
			if err != nil {
				return err
			}
			from, to = min(from, base), max(to, end)
		}
	}
	for _, e := range entries {
		base, suffix, ok := parseFileName(e.Name())
		if !ok || strings.HasSuffix(suffix, suffixSwap) || strings.HasSuffix(suffix, suffixCleaned) ||
			strings.HasSuffix(suffix, suffixDeleted) || base < from || base >= to {
			continue
		}
		if err := ignoreMissing(l.fs().Remove(l.file(e.Name()))); err != nil {
			return err
		}
	}
	for _, name := range ready {
		if err := l.fs().Rename(l.file(name), l.file(strings.TrimSuffix(name, suffixSwap))); err != nil {
			return err
		}
	}
	return nil
}

// endOfFile walks a log file of any name and returns the offset it ends at.
func (l *Log) endOfFile(name string, base int64) (int64, error) {
	f, err := l.fs().Open(l.file(name), 0, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	w := walk(f, 0, size)
	defer w.close()
	end := base
	for {
		h, ok, err := w.step()
		if err != nil && !damaged(err) {
			return 0, err
		}
		if err != nil || !ok {
			return end, nil
		}
		end = h.next()
	}
}
