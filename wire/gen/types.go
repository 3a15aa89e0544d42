package main

import (
	"fmt"
	"strconv"
	"strings"
)

// scalars maps a kind to its Go type, and to the suffix of the reader's and
// writer's methods for it.
var scalars = map[kind]string{
	kBool: "bool", kInt8: "int8", kInt16: "int16", kUint16: "uint16", kInt32: "int32",
	kInt64: "int64", kFloat64: "float64", kUUID: "UUID", kString: "string",
}

// isCode tells whether the field carries one of Kafka's error codes.
func (f *field) isCode() bool {
	return f.kind == kInt16 && !f.array && strings.HasSuffix(f.goName, "ErrorCode")
}

// elem is the Go type of the field without its array.
func (f *field) elem() string {
	switch f.kind {
	case kBytes:
		return "[]byte"
	case kRecords:
		return "Records"
	case kStruct:
		return f.strct.goName
	}
	return scalars[f.kind]
}

// pointer tells whether null is a nil pointer, which it is where a nil slice
// cannot say it.
func (f *field) pointer() bool {
	return !f.array && (f.kind == kString || f.kind == kStruct) && !f.nullable().empty()
}

func (f *field) goType() string {
	switch {
	case f.array:
		return "[]" + f.elem()
	case f.isCode():
		return "Code"
	case f.pointer():
		return "*" + f.elem()
	}
	return f.elem()
}

// nullDefault tells whether the default is null.
func (f *field) nullDefault() bool {
	return f.def == "null" || (f.kind == kRecords)
}

// zero returns the Go expression of the default, and whether it differs from
// Go's zero value.
func (f *field) zero() (expr string, set bool) {
	switch {
	case f.nullDefault():
		return "", false
	case f.array, f.kind == kBytes:
		if f.nullable().empty() {
			return "", false // nil and empty mean the same
		}
		return f.goType() + "{}", true
	case f.kind == kStruct:
		if f.pointer() {
			return fmt.Sprintf("new(New%s())", f.strct.goName), true
		}
		return "New" + f.strct.goName + "()", f.strct.hasDefaults()
	case f.pointer():
		return fmt.Sprintf("new(%q)", f.def), true
	case f.kind == kString:
		return strconv.Quote(f.def), f.def != ""
	case f.kind == kBool:
		return "true", strings.EqualFold(f.def, "true")
	case f.kind == kUUID, f.def == "":
		return "", false
	}
	n, err := strconv.ParseInt(f.def, 0, 64)
	if err != nil {
		panic(fmt.Sprintf("default %q of %s: %v", f.def, f.goName, err))
	}
	return strconv.FormatInt(n, 10), n != 0
}

// hasDefaults tells whether any field's default differs from Go's zero.
func (s *strct) hasDefaults() bool {
	for _, f := range s.Fields {
		if _, set := f.zero(); set {
			return true
		}
	}
	return false
}

// differs is the Go condition for "the field is not at its default". A nil
// slice or pointer counts as the default wherever it can: a literal that does
// not name a field must be encodable in versions without it.
func (f *field) differs() string {
	v := "m." + f.goName
	switch {
	case f.array, f.kind == kBytes:
		if f.nullDefault() {
			return v + " != nil"
		}
		return "len(" + v + ") != 0"
	case f.kind == kRecords:
		return "!" + v + ".IsNull()"
	case f.kind == kStruct && f.pointer():
		if f.nullDefault() {
			return v + " != nil"
		}
		return v + " != nil && !" + v + ".isDefault()"
	case f.kind == kStruct:
		return "!" + v + ".isDefault()"
	case f.pointer():
		if f.nullDefault() {
			return v + " != nil"
		}
		return fmt.Sprintf("%s != nil && *%s != %q", v, v, f.def)
	case f.kind == kUUID:
		return v + " != (UUID{})"
	case f.kind == kString:
		return fmt.Sprintf("%s != %q", v, f.def)
	case f.kind == kBool:
		if _, set := f.zero(); set {
			return "!" + v
		}
		return v
	}
	if expr, set := f.zero(); set {
		return v + " != " + expr
	}
	return v + " != 0"
}

// minSize is the least number of bytes a struct takes in version v.
func (m *message) minSize(fields []*field, v int) int {
	flex := m.Flexible.has(v)
	n := 0
	if flex {
		n = 1
	}
	for _, f := range fields {
		if f.versions().has(v) && !f.tagged() {
			n += m.minField(f, v)
		}
	}
	return n
}

func (m *message) minField(f *field, v int) int {
	switch {
	case !f.array && fixed[f.kind] > 0:
		return fixed[f.kind]
	case !f.array && f.kind == kStruct:
		if f.nullable().has(v) {
			return 1
		}
		return m.minSize(f.strct.Fields, v)
	case m.Flexible.has(v):
		return 1
	case !f.array && f.kind == kString:
		return 2
	}
	return 4
}

// maxDensity is the most memory that one encoded byte of an array may cost to
// decode: the promise of wire's reader. The worst of kafkaVersion needs 22.
const maxDensity = 22

// checkDensity refuses an array whose elements break that promise.
func (m *message) checkDensity(f *field) error {
	size, _ := layout(f.strct.Fields)
	in := f.versions().and(f.strct.valid)
	for v := in.lo; v <= in.hi; v++ {
		n := size
		for _, g := range f.strct.Fields {
			if g.pointer() && g.kind == kString && g.versions().has(v) && !g.tagged() {
				n += 16 // an empty string that is not null
			}
		}
		if least := m.minSize(f.strct.Fields, v); n > maxDensity*least {
			return fmt.Errorf("elements of %s take %d bytes of memory for %d encoded in v%d", f.goName, n, least, v)
		}
	}
	return nil
}

// layout returns the size and alignment of a struct on 64-bit platforms.
func layout(fields []*field) (size, align int) {
	align = 1
	for _, f := range fields {
		s, a := fixed[f.kind], fixed[f.kind]
		switch {
		case f.array, f.kind == kBytes:
			s, a = 24, 8
		case f.pointer():
			s, a = 8, 8
		case f.kind == kRecords:
			s, a = 40, 8
		case f.kind == kString:
			s, a = 16, 8
		case f.kind == kUUID:
			a = 1
		case f.kind == kStruct:
			s, a = layout(f.strct.Fields)
		}
		size = (size+a-1)/a*a + s
		align = max(align, a)
	}
	return (size + align - 1) / align * align, align
}
