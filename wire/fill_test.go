package wire

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
)

// filler sets every field of a message, ours or the judge's, to something
// that the wire can carry, decided by a seed alone.
type filler struct{ rng *rand.Rand }

func newFiller(seed ...uint64) *filler {
	s := uint64(0x9e3779b97f4a7c15)
	for _, x := range seed {
		s = (s ^ x) * 0xbf58476d1ce4e5b9
	}
	return &filler{rand.New(rand.NewPCG(s, s>>7))}
}

// fill sets the message that m points to.
func (f *filler) fill(m any) { f.value(reflect.ValueOf(m).Elem()) }

func (f *filler) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			t := v.Type().Field(i)
			if t.IsExported() && t.Name != "UnknownTags" && t.Type != reflect.TypeFor[Hole]() {
				f.value(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.SetZero()
		if f.rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.value(v.Elem())
		}
	case reflect.Slice:
		f.slice(v)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(f.rng.Uint64() & 0xff)
		}
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.rng.IntN(2) == 0)
	case reflect.Uint16, reflect.Uint32, reflect.Uint8:
		v.SetUint(f.rng.Uint64() & (1<<v.Type().Bits() - 1))
	case reflect.Float64:
		v.SetFloat(f.rng.NormFloat64())
	default: // signed integers; defaults come up often
		shift := 64 - v.Type().Bits()
		v.SetInt([]int64{0, -1, int64(f.rng.Uint64()) >> shift, int64(f.rng.Uint64()) >> shift}[f.rng.IntN(4)])
	}
}

func (f *filler) slice(v reflect.Value) {
	n := f.rng.IntN(5) - 1
	if v.Type().Elem().Kind() == reflect.Uint8 {
		n *= f.rng.IntN(60)
	}
	if n < 0 {
		v.SetZero()
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		f.value(v.Index(i))
	}
}

// text is short, empty, or long enough to need two bytes for its length.
func (f *filler) text() string {
	n := []int{0, 1, 7, 11, 126, 127, 128, 300}[f.rng.IntN(8)]
	return strings.Repeat(string(rune('a'+f.rng.IntN(26))), n)
}

// unset sets a field of a judge's message to kmsg's default, wherever it
// occurs below v.
func unset(v reflect.Value, owner, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			unset(v.Elem(), owner, name)
		}
	case reflect.Slice:
		for i := range v.Len() {
			unset(v.Index(i), owner, name)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Name() == owner && v.Type().Field(i).Name == name {
				fresh := reflect.New(v.Type())
				fresh.MethodByName("Default").Call(nil)
				v.Field(i).Set(fresh.Elem().Field(i))
			} else if v.Type().Field(i).IsExported() {
				unset(v.Field(i), owner, name)
			}
		}
	}
}

// settle sets the field that a FieldError names, wherever it occurs below v,
// to what an encoder that lacks it or its null can accept. Which value is the
// default only the schema knows, so each try proposes another.
func settle(v reflect.Value, e *FieldError, try int) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			settle(v.Elem(), e, try)
		}
	case reflect.Slice:
		for i := range v.Len() {
			settle(v.Index(i), e, try)
		}
	case reflect.Struct:
		owner, name, _ := strings.Cut(e.Field, ".")
		for i := range v.NumField() {
			if v.Type().Name() == owner && v.Type().Field(i).Name == name {
				propose(v.Field(i), errors.Is(e, ErrNull), try)
			} else if v.Type().Field(i).IsExported() {
				settle(v.Field(i), e, try)
			}
		}
	}
}

func propose(v reflect.Value, nonNull bool, try int) {
	switch {
	case nonNull && v.Kind() == reflect.Slice && v.IsNil():
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case nonNull && v.Kind() == reflect.Pointer && v.IsNil():
		v.Set(reflect.New(v.Type().Elem()))
	case nonNull:
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			propose(field, false, try)
		}
	case v.CanInt():
		v.SetInt([]int64{0, -1, 1, 3, math.MinInt32}[try%5] << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	case v.Kind() == reflect.Bool:
		v.SetBool(try%2 == 1)
	default:
		v.SetZero()
	}
}
