package zk

import (
	"strings"
	"unicode/utf8"
)

// Text returns the string that a server written in Java makes of the UTF-8 that a
// client sent, as it writes that string: every malformed part becomes one U+FFFD,
// and characters beyond the basic plane are two surrogates of three bytes each
// (BinaryOutputArchive).
func Text(b []byte) string {
	if plain(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		n, ok := javaRune(b)
		switch r, _ := utf8.DecodeRune(b[:n]); {
		case !ok:
			s.WriteRune(utf8.RuneError)
		case r > 0xffff:
			r -= 0x10000
			surrogate(&s, 0xd800|r>>10)
			surrogate(&s, 0xdc00|r&0x3ff)
		default:
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}

// plain reports whether Java writes b as it is.
func plain(b []byte) bool {
	const firstOfFour = 0xf0
	for _, c := range b {
		if c >= firstOfFour {
			return false
		}
	}
	return utf8.Valid(b)
}

func surrogate(s *strings.Builder, r rune) {
	s.Write([]byte{byte(0xe0 | r>>12), byte(0x80 | r>>6&0x3f), byte(0x80 | r&0x3f)})
}

// javaRune returns how many bytes make up the first character of b, or what Java
// replaces as one: the longest begin of a character, and surrogates whole.
func javaRune(b []byte) (n int, ok bool) {
	if _, n := utf8.DecodeRune(b); n > 1 || b[0] < utf8.RuneSelf {
		return n, true
	}
	size := 0
	switch c := b[0]; {
	case c >= 0xc2 && c < 0xe0:
		size = 2
	case c >= 0xe0 && c < 0xf0:
		size = 3
	case c >= 0xf0 && c < 0xf5:
		size = 4
	}
	for n = 1; n < size && n < len(b) && continues(b, n); n++ {
	}
	return n, false
}

// continues reports whether byte n of b goes on with the character that begins b.
func continues(b []byte, n int) bool {
	switch c := b[n]; {
	case c&0xc0 != 0x80:
		return false
	case n > 1:
		return true
	case b[0] == 0xe0:
		return c >= 0xa0
	case b[0] == 0xf0:
		return c >= 0x90
	case b[0] == 0xf4:
		return c < 0x90
	}
	return true
}
