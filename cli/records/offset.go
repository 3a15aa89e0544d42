package records

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/term"
)

// start is where to begin in a partition.
type start struct {
	kind startKind
	n    int64 // an offset, a count or milliseconds
}

type startKind uint8

const (
	fromEnd     startKind = iota // n before the end
	fromStart                    // n after the beginning
	fromOffset                   // offset n
	fromInstant                  // the first record at or after n milliseconds
)

// parseStart reads --offset.
func parseStart(s string) (start, error) {
	bad := fmt.Errorf("--offset %q: want start, end, an offset, -N (before the end), +N (after the start) or @TIME", s)
	switch s {
	case "start", "beginning", "earliest":
		return start{kind: fromStart}, nil
	case "end", "latest":
		return start{kind: fromEnd}, nil
	case "":
		return start{}, bad
	}
	if text, ok := strings.CutPrefix(s, "@"); ok {
		t, err := term.ParseTime(text)
		if err != nil {
			return start{}, fmt.Errorf("--offset: %w", err)
		}
		return start{fromInstant, t.UnixMilli()}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == math.MinInt64 {
		return start{}, bad
	}
	switch {
	case s[0] == '-':
		return start{fromEnd, -n}, nil
	case s[0] == '+':
		return start{fromStart, n}, nil
	}
	return start{fromOffset, n}, nil
}

// offset is s for a client that finds out by itself.
func (s start) offset() kgo.Offset {
	o := kgo.NewOffset()
	switch s.kind {
	case fromStart:
		return o.AtStart().Relative(s.n)
	case fromOffset:
		return o.At(s.n)
	case fromInstant:
		return o.AfterMilli(s.n)
	}
	return o.AtEnd().Relative(-s.n)
}

// bounds are a partition's first offset, the one after its last, and the first
// at or after the instant of a start (only for fromInstant).
type bounds struct{ begin, end, instant int64 }

// in is s as an offset between the bounds.
func (s start) in(b bounds) int64 {
	at := b.end - s.n
	switch s.kind {
	case fromStart:
		at = b.begin + min(s.n, b.end-b.begin)
	case fromOffset:
		at = s.n
	case fromInstant:
		at = b.instant
	}
	return min(max(at, b.begin), b.end)
}
