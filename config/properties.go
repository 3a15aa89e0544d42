package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxFile bounds server.properties; the largest honest ones, with certificates
// inside, stay below a tenth of it.
const maxFile = 16 << 20

// ParseProperties reads a Java .properties file as java.util.Properties does:
// comments, continued lines, "=", ":" or blanks between key and value, escapes,
// ISO 8859-1. A key given twice keeps its last value.
func ParseProperties(data []byte) (map[string]string, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("properties of %d bytes: the limit is %d", len(data), maxFile)
	}
	out := map[string]string{}
	lines := lineReader{rest: data}
	for {
		line, ok := lines.next()
		if !ok {
			return out, nil
		}
		key, value := cutProperty(line)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("property %q: %w", key, err)
		}
		v, err := unescape(value)
		if err != nil {
			return nil, fmt.Errorf("value of property %q: %w", k, err)
		}
		out[k] = v
	}
}

// lineReader joins natural lines to logical ones. Its buffer is used again.
type lineReader struct {
	rest []byte
	line []byte
}

func blank(c byte) bool   { return c == ' ' || c == '\t' || c == '\f' }
func lineEnd(c byte) bool { return c == '\n' || c == '\r' }

// next returns the next logical line: comments and blank lines left out,
// continuations joined, escapes untouched.
func (r *lineReader) next() ([]byte, bool) {
	r.line = r.line[:0]
	continued := false // the line before ended in a backslash
	for len(r.rest) > 0 {
		r.trim(continued)
		if len(r.rest) == 0 {
			break
		}
		comment := len(r.line) == 0 && (r.rest[0] == '#' || r.rest[0] == '!')
		part, last := r.natural()
		if continued = odd(part) && !comment; continued {
			r.line = append(r.line, part[:len(part)-1]...)
			if last { // Java counts a lone backslash there as an empty line
				return r.line, true
			}
			continue
		}
		if comment {
			continue
		}
		if r.line = append(r.line, part...); len(r.line) > 0 {
			return r.line, true
		}
	}
	return r.line, len(r.line) > 0
}

// trim drops leading blanks, and blank lines unless a continuation is due.
func (r *lineReader) trim(continued bool) {
	for len(r.rest) > 0 && (blank(r.rest[0]) || !continued && lineEnd(r.rest[0])) {
		r.rest = r.rest[1:]
	}
}

// natural cuts off one natural line with its end; last means that the input
// ends there. "\r\n" counts as one end behind a backslash, elsewhere its second
// half is an empty line.
func (r *lineReader) natural() (line []byte, last bool) {
	n := 0
	for n < len(r.rest) && !lineEnd(r.rest[n]) {
		n++
	}
	line = r.rest[:n]
	if n+1 >= len(r.rest) {
		r.rest = nil
		return line, true
	}
	end := r.rest[n]
	r.rest = r.rest[n+1:]
	if end == '\r' && r.rest[0] == '\n' && odd(line) {
		r.rest = r.rest[1:]
	}
	return line, false
}

// odd reports whether line ends in an odd number of backslashes.
func odd(line []byte) bool {
	n := 0
	for n < len(line) && line[len(line)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// cutProperty splits a logical line at the first separator that is not
// escaped; blanks around one "=" or ":" belong to neither side.
func cutProperty(line []byte) (key, value []byte) {
	n, escaped := 0, false
	for n < len(line) {
		c := line[n]
		if !escaped && (blank(c) || c == '=' || c == ':') {
			break
		}
		escaped = c == '\\' && !escaped
		n++
	}
	key, value = line[:n], line[n:]
	for separated := false; len(value) > 0; value = value[1:] {
		if c := value[0]; blank(c) {
			continue
		} else if separated || c != '=' && c != ':' {
			break
		}
		separated = true
	}
	return key, value
}

var errUnicodeEscape = errors.New(`malformed \uxxxx encoding`)

// unescape resolves backslashes and decodes ISO 8859-1.
func unescape(b []byte) (string, error) {
	var out strings.Builder
	var units []uint16 // of \u escapes in a row: two may be one character
	flush := func() {
		out.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	for len(b) > 0 {
		if b[0] == '\\' && len(b) > 1 && b[1] == 'u' {
			if len(b) < 6 {
				return "", errUnicodeEscape
			}
			unit, err := strconv.ParseUint(string(b[2:6]), 16, 16)
			if err != nil {
				return "", errUnicodeEscape
			}
			units = append(units, uint16(unit))
			b = b[6:]
			continue
		}
		flush()
		c := b[0]
		b = b[1:]
		if c == '\\' && len(b) > 0 {
			c = b[0]
			b = b[1:]
			if i := strings.IndexByte("tnrf", c); i >= 0 {
				c = "\t\n\r\f"[i]
			}
		}
		out.WriteRune(rune(c))
	}
	flush()
	return out.String(), nil
}
