package znode

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// writer builds JSON as Kafka's Jackson writes it: no white space, and escapes
// only where JSON demands them. Keys come out in the order of the calls.
type writer struct {
	buf []byte
}

// open starts an object, close ends it.
func (w *writer) open()  { w.buf = append(w.buf, '{') }
func (w *writer) close() { w.end('}') }

// end closes an object or array, dropping the comma after its last element.
func (w *writer) end(c byte) {
	if w.buf[len(w.buf)-1] == ',' {
		w.buf = w.buf[:len(w.buf)-1]
	}
	w.buf = append(w.buf, c, ',')
}

// done returns the finished document.
func (w *writer) done() []byte { return w.buf[:len(w.buf)-1] }

// key starts a member of an object.
func (w *writer) key(k string) {
	w.quote(k)
	w.buf = append(w.buf, ':')
}

func (w *writer) int(k string, v int64) {
	w.key(k)
	w.buf = append(strconv.AppendInt(w.buf, v, 10), ',')
}

func (w *writer) text(k, v string) {
	w.key(k)
	w.item(v)
}

// number writes an integer as a string, as Kafka does with 64-bit values.
func (w *writer) number(k string, v int64) { w.text(k, strconv.FormatInt(v, 10)) }

// null writes a member without value.
func (w *writer) null(k string) {
	w.key(k)
	w.buf = append(w.buf, "null,"...)
}

// item writes a string in an array.
func (w *writer) item(s string) {
	w.quote(s)
	w.buf = append(w.buf, ',')
}

func (w *writer) ints(k string, v []int32) {
	w.array(k)
	for _, n := range v {
		w.buf = append(strconv.AppendInt(w.buf, int64(n), 10), ',')
	}
	w.end(']')
}

// array starts an array, object an object, as members.
func (w *writer) array(k string) {
	w.key(k)
	w.buf = append(w.buf, '[')
}

func (w *writer) object(k string) {
	w.key(k)
	w.open()
}

// textMap writes a map with its keys in order.
func (w *writer) textMap(k string, m map[string]string) {
	w.object(k)
	for _, name := range sortedKeys(m) {
		w.text(name, m[name])
	}
	w.close()
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// escapes are the characters that JSON has short forms for.
var escapes = map[rune]string{
	'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`,
}

func (w *writer) quote(s string) {
	w.buf = append(w.buf, '"')
	for _, r := range s {
		switch short := escapes[r]; {
		case short != "":
			w.buf = append(w.buf, short...)
		case r < ' ':
			w.buf = fmt.Appendf(w.buf, `\u%04X`, r)
		default:
			w.buf = utf8.AppendRune(w.buf, r)
		}
	}
	w.buf = append(w.buf, '"')
}
