package wal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// TestVerifyReadsEverySegment flips bytes in all of them.
func TestVerifyReadsEverySegment(t *testing.T) {
	f := disk(t)
	l := grown(t, f, 200, func(int) {})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n, size, err := Verify(f, dir, opts)
	if err != nil || n < 3 || n != len(l.segments) || size != l.Bytes() {
		t.Fatalf("%d segments of %d bytes, %v", n, size, err)
	}
	for _, s := range l.segments {
		whole, err := f.ReadFile(s.name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole)-recordHeader; at += 61 {
			bad := bytes.Clone(whole)
			bad[at] ^= 1 << (at % 8)
			put(t, f, s.name, bad)
			_, _, err := Verify(f, dir, opts)
			if c, damaged := errors.AsType[*CorruptError](err); !damaged || c.File != s.name {
				t.Fatalf("%s, byte %d: %v", s.name, at, err)
			}
		}
		put(t, f, s.name, whole)
	}
}

// TestVerifyOfALogThatBeganAnew: entries before its beginning were never in it.
func TestVerifyOfALogThatBeganAnew(t *testing.T) {
	f := disk(t)
	l, err := Create(f, dir, opts)
	if err == nil {
		err = l.Reset(500, &State{Term: 51})
	}
	for i := uint64(501); err == nil && i < 600; i++ {
		err = l.Append([]Entry{entry(i)}, nil)
	}
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := Verify(f, dir, opts); err != nil || n < 2 {
		t.Fatalf("%d segments, %v", n, err)
	}
	if err := f.Remove(l.segments[1].name); err != nil {
		t.Fatal(err)
	}
	if n, _, err := Verify(f, dir, opts); err == nil {
		t.Fatal(fmt.Sprint(n, " segments, and one is missing"))
	}
}
