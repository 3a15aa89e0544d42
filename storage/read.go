package storage

// attempts is how often a lookup is made when the segments change under it.
const attempts = 3

// Read finds the records from offset on and below maxOffset (the end of the
// log, high watermark or last stable offset), at most maxBytes of them, and of
// one segment only. With minOne the first batch is whole even if it is larger;
// without, a first batch that does not fit gives an empty span. No record byte
// is read; the span must be released. The span may begin with a batch that
// holds earlier records than offset, which the reader skips.
//
// Errors: *OffsetError when offset is outside of the log, ErrClosed, ErrExhausted, *DirError;
// *record.CorruptError when batches of a closed segment are damaged,
// index.ErrCorrupt when its index stays so although it was made anew.
func (l *Log) Read(offset, maxOffset int64, maxBytes int, minOne bool) (Span, error) {
	end := l.end.Load()
	if start := l.start.Load(); offset < start || offset > end {
		return Span{}, &OffsetError{offset, start, end}
	}
	maxOffset = min(maxOffset, end)
	if offset >= maxOffset || maxBytes <= 0 && !minOne {
		return Span{}, nil
	}
	if e := l.dir.failed.Load(); e != nil {
		return Span{}, e
	}
	if l.closed.Load() && !l.retired.Load() {
		return Span{}, ErrClosed
	}
	if t := l.tail.Load(); t != nil {
		if x, ok := t.find(offset, maxOffset); ok {
			if s, err := l.span(x, maxBytes, minOne); err == nil {
				return s, nil
			}
		}
	}
	return l.readFiles(offset, maxOffset, maxBytes, minOne)
}

func (l *Log) span(x extent, maxBytes int, minOne bool) (Span, error) {
	n := x.limit - x.pos
	if x.first > int64(maxBytes) {
		if !minOne {
			return Span{}, nil
		}
		n = min(n, x.first)
	} else {
		n = min(n, int64(maxBytes))
	}
	if n <= 0 {
		return Span{}, nil
	}
	h, err := x.seg.acquire()
	if err != nil {
		return Span{}, err
	}
	return Span{h: h, seg: x.seg, pos: x.pos, n: int(n)}, nil
}

// readFiles looks positions up in indexes and batch headers. The segments may
// change meanwhile: then it looks again.
func (l *Log) readFiles(offset, maxOffset int64, maxBytes int, minOne bool) (Span, error) {
	var err error
	for range attempts {
		var x extent
		if x, err = l.locate(offset, maxOffset); err == nil && x.seg == nil {
			return Span{}, nil
		}
		if err == nil {
			var s Span
			if s, err = l.span(x, maxBytes, minOne); err == nil {
				return s, nil
			}
		}
		if start := l.start.Load(); offset < start {
			return Span{}, &OffsetError{offset, start, l.end.Load()}
		}
		if !notExist(err) {
			break
		}
	}
	return Span{}, l.lookupError(err)
}

// locate finds the extent; its seg is nil when there is nothing in it.
func (l *Log) locate(offset, maxOffset int64) (extent, error) {
	segs := l.segments()
	for i := segmentFor(segs, offset); i < len(segs); i++ {
		s := segs[i]
		if s.base >= maxOffset {
			return extent{}, nil
		}
		last := i == len(segs)-1
		size := s.size.Load()
		if size == 0 {
			continue
		}
		x, ok, err := l.locateIn(s, offset, maxOffset, size, last || segs[i+1].base > maxOffset)
		if err != nil || ok {
			return x, err
		}
	}
	return extent{}, nil
}

// locateIn looks in one segment. ends says that maxOffset may lie in it.
func (l *Log) locateIn(s *segment, offset, maxOffset, size int64, ends bool) (extent, bool, error) {
	r, err := s.acquire()
	if err != nil {
		return extent{}, false, err
	}
	defer r.release()
	h, ok, err := s.find(r, offset, size)
	if err != nil || !ok {
		return extent{}, false, err
	}
	x := extent{seg: s, pos: h.pos, limit: size, first: h.size}
	if !ends {
		return x, true, nil
	}
	if t := l.tail.Load(); t != nil {
		if limit, ok := t.limit(s, maxOffset); ok {
			x.limit = max(limit, x.pos)
			return x, true, nil
		}
	}
	if maxOffset >= l.end.Load() && s == l.active() && s.size.Load() == size {
		return x, true, nil
	}
	stop, ok, err := s.find(r, maxOffset, size)
	if ok {
		x.limit = max(stop.pos, x.pos)
	}
	return x, true, err
}
