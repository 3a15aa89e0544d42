package wal

import (
	"math"

	"github.com/gregor-mq/gregor/internal/env"
)

// Verify reads all segments for damage, also those that a snapshot makes needless,
// and changes nothing. It returns how many there are and their summed size in bytes.
// That the entries lead on from a snapshot is for Open to find.
func Verify(fsys env.FS, dir string, opts Options) (segments int, bytes int64, err error) {
	l := newLog(fsys, dir, opts)
	if err := l.list(); err != nil {
		return 0, 0, err
	}
	if err := l.checkNewest(); err != nil {
		return 0, 0, err
	}
	var c Contents
	for i := range l.segments {
		if err := l.read(i, math.MaxUint64, i == len(l.segments)-1, &c); err != nil {
			return 0, 0, err
		}
	}
	return len(l.segments), l.Bytes(), nil
}
