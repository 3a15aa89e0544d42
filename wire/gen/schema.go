package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// message is one schema file.
type message struct {
	APIKey    *int     `json:"apiKey"`
	Type      string   `json:"type"` // request, response, data or header
	Name      string   `json:"name"`
	Listeners []string `json:"listeners"`
	Valid     span     `json:"validVersions"`
	Flexible  span     `json:"flexibleVersions"`
	Unstable  bool     `json:"latestVersionUnstable"`
	Fields    []*field `json:"fields"`
	Common    []*strct `json:"commonStructs"`

	structs []*strct // every nested struct, in order of first use
}

// strct is a struct inside a message. One that is declared in place takes its
// fields from the field that declares it.
type strct struct {
	Name   string   `json:"name"`
	Fields []*field `json:"fields"`

	goName string
	usedBy string // the first field that holds it, for its comment
	valid  span   // the versions in which some field can hold it
}

// field is one field of a message or struct.
type field struct {
	Name      string           `json:"name"`
	Type      string           `json:"type"`
	Versions  *span            `json:"versions"`
	Nullable  *span            `json:"nullableVersions"`
	Tagged    *span            `json:"taggedVersions"`
	Flexible  *span            `json:"flexibleVersions"`
	Tag       *tagNumber       `json:"tag"`
	Ignorable bool             `json:"ignorable"`
	Default   *json.RawMessage `json:"default"`
	Fields    []*field         `json:"fields"`

	goName string
	kind   kind
	array  bool
	strct  *strct // when kind is kStruct
	def    string // the default as text without quotes; "" when not given
}

// tagNumber is a field's tag, which some schemas write in quotes.
type tagNumber int

// UnmarshalJSON reads a number with or without quotes.
func (t *tagNumber) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	*t = tagNumber(n)
	return err
}

// kind is the type of a field, or of the elements when it is an array.
type kind string

const (
	kBool    kind = "bool"
	kInt8    kind = "int8"
	kInt16   kind = "int16"
	kUint16  kind = "uint16"
	kInt32   kind = "int32"
	kInt64   kind = "int64"
	kFloat64 kind = "float64"
	kUUID    kind = "uuid"
	kString  kind = "string"
	kBytes   kind = "bytes"
	kRecords kind = "records"
	kStruct  kind = "struct"
)

// fixed holds the encoded sizes of the kinds that have one.
var fixed = map[kind]int{kBool: 1, kInt8: 1, kInt16: 2, kUint16: 2, kInt32: 4, kInt64: 8, kFloat64: 8, kUUID: 16}

func (f *field) versions() span { return orNone(f.Versions) }
func (f *field) nullable() span { return orNone(f.Nullable).and(f.versions()) }
func (f *field) tagged() bool   { return f.Tag != nil }

func orNone(s *span) span {
	if s == nil {
		return noVersions
	}
	return *s
}

// parseMessage reads one schema, resolves its structs and gives Go names.
func parseMessage(text []byte) (*message, error) {
	dec := json.NewDecoder(bytes.NewReader(stripComments(text)))
	m := &message{}
	if err := dec.Decode(m); err != nil {
		return nil, err
	}
	if m.Type == "header" {
		return m, nil // four fields with rules of their own, written by hand
	}
	if m.Valid.empty() {
		return nil, errors.New("no valid versions")
	}
	if err := m.resolve(m.Fields, goName(m.Name)); err != nil {
		return nil, err
	}
	m.narrow(m.Fields, m.Valid)
	return m, nil
}

// narrow works out in which versions each struct can appear.
func (m *message) narrow(fields []*field, valid span) {
	for _, f := range fields {
		if in := f.versions().and(valid); f.kind == kStruct && !in.empty() {
			f.strct.valid = f.strct.valid.hull(in)
			m.narrow(f.strct.Fields, in)
		}
	}
}

// stripComments blanks // comments outside of strings, so that positions in
// error messages stay right.
func stripComments(text []byte) []byte {
	out := slices.Clone(text)
	quoted := false
	for i := 0; i < len(out); i++ {
		switch {
		case quoted && out[i] == '\\':
			i++
		case out[i] == '"':
			quoted = !quoted
		case !quoted && out[i] == '/' && i+1 < len(out) && out[i+1] == '/':
			for ; i < len(out) && out[i] != '\n'; i++ {
				out[i] = ' '
			}
		}
	}
	return out
}

// resolve fills the derived fields below owner, depth first.
func (m *message) resolve(fields []*field, owner string) error {
	for _, f := range fields {
		f.goName = fieldName(owner, f.Name)
		if f.Versions == nil {
			f.Versions = &m.Valid
		}
		if err := f.setType(m, owner); err != nil {
			return fmt.Errorf("field %s.%s: %w", owner, f.Name, err)
		}
		if err := f.check(m); err != nil {
			return fmt.Errorf("field %s.%s: %w", owner, f.Name, err)
		}
	}
	return nil
}

func (f *field) setType(m *message, owner string) error {
	t := f.Type
	t, f.array = strings.CutPrefix(t, "[]")
	if f.Default != nil {
		// A JSON null is not the string "null": the schema language takes it
		// for "no default given".
		var v any
		if err := json.Unmarshal(*f.Default, &v); err != nil {
			return err
		}
		if v != nil {
			f.def = strings.Trim(string(*f.Default), `"`)
		}
	}
	switch k := kind(t); {
	case fixed[k] > 0, k == kString, k == kBytes, k == kRecords:
		f.kind = k
		return nil
	}
	f.kind = kStruct
	return f.setStruct(m, t, owner)
}

// setStruct finds or declares the struct t, and resolves it on first sight.
func (f *field) setStruct(m *message, t, owner string) error {
	name := structName(m.Name, t)
	usedBy := owner + "." + f.goName
	for _, s := range m.structs {
		if s.goName == name {
			if f.Fields != nil {
				return fmt.Errorf("struct %s is declared twice", t)
			}
			f.strct = s
			return nil
		}
	}
	s := &strct{Name: t, Fields: f.Fields}
	if f.Fields == nil {
		i := slices.IndexFunc(m.Common, func(c *strct) bool { return c.Name == t })
		if i < 0 {
			return fmt.Errorf("unknown type %q", f.Type)
		}
		s = m.Common[i]
	}
	s.goName, s.usedBy, s.valid = name, usedBy, noVersions
	f.strct = s
	m.structs = append(m.structs, s)
	return m.resolve(s.Fields, name)
}

// check refuses what the emitter does not know how to write. None of it
// appears in the schemas of kafkaVersion.
func (f *field) check(m *message) error {
	switch {
	case f.Flexible != nil:
		return errors.New("flexible versions of its own")
	case f.tagged() && !orNone(f.Tagged).covers(f.versions().and(m.Valid)):
		return errors.New("tagged in some of its versions only")
	case f.tagged() && !m.Flexible.covers(f.versions().and(m.Valid)):
		return errors.New("tagged in a version that is not flexible")
	case f.kind == kRecords && (f.tagged() || f.array):
		return errors.New("records must stand alone and untagged")
	case f.array && f.kind == kBytes:
		return errors.New("array of bytes")
	}
	return nil
}
