package znode

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// field is one member of an object.
type field struct {
	key string
	raw []byte
}

// object is a JSON object that is read key by key. Unknown keys do not matter,
// the case of keys does, null counts as missing, and of a key that comes twice
// the last holds: as Kafka reads. The first fault sticks.
type object struct {
	path string
	// within is the key that led here, for messages; empty at the top.
	within string
	// fields are sorted by key, each key once.
	fields []field
	// err is shared between an object and those inside it.
	err *error
}

// readObject parses data as one JSON object.
func readObject(path string, data []byte) *object {
	o := &object{path: path, err: new(error)}
	switch {
	case data == nil:
		o.fail("is null, want a JSON object")
	case len(data) == 0:
		o.fail("is empty, want a JSON object")
	case !json.Valid(data):
		o.fail("want a JSON object, have %s", excerpt(data))
	default:
		o.parse(bytes.TrimSpace(data))
	}
	return o
}

// parse takes apart raw, which is valid JSON of any kind.
func (o *object) parse(raw []byte) {
	if raw[0] != '{' {
		o.fail("%swant a JSON object, have %s", o.prefix(), excerpt(raw))
		return
	}
	o.fields = make([]field, 0, 8) // most nodes have fewer keys
	for key, value := range members(raw) {
		if name, ok := unquote(key); ok {
			o.fields = append(o.fields, field{name, value})
		}
	}
	// Backwards and stably, so that the last of equal keys is kept.
	slices.Reverse(o.fields)
	slices.SortStableFunc(o.fields, func(a, b field) int { return strings.Compare(a.key, b.key) })
	o.fields = slices.CompactFunc(o.fields, func(a, b field) bool { return a.key == b.key })
}

// raw returns the value of a key, nil when there is none.
func (o *object) raw(key string) []byte {
	i, ok := slices.BinarySearchFunc(o.fields, key, func(f field, key string) int { return strings.Compare(f.key, key) })
	if !ok {
		return nil
	}
	return o.fields[i].raw
}

// excerpt shortens outside bytes for messages.
func excerpt(data []byte) string {
	const most = 80
	if len(data) > most {
		return strconv.Quote(string(data[:most])) + "..."
	}
	return strconv.Quote(string(data))
}

func (o *object) prefix() string {
	if o.within == "" {
		return ""
	}
	return "in " + strconv.Quote(o.within) + ": "
}

func (o *object) fail(format string, args ...any) {
	if *o.err == nil {
		*o.err = fault(o.path, format, args...)
	}
}

// failKey reports what a key should have held.
func (o *object) failKey(key, want string) {
	o.fail("%skey %q: want %s, have %s", o.prefix(), key, want, excerpt(o.raw(key)))
}

// Err returns the first fault.
func (o *object) Err() error { return *o.err }

// has reports whether key is there and not null.
func (o *object) has(key string) bool {
	raw := o.raw(key)
	return raw != nil && string(raw) != "null"
}

// need reports whether key is there, and complains if not.
func (o *object) need(key string) bool {
	if o.has(key) {
		return true
	}
	o.fail("%skey %q is missing", o.prefix(), key)
	return false
}

// integer reads a number without fraction or exponent that fits into bits.
func (o *object) integer(key string, bits int) int64 {
	if !o.need(key) {
		return 0
	}
	n, err := strconv.ParseInt(string(o.raw(key)), 10, bits)
	if err != nil {
		o.failKey(key, "an integer of "+strconv.Itoa(bits)+" bits")
	}
	return n
}

func (o *object) int32(key string) int32 { return int32(o.integer(key, 32)) }

func (o *object) int64(key string) int64 { return o.integer(key, 64) }

// int32Or is int32 with a value for a missing key.
func (o *object) int32Or(key string, missing int32) int32 {
	if !o.has(key) {
		return missing
	}
	return o.int32(key)
}

// text reads a string.
func (o *object) text(key string) string {
	if !o.need(key) {
		return ""
	}
	s, ok := unquote(o.raw(key))
	if !ok {
		o.failKey(key, "a string")
	}
	return s
}

// number64 reads an integer written as a string.
func (o *object) number64(key string) int64 {
	s := o.text(key)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && *o.err == nil {
		o.failKey(key, "a string with an integer of 64 bits")
	}
	return n
}

// timestamp reads milliseconds since 1970, which Kafka writes as a string and
// never reads: anything else is 0.
func (o *object) timestamp(key string) int64 {
	n, _ := strconv.ParseInt(string(bytes.Trim(o.raw(key), `"`)), 10, 64)
	return n
}

// int32s reads an array of integers; a missing one is nil.
func (o *object) int32s(key string) []int32 {
	if !o.has(key) {
		return nil
	}
	out := make([]int32, 0, 4)
	for raw := range o.array(key, "an array of integers") {
		n, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil {
			o.failKey(key, "an array of integers")
			return nil
		}
		out = append(out, int32(n))
	}
	return out
}

// array walks over the elements of an array, and complains if it is none.
func (o *object) array(key, want string) iter.Seq[[]byte] {
	raw := o.raw(key)
	if len(raw) == 0 || raw[0] != '[' {
		o.failKey(key, want)
		return func(func([]byte) bool) {}
	}
	return elements(raw)
}

// texts reads an array of strings.
func (o *object) texts(key string) []string {
	if !o.need(key) {
		return nil
	}
	var out []string
	for raw := range o.array(key, "an array of strings") {
		s, ok := unquote(raw)
		if !ok {
			o.failKey(key, "an array of strings")
			return nil
		}
		out = append(out, s)
	}
	return out
}

// child reads an object; a missing one has no keys.
func (o *object) child(key string) *object {
	c := &object{path: o.path, within: key, err: o.err}
	if o.has(key) {
		c.parse(o.raw(key))
	}
	return c
}

// children reads an array of objects.
func (o *object) children(key string) []*object {
	if !o.need(key) {
		return nil
	}
	var out []*object
	for raw := range o.array(key, "an array of objects") {
		c := &object{path: o.path, within: key, err: o.err}
		c.parse(raw)
		out = append(out, c)
	}
	return out
}

// keys walks over all keys in order, so that the same content always gives the
// same first fault.
func (o *object) keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range o.fields {
			if !yield(f.key) {
				return
			}
		}
	}
}
