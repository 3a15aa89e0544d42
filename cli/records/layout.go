package records

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The formats by name; all else is a template.
const (
	valueFormat = "value"
	jsonFormat  = "json"
)

// layout turns a record into what is written for it.
type layout func(b []byte, r *kgo.Record) ([]byte, error)

// shown are what --print may name, in the order of kafka-console-consumer.sh.
var shown = []string{"timestamp", "partition", "offset", "headers", "key"}

// newLayout returns the layout of a format. print are parts to put before the
// value and sep goes between them, for valueFormat only.
func newLayout(format string, print []string, sep string) (layout, error) {
	for _, p := range print {
		if !slices.Contains(shown, p) {
			return nil, fmt.Errorf("--print %q: none of %s", p, strings.Join(shown, ", "))
		}
	}
	if len(print) > 0 && format != valueFormat {
		return nil, fmt.Errorf("--print goes with --format %s only: %q says itself what to print", valueFormat, format)
	}
	switch {
	case format == jsonFormat:
		return func(b []byte, r *kgo.Record) ([]byte, error) {
			line, err := toJSON(r)
			return append(b, line...), err
		}, nil
	case format == valueFormat:
		sep, err := unescape(sep)
		if err != nil {
			return nil, fmt.Errorf("--key-separator: %w", err)
		}
		return valueLayout(print, sep), nil
	case !strings.ContainsAny(format, `%\`):
		return nil, fmt.Errorf("--format %q: none of %s, %s and a template such as '%%t-%%p %%o %%k %%s\\n'", format, valueFormat, jsonFormat)
	}
	p, err := parseTemplate(format)
	if err != nil {
		return nil, err
	}
	return func(b []byte, r *kgo.Record) ([]byte, error) { return p(b, r), nil }, nil
}

func valueLayout(print []string, sep string) layout {
	return func(b []byte, r *kgo.Record) ([]byte, error) {
		for _, part := range shown {
			if slices.Contains(print, part) {
				b = append(appendPart(b, part, r), sep...)
			}
		}
		return append(append(b, r.Value...), '\n'), nil
	}
}

// appendPart writes what kafka-console-consumer.sh writes.
func appendPart(b []byte, part string, r *kgo.Record) []byte {
	switch part {
	case "timestamp":
		typ, ok := timestampTypes[r.Attrs.TimestampType()]
		if !ok {
			return append(b, "NO_TIMESTAMP"...)
		}
		return fmt.Appendf(b, "%s:%d", typ, r.Timestamp.UnixMilli())
	case "partition":
		return fmt.Appendf(b, "Partition:%d", r.Partition)
	case "offset":
		return fmt.Appendf(b, "Offset:%d", r.Offset)
	case "headers":
		if len(r.Headers) == 0 {
			return append(b, "NO_HEADERS"...)
		}
		for i, h := range r.Headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, h.Key...), ':'), orNull(h.Value)...)
		}
		return b
	}
	return append(b, orNull(r.Key)...)
}

func orNull(b []byte) []byte {
	if b == nil {
		return []byte("null")
	}
	return b
}
