package records

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// piece appends a part of a record to a line.
type piece func(b []byte, r *kgo.Record) []byte

// pieces are the verbs of a template, as in kcat; %v and %V besides.
var pieces = map[byte]piece{
	's': func(b []byte, r *kgo.Record) []byte { return append(b, r.Value...) },
	'v': func(b []byte, r *kgo.Record) []byte { return append(b, r.Value...) },
	'S': func(b []byte, r *kgo.Record) []byte { return appendLength(b, r.Value) },
	'V': func(b []byte, r *kgo.Record) []byte { return appendLength(b, r.Value) },
	'k': func(b []byte, r *kgo.Record) []byte { return append(b, r.Key...) },
	'K': func(b []byte, r *kgo.Record) []byte { return appendLength(b, r.Key) },
	'T': func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, r.Timestamp.UnixMilli(), 10) },
	't': func(b []byte, r *kgo.Record) []byte { return append(b, r.Topic...) },
	'p': func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, int64(r.Partition), 10) },
	'o': func(b []byte, r *kgo.Record) []byte { return strconv.AppendInt(b, r.Offset, 10) },
	'h': appendHeaders,
	'%': func(b []byte, _ *kgo.Record) []byte { return append(b, '%') },
}

// appendLength writes how long b2 is, -1 for null.
func appendLength(b, of []byte) []byte {
	n := len(of)
	if of == nil {
		n = -1
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// appendHeaders writes name=value, separated by commas; a null value as NULL.
func appendHeaders(b []byte, r *kgo.Record) []byte {
	for i, h := range r.Headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, h.Key...), '=')
		if h.Value == nil {
			b = append(b, "NULL"...)
		}
		b = append(b, h.Value...)
	}
	return b
}

// parseTemplate compiles a format such as `%t-%p %o %k %s\n`.
func parseTemplate(s string) (piece, error) {
	text, err := unescape(s)
	if err != nil {
		return nil, err
	}
	var all []piece
	for text != "" {
		literal, rest, found := strings.Cut(text, "%")
		if literal != "" {
			all = append(all, func(b []byte, _ *kgo.Record) []byte { return append(b, literal...) })
		}
		if !found {
			break
		}
		if rest == "" {
			return nil, fmt.Errorf("--format %q: a %% stands at the end; %%%% is a percent sign", s)
		}
		p := pieces[rest[0]]
		if p == nil {
			return nil, fmt.Errorf("--format %q: %%%c is none of %%s and %%v (value), %%S and %%V (its length), %%k, %%K, %%T (milliseconds), %%h, %%t, %%p, %%o, %%%%", s, rest[0])
		}
		all, text = append(all, p), rest[1:]
	}
	return func(b []byte, r *kgo.Record) []byte {
		for _, p := range all {
			b = p(b, r)
		}
		return b
	}, nil
}

// unescape replaces \n, \r, \t, \0, \\ and \xNN.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest == "" {
			return "", fmt.Errorf("%q: a backslash stands at the end; \\\\ is a backslash", s)
		}
		c := rest[0]
		s = rest[1:]
		if i := strings.IndexByte(`nrt0\`, c); i >= 0 {
			b.WriteByte("\n\r\t\x00\\"[i])
			continue
		}
		if c != 'x' || len(s) < 2 {
			return "", fmt.Errorf("\\%s: none of \\n, \\r, \\t, \\0, \\\\ and \\xNN", rest)
		}
		n, err := strconv.ParseUint(s[:2], 16, 8)
		if err != nil {
			return "", fmt.Errorf("\\%s: want two hexadecimal digits behind \\x", rest)
		}
		b.WriteByte(byte(n))
		s = s[2:]
	}
}
