package znode

import (
	"bytes"
	"encoding/json"
	"iter"
)

// The functions here walk JSON that json.Valid has accepted. They copy nothing:
// a controller that takes over reads a state for every partition there is.

// space skips white space from i on.
func space(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\n' || src[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i.
func valueEnd(src []byte, i int) int {
	depth := 0
	for i < len(src) {
		switch src[i] {
		case '"':
			i = stringEnd(src, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of a number or literal that ends its parent
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(src []byte, i int) int {
	for i++; i < len(src) && src[i] != '"'; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// members walks over the raw keys (quotes included) and values of an object.
func members(src []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		i := space(src, 1)
		for i < len(src) && src[i] != '}' {
			end := stringEnd(src, i)
			key := src[i:end]
			i = space(src, space(src, end)+1) // over the colon
			end = valueEnd(src, i)
			if !yield(key, src[i:end]) {
				return
			}
			i = next(src, end)
		}
	}
}

// elements walks over the raw values of an array.
func elements(src []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		i := space(src, 1)
		for i < len(src) && src[i] != ']' {
			end := valueEnd(src, i)
			if !yield(src[i:end]) {
				return
			}
			i = next(src, end)
		}
	}
}

// next goes on from the end of a value to the next one, or to the closing
// bracket.
func next(src []byte, i int) int {
	if i = space(src, i); i < len(src) && src[i] == ',' {
		i = space(src, i+1)
	}
	return i
}

// unquote returns the text of a raw string; ok is false when raw is none.
func unquote(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	if plain := bytes.IndexFunc(inner, func(r rune) bool { return r == '\\' || r >= 0x80 }) < 0; plain {
		return string(inner), true
	}
	ok = json.Unmarshal(raw, &s) == nil
	return s, ok
}
