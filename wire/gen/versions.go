package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// span is a closed range of versions; lo > hi is the empty range.
type span struct{ lo, hi int }

var noVersions = span{0, -1}

// parseSpan reads "3", "0-4", "9+" or "none".
func parseSpan(s string) (span, error) {
	if s == "" || s == "none" {
		return noVersions, nil
	}
	if lo, ok := strings.CutSuffix(s, "+"); ok {
		n, err := strconv.Atoi(lo)
		return span{n, math.MaxInt16}, err
	}
	lo, hi, ranged := strings.Cut(s, "-")
	if !ranged {
		hi = lo
	}
	a, err := strconv.Atoi(lo)
	if err != nil {
		return noVersions, fmt.Errorf("version range %q: %w", s, err)
	}
	b, err := strconv.Atoi(hi)
	if err != nil {
		return noVersions, fmt.Errorf("version range %q: %w", s, err)
	}
	return span{a, b}, nil
}

// UnmarshalJSON reads the notation of parseSpan.
func (s *span) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	v, err := parseSpan(text)
	*s = v
	return err
}

func (s span) empty() bool        { return s.lo > s.hi }
func (s span) has(v int) bool     { return s.lo <= v && v <= s.hi }
func (s span) covers(o span) bool { return o.empty() || (s.lo <= o.lo && o.hi <= s.hi) }
func (s span) and(o span) span    { return span{max(s.lo, o.lo), min(s.hi, o.hi)} }
func (s span) hull(o span) span {
	if s.empty() {
		return o
	}
	return span{min(s.lo, o.lo), max(s.hi, o.hi)}
}
func (s span) overlap(o span) bool { return !s.and(o).empty() }

// cond is the Go condition for "version is in s", given that version is in
// valid: "true" and "false" when that settles it.
func (s span) cond(valid span) string {
	in := s.and(valid)
	switch {
	case in.empty():
		return "false"
	case in == valid:
		return "true"
	case in.lo == in.hi:
		return fmt.Sprintf("version == %d", in.lo)
	case in.hi == valid.hi:
		return fmt.Sprintf("version >= %d", in.lo)
	case in.lo == valid.lo:
		return fmt.Sprintf("version <= %d", in.hi)
	}
	return fmt.Sprintf("version >= %d && version <= %d", in.lo, in.hi)
}

// text is the range as a reader of the generated comments wants it.
func (s span) text() string {
	switch {
	case s.empty():
		return "none"
	case s.lo == s.hi:
		return fmt.Sprintf("v%d", s.lo)
	case s.hi == math.MaxInt16:
		return fmt.Sprintf("v%d+", s.lo)
	}
	return fmt.Sprintf("v%d-%d", s.lo, s.hi)
}
