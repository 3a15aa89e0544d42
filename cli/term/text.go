package term

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what Text shows, in bytes: a name or an id is rarely longer, and
// the line of a table holds a few.
const maxText = 80

// Text is outside text for a place on a line: as it is when a terminal can show it,
// else quoted, and cut with a … behind when it is long.
func Text(s string) string {
	cut := s
	if len(s) > maxText {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		cut = s[:end]
	}
	out := Printable(cut)
	if len(cut) < len(s) {
		out += "…"
	}
	return out
}

// Printable is s as it is when a terminal can show it on a line, else quoted.
func Printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return fmt.Sprintf("%q", s)
}
