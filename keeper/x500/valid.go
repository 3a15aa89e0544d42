package x500

import (
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// keywords are the names of types that Java understands, in upper case.
var keywords = []string{
	"CN", "C", "L", "S", "ST", "O", "OU", "T", "IP", "STREET", "DC", "DNQUALIFIER", "DNQ", "SURNAME", "GIVENNAME",
	"INITIALS", "GENERATION", "EMAIL", "EMAILADDRESS", "UID", "SERIALNUMBER",
}

// Valid reports whether s can be read as a name (RFC 1779 and 2253, and the
// keywords that Java knows), as ACLs of scheme x509 must be.
func Valid(s string) bool {
	if s == "" {
		return true // the name without parts
	}
	for {
		kind, rest, ok := strings.Cut(s, "=")
		if !ok || !validType(strings.TrimSpace(kind)) {
			return false
		}
		end, ok := valueEnd(rest)
		if !ok {
			return false
		}
		if end == len(rest) {
			return true
		}
		s = rest[end+1:] // behind the separator something must follow
	}
}

func validType(t string) bool {
	upper := strings.ToUpper(t)
	if slices.Contains(keywords, upper) {
		return true
	}
	// A number: two parts at least, the first of which is 0 to 2.
	parts := strings.Split(strings.TrimPrefix(upper, "OID."), ".")
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil || i == 0 && n > 2 || i == 1 && parts[0] != "2" && n > 39 {
			return false
		}
	}
	return len(parts) >= 2
}

// valueEnd returns where the value ends that s begins with: at a separator or
// at the end.
func valueEnd(s string) (int, bool) {
	start := len(s) - len(strings.TrimLeft(s, " \n"))
	if start < len(s) {
		switch s[start] {
		case '"':
			return quotedEnd(s, start+1)
		case '#':
			return hexEnd(s, start+1)
		}
	}
	for i := start; i < len(s); i++ {
		switch s[i] {
		case ',', ';', '+':
			return i, true
		case '"', '<', '>':
			return 0, false
		case '\\':
			n, ok := escapeLen(s[i+1:])
			if !ok {
				return 0, false
			}
			i += n
		}
	}
	return len(s), true
}

// quotedEnd is valueEnd behind an opening quote.
func quotedEnd(s string, i int) (int, bool) {
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			n, ok := escapeLen(s[i+1:])
			if !ok {
				return 0, false
			}
			i += n
		case '"':
			return separator(s, i+1)
		}
	}
	return 0, false
}

// hexEnd is valueEnd behind a #: the bytes of a value.
func hexEnd(s string, i int) (int, bool) {
	n := i
	for n < len(s) && !strings.ContainsRune(" \n,;+", rune(s[n])) {
		n++
	}
	b, err := hex.DecodeString(s[i:n])
	if err != nil {
		return 0, false
	}
	var value asn1.RawValue
	if rest, err := asn1.Unmarshal(b, &value); err != nil || len(rest) > 0 {
		return 0, false
	}
	return separator(s, n)
}

// separator returns where the next separator is, before which there is nothing
// but space.
func separator(s string, i int) (int, bool) {
	i += len(s[i:]) - len(strings.TrimLeft(s[i:], " \n"))
	if i == len(s) || strings.ContainsRune(",;+", rune(s[i])) {
		return i, true
	}
	return 0, false
}

// escapeLen returns how many bytes a backslash takes with it.
func escapeLen(s string) (int, bool) {
	switch {
	case len(s) >= 2 && isHex(s[0]) && isHex(s[1]):
		return 2, true
	case s != "" && strings.IndexByte(",=\n+<>#;\\\" ", s[0]) >= 0:
		return 1, true
	}
	return 0, false
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
