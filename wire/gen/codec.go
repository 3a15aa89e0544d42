package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// codec writes the decode and encode methods of one struct.
type codec struct {
	out
	m     *message
	name  string
	valid span   // the versions the struct can appear in
	flex  string // Go expression of "this version is flexible"
}

// emitCodec writes both methods of the struct.
func emitCodec(o *out, name string, fields []*field, valid span, m *message) error {
	for _, f := range fields {
		if n := f.nullable(); f.kind == kStruct && !f.array && !n.empty() && n.and(valid) != f.versions().and(valid) {
			return errors.New("struct " + f.goName + " is nullable in some of its versions only")
		}
	}
	flex := m.Flexible.cond(valid)
	set := ""
	if strings.Contains(flex, "version") {
		set, flex = "flex := "+flex+"\n", "flex"
	}
	for _, emit := range []func(*codec, []*field){(*codec).decode, (*codec).encode} {
		c := &codec{m: m, name: name, valid: valid, flex: flex}
		emit(c, fields)
		body := c.String()
		head, rest, _ := strings.Cut(body, "\n")
		if usesFlex.MatchString(rest) {
			rest = set + rest
		}
		if !strings.Contains(rest, "version") {
			head = strings.Replace(head, "version int16", "_ int16", 1)
		}
		o.p("%s\n%s", head, rest)
	}
	return nil
}

var usesFlex = regexp.MustCompile(`\bflex\b`)

// when writes body under the condition that the field's versions put on it,
// and otherwise (when not empty) for the versions without the field.
func (c *codec) when(f *field, body func(), otherwise string) {
	cond := f.versions().cond(c.valid)
	switch {
	case cond == "true":
		body()
	case cond == "false":
		c.p("%s", otherwise)
	case otherwise == "":
		c.p("if %s {", cond)
		body()
		c.p("}")
	default:
		c.p("if %s {", cond)
		body()
		c.p("} else %s", otherwise)
	}
}

func (c *codec) decode(fields []*field) {
	c.p("func (m *%s) decode(r *reader, version int16) {", c.name)
	for _, f := range fields {
		otherwise := ""
		if expr, set := f.zero(); set {
			otherwise = fmt.Sprintf("{\nm.%s = %s\n}", f.goName, expr)
			if f.tagged() {
				c.p("m.%s = %s", f.goName, expr)
			} else if f.versions().cond(c.valid) == "false" {
				otherwise = fmt.Sprintf("m.%s = %s", f.goName, expr)
			}
		}
		if !f.tagged() {
			c.when(f, func() { c.decodeValue(f) }, otherwise)
		}
	}
	if c.flex != "false" {
		if c.flex == "flex" {
			c.p("if flex {")
		}
		c.decodeTags(tagsOf(fields))
		if c.flex == "flex" {
			c.p("}")
		}
	}
	c.p("}\n")
}

// tagsOf returns the tagged fields in the order they are written in.
func tagsOf(fields []*field) []*field {
	var tags []*field
	for _, f := range fields {
		if f.tagged() {
			tags = append(tags, f)
		}
	}
	slices.SortFunc(tags, func(a, b *field) int { return int(*a.Tag - *b.Tag) })
	return tags
}

func (c *codec) decodeTags(tags []*field) {
	if len(tags) == 0 {
		c.p("r.skipTags()")
		return
	}
	c.p("for n := r.uvarint(); n > 0 && r.err == nil; n-- {\ntag, outer := r.enterTag()\nswitch {")
	for _, f := range tags {
		cond := ""
		if v := f.versions().cond(c.m.Flexible.and(c.valid)); v != "true" {
			cond = " && " + v
		}
		c.p("case tag == %d%s:", *f.Tag, cond)
		if f.kind == kStruct && !f.array {
			c.p("m.%s = %s", f.goName, cmpOr(f.pointer(), "nil", f.elem()+"{}"))
		}
		c.decodeValue(f)
	}
	c.p("default:\nr.skipRest()\n}\nr.leaveTag(outer)\n}")
}

func cmpOr(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

func (c *codec) decodeValue(f *field) {
	v, null := "m."+f.goName, f.nullable().cond(f.versions().and(c.valid))
	switch {
	case f.array && f.kind == kStruct:
		c.decodeArray(f, null)
	case f.array:
		c.p("%s = r.%ss(%s, %s)", v, strings.ToLower(scalars[f.kind]), c.flex, null)
	case f.kind == kStruct && f.pointer():
		present := cmpOr(f.tagged(), "r.uvarint() != 0", "r.int8() >= 0")
		c.p("if %s {\n%s = &%s{}\n%s.decode(r, version)\n}", present, v, f.elem(), v)
	case f.kind == kStruct:
		c.p("%s.decode(r, version)", v)
	case f.kind == kBytes, f.kind == kRecords:
		c.p("%s = r.%s(%s, %s)", v, f.kind, c.flex, null)
	case f.pointer():
		c.p("%s = r.nullString(%s, %s)", v, c.flex, null)
	case f.kind == kString:
		c.p("%s = r.string(%s)", v, c.flex)
	case f.isCode():
		c.p("%s = Code(r.int16())", v)
	default:
		c.p("%s = r.%s()", v, strings.ToLower(scalars[f.kind]))
	}
}

// decodeArray writes the loop over an array of structs. Elements are made at
// once, after the reader has set aside the least number of bytes they take.
func (c *codec) decodeArray(f *field, null string) {
	size := c.m.minName(f)
	c.p("if n := r.array(%s, %s, %s); n >= 0 {", c.flex, null, size)
	c.p(`m.%s = make([]%s, n)
		for i := range m.%s {
			r.element(%s)
			m.%s[i].decode(r, version)
			if r.err != nil {
				return
			}
		}
	}`, f.goName, f.elem(), f.goName, size, f.goName)
}

func (c *codec) encode(fields []*field) {
	c.p("func (m *%s) encode(w *Writer, version int16) {", c.name)
	for _, f := range fields {
		otherwise := ""
		if !f.Ignorable {
			otherwise = fmt.Sprintf("if %s {\nw.absent(%q)\n}", f.differs(), c.name+"."+f.goName)
		}
		if f.tagged() {
			if cond := f.versions().cond(c.valid); otherwise != "" && cond != "true" {
				c.p("if %s {\n%s\n}", not(cond), otherwise)
			}
			continue
		}
		c.when(f, func() { c.encodeValue(f) }, otherwise)
	}
	if c.flex != "false" {
		if c.flex == "flex" {
			c.p("if flex {")
		}
		c.encodeTags(tagsOf(fields))
		if c.flex == "flex" {
			c.p("}")
		}
	}
	c.p("}\n")
}

// tagSet is the Go condition for writing a tagged field. A null where the
// default is something else must be told apart from the default.
func (c *codec) tagSet(f *field) string {
	set := f.differs()
	if f.pointer() && !f.nullDefault() {
		set = fmt.Sprintf("(m.%s == nil || %s)", f.goName, set)
	}
	if v := f.versions().cond(c.m.Flexible.and(c.valid)); v != "true" {
		return v + " && " + set
	}
	return set
}

func (c *codec) encodeTags(tags []*field) {
	if len(tags) == 0 {
		c.p("w.uvarint(0)")
		return
	}
	c.p("tags := uint32(0)")
	for _, f := range tags {
		c.p("if %s {\ntags++\n}", c.tagSet(f))
	}
	c.p("w.uvarint(tags)")
	for _, f := range tags {
		c.p("if %s {\ntag := w.beginTag(%d)", c.tagSet(f), *f.Tag)
		c.encodeValue(f)
		c.p("w.endTag(tag)\n}")
	}
}

func (c *codec) encodeValue(f *field) {
	v, null := "m."+f.goName, f.nullable().cond(f.versions().and(c.valid))
	if c.nilIsNull(f) && null != "true" {
		where := v + " == nil"
		if null != "false" {
			where += " && !(" + null + ")"
		}
		c.p("if %s {\nw.null(%q)\n}", where, c.name+"."+f.goName)
	}
	switch {
	case f.array && f.kind == kStruct:
		c.p("w.array(len(%s), %s, %s)", v, c.isNull(f), c.flex)
		c.p("for i := range %s {\n%s[i].encode(w, version)\n}", v, v)
	case f.array:
		c.p("w.%ss(%s, %s, %s)", strings.ToLower(scalars[f.kind]), v, c.isNull(f), c.flex)
	case f.kind == kStruct && f.pointer():
		no, yes := cmpOr(f.tagged(), "w.uvarint(0)", "w.int8(-1)"), cmpOr(f.tagged(), "w.uvarint(1)", "w.int8(1)")
		c.p("if %s == nil {\n%s\n} else {\n%s\n%s.encode(w, version)\n}", v, no, yes, v)
	case f.kind == kStruct:
		c.p("%s.encode(w, version)", v)
	case f.kind == kBytes:
		c.p("w.bytes(%s, %s, %s)", v, c.isNull(f), c.flex)
	case f.kind == kRecords:
		c.p("w.records(&%s, %s, %s)", v, null, c.flex)
	case f.pointer():
		c.p("w.nullString(%s, %s)", v, c.flex)
	case f.kind == kString:
		c.p("w.string(%s, %s)", v, c.flex)
	case f.isCode():
		c.p("w.int16(int16(%s))", v)
	default:
		c.p("w.%s(%s)", strings.ToLower(scalars[f.kind]), v)
	}
}

// nilIsNull tells whether nil means null for this field, and not "empty".
func (c *codec) nilIsNull(f *field) bool {
	return f.kind != kRecords && (f.kind != kStruct || f.array) &&
		(f.array || f.kind == kBytes || f.kind == kString) && !f.nullable().empty()
}

// isNull is the Go expression for "write this slice as null".
func (c *codec) isNull(f *field) string {
	if !c.nilIsNull(f) {
		return "false"
	}
	return "m." + f.goName + " == nil"
}
