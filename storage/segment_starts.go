package storage

// SegmentStart is where a segment begins and when it was last written.
type SegmentStart struct {
	Offset   int64
	Modified int64 // ms
	Empty    bool
}

// SegmentStarts lists the segments, oldest first: what ListOffsets version 0
// answers from.
func (l *Log) SegmentStarts() ([]SegmentStart, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return nil, err
	}
	segs := l.segments()
	out := make([]SegmentStart, len(segs))
	for i, s := range segs {
		out[i] = SegmentStart{Offset: s.base, Modified: l.now(), Empty: s.size.Load() == 0}
		if !s.exists.Load() {
			continue
		}
		info, err := l.fs().Stat(l.file(fileName(s.base, suffixLog)))
		if err != nil {
			return nil, l.fail("look at", err)
		}
		out[i].Modified = info.ModTime().UnixMilli()
	}
	return out, nil
}
