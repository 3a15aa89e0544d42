package admin

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Object is a JSON object whose entries have an order.
type Object []Field

// Field is one entry. Value is an Object, a []Object, []string, []int64, string,
// bool, integer, float64 or nil.
type Field struct {
	Name  string
	Value any
}

// appendJSON writes a value as Jackson does when it indents: a line per entry of
// an object, lists in one line.
func appendJSON(dst []byte, v any, indent int) []byte {
	switch v := v.(type) {
	case Object:
		return appendObject(dst, v, indent)
	case []Object:
		return appendList(dst, v, indent)
	case []string:
		return appendList(dst, v, indent)
	case []int64:
		return appendList(dst, v, indent)
	case float64:
		return appendDouble(dst, v)
	case string:
		return appendString(dst, v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return append(dst, "null"...) // of a type that Value does not name
	}
	return append(dst, text...)
}

func appendObject(dst []byte, o Object, indent int) []byte {
	if len(o) == 0 {
		return append(dst, "{ }"...)
	}
	const step = "  "
	for i, f := range o {
		before := ",\n"
		if i == 0 {
			before = "{\n"
		}
		dst = append(dst, before...)
		dst = append(dst, strings.Repeat(step, indent+1)...)
		dst = append(appendString(dst, f.Name), " : "...)
		dst = appendJSON(dst, f.Value, indent+1)
	}
	dst = append(dst, '\n')
	return append(append(dst, strings.Repeat(step, indent)...), '}')
}

func appendList[E any](dst []byte, list []E, indent int) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(append(dst, ' '), v, indent)
	}
	return append(dst, " ]"...)
}

// appendDouble writes a number as Java does: never without a fraction.
func appendDouble(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, `"NaN"`...)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return append(dst, s...)
}

func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string has a form, and a buffer takes everything
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// Of makes an object of names and values, in turn.
func Of(pairs ...any) Object {
	o := make(Object, 0, len(pairs)/2)
	for pair := range slices.Chunk(pairs, 2) {
		name, _ := pair[0].(string)
		o = append(o, Field{name, pair[1]})
	}
	return o
}
