package storage

import (
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
)

// AppendOptions says how a leader appends.
type AppendOptions struct {
	Now         time.Time
	LeaderEpoch int32
	Origin      producer.Origin // Client or Coordinator
	Guard       producer.Guard  // of StartVerification, for a transaction's first batch
}

// AppendInfo says what became of an append.
type AppendInfo struct {
	FirstOffset int64
	LastOffset  int64
	// LogAppendTime is the time given to the records (ms) where the topic's
	// timestamps are LogAppendTime, or of the original when Duplicate; else -1.
	LogAppendTime int64
	StartOffset   int64 // of the log
	MaxTimestamp  int64 // ms, or -1
	Records       int32 // by the batch headers
	Bytes         int
	// Duplicate: the batch was in the log already, FirstOffset and LastOffset
	// are those of the original and nothing was written.
	Duplicate bool
	// Rolled: a segment became inactive. Flush, called soon and not on a
	// request's way, makes it durable and moves the recovery point.
	Rolled bool
}

// AppendLeader appends the one batch that batches holds: it checks it as Kafka
// does, gives it offsets and the leader's epoch in place, and writes it. Bytes
// that follow the batch and are no whole batch are ignored. A message set of an
// old format becomes one batch, and a batch is rewritten when the topic wants
// another codec.
//
// Errors: *record.CorruptError, *record.InvalidError, *record.RejectedError,
// *record.DecompressError, record.ErrUnsupportedCodec, record.ErrTooLarge,
// ErrTooLarge, ErrSegmentTooSmall, producer.ErrOutOfOrder and its kin, ErrClosed, ErrExhausted, *DirError.
func (l *Log) AppendLeader(batches []byte, opt AppendOptions) (AppendInfo, error) {
	cfg := l.cfg.Load()
	var rewrite rewriter
	defer rewrite.release()
	b, sum, err := l.prepare(batches, cfg, &opt, &rewrite)
	if err != nil {
		return AppendInfo{}, err
	}
	info := AppendInfo{LogAppendTime: -1, MaxTimestamp: sum.MaxTimestamp, Records: b.Count(), Bytes: len(b)}
	if cfg.TimestampType == record.LogAppendTime {
		info.LogAppendTime = opt.Now.UnixMilli()
	}
	l.mu.Lock()
	due, err := l.appendLeaderLocked(b, cfg, &opt, &info)
	l.mu.Unlock()
	if err == nil && due {
		err = l.Flush()
	}
	return info, err
}

func (l *Log) appendLeaderLocked(b record.Batch, cfg *Config, opt *AppendOptions, info *AppendInfo) (flush bool, err error) {
	if err := l.usableLocked(); err != nil {
		return false, err
	}
	if err := l.activateLocked(); err != nil {
		return false, l.failUnchanged("open", err)
	}
	info.FirstOffset = l.end.Load()
	info.LastOffset = info.FirstOffset + int64(b.LastOffsetDelta())
	info.StartOffset = l.start.Load()
	b.SetBaseOffset(info.FirstOffset)
	b.SetLeaderEpoch(opt.LeaderEpoch)
	h, err := parseHeader(b, 0)
	if err != nil {
		return false, err // Verify has passed: cannot be
	}
	if b.HasProducer() {
		if dup, err := l.mu.producers.Check(producerBatch(&h, b), opt.Origin, opt.Guard, cfg.VerifyTxn); err != nil {
			return false, err
		} else if dup != nil {
			info.FirstOffset, info.LastOffset, info.LogAppendTime = dup.FirstOffset, dup.LastOffset, dup.Timestamp
			info.Duplicate = true
			// The first copy may not be on disk yet, and its sender never heard
			// of it: this answer promises as much as that one would have.
			return l.flushDueLocked(cfg), nil
		}
	}
	if len(b) > int(cfg.SegmentBytes) {
		return false, fmt.Errorf("batch of %d bytes, segment.bytes is %d: %w", len(b), cfg.SegmentBytes, ErrSegmentTooSmall)
	}
	if info.Rolled, err = l.maybeRollLocked(&h, int64(len(b)), cfg, opt.Now.UnixMilli()); err != nil {
		return false, l.failUnchanged("roll", err)
	}
	if err := l.writeLocked(b, []item{{h: h, batch: b}}, cfg); err != nil {
		return false, l.failUnchanged("append to", err)
	}
	l.mu.unflushed += int64(info.Records)
	return l.flushDueLocked(cfg), nil
}

// item is one batch of an append: its header (pos is set when it is written)
// and all its bytes.
type item struct {
	h     header
	batch []byte
}

// writeLocked writes batches that fit the active segment, with one write, and
// makes them visible. After an error nothing of them is: what the disk took is
// cut off again, or it is offline and recovery will.
func (l *Log) writeLocked(data []byte, items []item, cfg *Config) error {
	s := l.active()
	r, err := s.acquire()
	if err != nil {
		return err
	}
	defer r.release()
	pos := s.size.Load()
	if _, err := r.file.WriteAt(data, pos); err != nil {
		return errors.Join(err, r.file.Truncate(pos))
	}
	var few [1]place
	places := few[:0]
	at := pos
	for i := range items {
		h := &items[i].h
		h.pos = at
		at += h.size
		places = append(places, place{h.base, h.last, h.pos})
		if h.epoch >= 0 {
			l.epochs.Assign(h.epoch, h.base)
		} else if h.magic < 2 {
			l.epochs.Clear() // as Kafka: go back to truncating by high watermark
		}
	}
	if pos == 0 {
		s.firstTime = items[0].h.maxTime
	}
	l.tail.Load().publish(l, places, at)
	// Readers see them: from here on an error cannot be this request's alone.
	for i := range items {
		if err := s.note(&items[i].h, int64(cfg.IndexIntervalBytes)); err != nil {
			return l.fail("append to", err)
		}
	}
	if err := l.takeInLocked(s, items); err != nil {
		return l.fail("append to", err)
	}
	return nil
}

// takeInLocked brings producers and transactions up to date with batches that
// were written.
func (l *Log) takeInLocked(s *segment, items []item) error {
	changed := false
	for i := range items {
		it := &items[i]
		if it.h.v2 == nil || !it.h.v2.HasProducer() {
			continue
		}
		changed = true
		done := l.mu.producers.Apply(producerBatch(&it.h, it.batch))
		if done != nil && done.Aborted {
			if err := s.addAborted(done, &l.mu.newFiles); err != nil {
				return err
			}
		}
	}
	if changed {
		l.mu.producers.Replicated(l.high.Load())
		l.publishUnstableLocked()
	}
	return nil
}

// producerBatch is what producers need to know of a batch. whole are all its
// bytes: a control batch's marker is in its record.
func producerBatch(h *header, whole record.Batch) producer.Batch {
	b := h.v2
	p := producer.Batch{
		ProducerID:    b.ProducerID(),
		Epoch:         b.ProducerEpoch(),
		FirstSeq:      b.BaseSequence(),
		LastSeq:       b.LastSequence(),
		FirstOffset:   h.base,
		LastOffset:    h.last,
		Timestamp:     h.maxTime,
		Transactional: b.IsTransactional(),
		Control:       b.IsControl(),
	}
	if p.Control && len(whole) > record.HeaderSize {
		if m, err := whole.EndTxnMarker(); err == nil {
			p.Marker = &producer.Marker{Commit: m.Type == record.ControlCommit, CoordinatorEpoch: m.CoordinatorEpoch, Timestamp: h.maxTime}
		}
	}
	return p
}
