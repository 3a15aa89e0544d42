package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// directives are the parts of a digest-response by name, unquoted.
type directives map[string]string

// maxDirectives bounds them: the RFC names thirteen.
const maxDirectives = 32

var errSyntax = errors.New("digest response is not a list of name=value")

// parse reads a comma-separated list of name=value, where a value may be quoted.
// Every directive may come once: all that may be repeated belong to challenges.
func parse(s string) (directives, error) {
	d := directives{}
	for {
		if s = strings.TrimLeft(s, " \t\r\n,"); s == "" {
			return d, nil
		}
		name, rest, ok := strings.Cut(s, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || !isToken(name) {
			return nil, errSyntax
		}
		value, rest, ok := cutValue(strings.TrimLeft(rest, " \t\r\n"))
		if !ok {
			return nil, errSyntax
		}
		if _, twice := d[name]; twice || len(d) == maxDirectives {
			return nil, fmt.Errorf("digest response: %q comes more than once, or there are too many directives", name)
		}
		d[name] = value
		if s = strings.TrimLeft(rest, " \t\r\n"); s != "" && s[0] != ',' {
			return nil, errSyntax
		}
	}
}

// cutValue returns the value that s begins with, without quotes and escapes.
func cutValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		n := strings.IndexAny(s, ", \t\r\n")
		if n < 0 {
			n = len(s)
		}
		return s[:n], s[n:], isToken(s[:n])
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// isToken reports whether s is a token of RFC 2616: printable ASCII without
// separators.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// quote writes a value between quotes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
