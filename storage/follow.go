package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gregor-mq/gregor/record"
)

// AppendFollower appends what the leader has, byte for byte. Bytes at the end
// that are no whole batch are ignored; batches of old formats are fine. now is
// in ms and only used for segments without timestamps.
//
// Errors: *OrderError when the batches do not continue the log,
// *record.CorruptError, ErrClosed, ErrExhausted, *DirError. After an error a first part of
// the batches may be in the log: EndOffset tells.
func (l *Log) AppendFollower(batches []byte) (AppendInfo, error) {
	items, err := splitBatches(batches)
	if err != nil || len(items) == 0 {
		return AppendInfo{}, err
	}
	cfg := l.cfg.Load()
	first, last := items[0].h, items[len(items)-1].h
	info := AppendInfo{FirstOffset: first.base, LastOffset: last.last, LogAppendTime: -1, MaxTimestamp: -1}
	for i := range items {
		info.MaxTimestamp = max(info.MaxTimestamp, items[i].h.maxTime)
		info.Bytes += len(items[i].batch)
		info.Records += items[i].records()
	}
	l.mu.Lock()
	due, err := l.appendFollowerLocked(batches, items, cfg, &info)
	l.mu.Unlock()
	if err == nil && due {
		err = l.Flush()
	}
	return info, err
}

// splitBatches checks the batches one by one, and that their offsets rise.
func splitBatches(src []byte) ([]item, error) {
	var items []item
	for len(src) > 0 {
		h, err := parseHeader(src, 0)
		if errors.Is(err, record.ErrShort) || err == nil && h.size > int64(len(src)) {
			break
		}
		if err == nil {
			err = h.check()
		}
		if err != nil {
			return nil, err
		}
		whole := src[:h.size:h.size]
		at, from, table := h.checksum()
		if crc32.Checksum(whole[from:], table) != binary.BigEndian.Uint32(whole[at:]) {
			return nil, &record.CorruptError{Reason: fmt.Sprintf("checksum of the batch at offset %d does not match", h.base)}
		}
		if n := len(items); n > 0 && h.last <= items[n-1].h.last {
			return nil, &record.CorruptError{Reason: fmt.Sprintf("batch at offset %d follows offset %d", h.last, items[n-1].h.last)}
		}
		items = append(items, item{h: h, batch: whole})
		src = src[h.size:]
	}
	return items, nil
}

func (it *item) records() int32 {
	if it.h.v2 == nil {
		return 1
	}
	return it.h.v2.Count()
}

func (l *Log) appendFollowerLocked(data []byte, items []item, cfg *Config, info *AppendInfo) (flush bool, err error) {
	if err := l.usableLocked(); err != nil {
		return false, err
	}
	if err := l.activateLocked(); err != nil {
		return false, l.failUnchanged("open", err)
	}
	info.StartOffset = l.start.Load()
	if items[0].h.base < l.end.Load() {
		return false, &OrderError{info.FirstOffset, info.LastOffset, l.end.Load()}
	}
	now := l.now()
	for len(items) > 0 {
		rolled, err := l.maybeRollLocked(&items[0].h, items[0].h.size, cfg, now)
		if err != nil {
			return false, l.failUnchanged("roll", err)
		}
		info.Rolled = info.Rolled || rolled
		n, size := l.fitting(items, cfg)
		if err := l.writeLocked(data[:size], items[:n], cfg); err != nil {
			return false, l.failUnchanged("append to", err)
		}
		for i := range items[:n] {
			l.mu.unflushed += int64(items[i].records())
		}
		data, items = data[size:], items[n:]
	}
	return l.flushDueLocked(cfg), nil
}

// fitting is how many batches go into the active segment with one write: the
// first, which maybeRollLocked has made room for, and what follows as long as
// size and offsets allow.
func (l *Log) fitting(items []item, cfg *Config) (n int, size int64) {
	s := l.active()
	room := int64(cfg.SegmentBytes) - s.size.Load()
	const maxSpan = 1<<31 - 1
	for n < len(items) {
		h := &items[n].h
		if n > 0 && (size+h.size > room || h.last-s.base > maxSpan) {
			break
		}
		size += h.size
		n++
	}
	return n, size
}
