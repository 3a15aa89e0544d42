//go:build interop

package oracle

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// names replaces what two brokers may differ in by what it is. Ids get numbers
// in the order of their appearance, so that a broker that gives another id for
// the same thing is still found out.
type names struct {
	replace *strings.Replacer // addresses and paths of this side
	ports   map[string]string // names of its ports
	known   map[string]string
	count   map[string]int
}

func (n *names) alias(kind, value string) string {
	if a := n.known[kind+value]; a != "" {
		return a
	}
	n.count[kind]++
	a := fmt.Sprintf("<%s %d>", kind, n.count[kind])
	n.known[kind+value] = a
	return a
}

// identity names the fields that tell the elements of an array apart. Kafka
// keeps many arrays in hash tables, so their order means nothing.
var identity = []string{"Name", "Topic", "GroupID", "MemberID", "Key", "ApiKey", "ResourceType", "ResourceName",
	"PartitionIndex", "PartitionID", "Partition", "Index", "NodeID", "BrokerID", "LogDir"}

// ordered arrays are compared in their order.
var ordered = map[string]bool{"Synonyms": true, "RecordErrors": true, "AbortedTransactions": true}

// flatten writes a message as lines of the form path = value.
func (n *names) flatten(m wire.Body) []string {
	var lines []string
	n.value(&lines, "", "", reflect.ValueOf(m).Elem())
	return lines
}

func (n *names) value(lines *[]string, path, field string, v reflect.Value) {
	add := func(s string) { *lines = append(*lines, path+" = "+s) }
	switch x := v.Interface().(type) {
	case wire.Code:
		add(fmt.Sprintf("%d %s", x, x.Name()))
		return
	case wire.UUID:
		if x == (wire.UUID{}) {
			add("none")
		} else {
			add(n.alias("uuid", x.String()))
		}
		return
	case wire.Records:
		n.records(lines, path, x)
		return
	case []byte:
		if x == nil {
			add("null")
		} else {
			add(n.text(x))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i).Name
			n.value(lines, strings.TrimPrefix(path+"."+f, "."), f, v.Field(i))
		}
	case reflect.Slice:
		if v.IsNil() {
			// Decoding gives nil for null only.
			add("null")
			return
		}
		n.elements(lines, path, field, v)
	case reflect.Pointer:
		if v.IsNil() {
			add("null")
			return
		}
		n.value(lines, path, field, v.Elem())
	case reflect.String:
		add(n.stringValue(field, v.String()))
	case reflect.Bool:
		add(fmt.Sprint(v.Bool()))
	default:
		add(n.number(field, v.Int()))
	}
}

func (n *names) elements(lines *[]string, path, field string, v reflect.Value) {
	all := make([]reflect.Value, v.Len())
	for i := range all {
		all[i] = v.Index(i)
	}
	if len(all) == 0 {
		*lines = append(*lines, path+" = []")
		return
	}
	if v.Type().Elem().Kind() != reflect.Struct {
		s := make([]string, len(all))
		for i, e := range all {
			s[i] = fmt.Sprint(e.Interface())
		}
		*lines = append(*lines, path+" = ["+strings.Join(s, " ")+"]")
		return
	}
	if !ordered[field] {
		slices.SortStableFunc(all, n.compareIdentity)
	}
	for i, e := range all {
		n.value(lines, fmt.Sprintf("%s[%s]", path, elementName(n, e, i)), field, e)
	}
}

// elementName shows a name rather than an index where there is one.
func elementName(n *names, e reflect.Value, i int) string {
	if v := e.FieldByName("ApiKey"); v.IsValid() {
		return wire.Key(v.Int()).String()
	}
	for _, f := range []string{"Name", "Topic", "GroupID"} {
		v := e.FieldByName(f)
		if v.IsValid() && v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.IsValid() && v.Kind() == reflect.String && v.String() != "" {
			return n.stringValue(f, v.String())
		}
	}
	return fmt.Sprint(i)
}

func (n *names) compareIdentity(a, b reflect.Value) int {
	for _, f := range identity {
		x, y := a.FieldByName(f), b.FieldByName(f)
		if !x.IsValid() {
			continue
		}
		if f == "MemberID" {
			// Members keep the order in which the script met them.
			if c := cmp.Compare(n.stringValue(f, x.String()), n.stringValue(f, y.String())); c != 0 {
				return c
			}
			continue
		}
		if x.Kind() == reflect.Pointer {
			switch {
			case x.IsNil() && y.IsNil():
				continue
			case x.IsNil():
				return 1
			case y.IsNil():
				return -1
			}
			x, y = x.Elem(), y.Elem()
		}
		c := 0
		if x.Kind() == reflect.String {
			c = cmp.Compare(x.String(), y.String())
		} else if x.CanInt() {
			c = cmp.Compare(x.Int(), y.Int())
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// timeText is a time in ms of our years, as error messages quote it.
var timeText = regexp.MustCompile(`\b1[5-9][0-9]{11}\b`)

var uuidText = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func (n *names) stringValue(field, s string) string {
	if field == "ClusterID" && len(s) == 22 {
		return "<cluster id>"
	}
	s = n.replace.Replace(s)
	s = uuidText.ReplaceAllStringFunc(s, func(id string) string { return n.alias("member", id) })
	s = timeText.ReplaceAllStringFunc(s, func(ms string) string {
		x, _ := strconv.ParseInt(ms, 10, 64)
		if d := time.Since(time.UnixMilli(x)).Abs(); d < 40*24*time.Hour {
			return "<about now>"
		}
		return ms
	})
	if field == "Documentation" {
		return "<text>"
	}
	return fmt.Sprintf("%q", s)
}

func (n *names) number(field string, x int64) string {
	switch {
	case (field == "Port" || field == "V0Port") && n.ports[fmt.Sprint(x)] != "":
		return n.ports[fmt.Sprint(x)]
	case (field == "BrokerEpoch" || field == "ReplicaEpoch") && x >= 0:
		return "<broker epoch>"
	case field == "ProducerID" && x >= 0:
		return n.alias("producer", fmt.Sprint(x))
	case field == "SessionID" && x != 0:
		return n.alias("session", fmt.Sprint(x))
	case (field == "TotalBytes" || field == "UsableBytes") && x > 0:
		return "<positive>"
	}
	// A time of the last hours is the time of the append.
	if d := time.Since(time.UnixMilli(x)); d < 6*time.Hour && d > -time.Minute {
		return "<now>"
	}
	return fmt.Sprint(x)
}

// text shows bytes as they read best.
func (n *names) text(b []byte) string {
	printable := utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' })
	switch {
	case len(b) > 200:
		return fmt.Sprintf("%d bytes, crc %08x", len(b), crc32.ChecksumIEEE(b))
	case printable:
		return n.stringValue("", string(b))
	}
	return fmt.Sprintf("%x", b)
}

// records writes what a fetch returned: batches with every field of their
// headers and the checksum that covers the rest, old entries record by record,
// because two compressors need not give the same bytes.
func (n *names) records(lines *[]string, path string, r wire.Records) {
	if r.IsNull() {
		*lines = append(*lines, path+" = null")
		return
	}
	if len(r.Bytes) == 0 {
		*lines = append(*lines, path+" = empty")
		return
	}
	rest := r.Bytes
	for i := 0; len(rest) > 0; i++ {
		at := fmt.Sprintf("%s[%d]", path, i)
		size, magic, err := record.Peek(rest)
		if err != nil || size > len(rest) {
			*lines = append(*lines, fmt.Sprintf("%s = a part of an entry, %d bytes", at, len(rest)))
			return
		}
		one := rest[:size]
		rest = rest[size:]
		if magic == 2 {
			b := record.Batch(one)
			*lines = append(*lines, fmt.Sprintf("%s = batch %d-%d epoch %d attributes %d count %d producer %s epoch %d sequence %d time %s-%s crc %s verify %v",
				at, b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.Attributes(), b.Count(), n.number("ProducerID", b.ProducerID()), b.ProducerEpoch(), b.BaseSequence(),
				n.number("", b.BaseTimestamp()), n.number("", b.MaxTimestamp()), n.checksum(b), b.Verify()))
			n.each(lines, at, b.Records())
			continue
		}
		e := record.Entry(one)
		size1 := fmt.Sprint(len(e), " bytes")
		if e.Codec() != record.None {
			size1 = "compressed"
		}
		*lines = append(*lines, fmt.Sprintf("%s = magic %d offset %d codec %v time %v %s, %s, verify %v",
			at, e.Magic(), e.Offset(), e.Codec(), e.TimestampType(), n.number("", e.Timestamp()), size1, e.Verify()))
		n.each(lines, at, e.Records())
	}
}

// checksum is left out where the covered bytes hold ids or the present time,
// or come from a compressor.
func (n *names) checksum(b record.Batch) string {
	if b.ProducerID() >= 0 || b.TimestampType() == record.LogAppendTime || b.Codec() != record.None ||
		n.number("", b.MaxTimestamp()) == "<now>" {
		return "-"
	}
	return fmt.Sprintf("%08x", b.CRC())
}

func (n *names) each(lines *[]string, at string, records func(func(record.Record, error) bool)) {
	for r, err := range records {
		if err != nil {
			*lines = append(*lines, at+" "+err.Error())
			return
		}
		var h strings.Builder
		for x := range r.Headers.All() {
			fmt.Fprintf(&h, " %s:%s", x.Key, n.text(x.Value))
		}
		*lines = append(*lines, fmt.Sprintf("%s record %d time %s key %s value %s%s", at, r.Offset, n.number("", r.Timestamp), n.nullable(r.Key), n.nullable(r.Value), h.String()))
	}
}

func (n *names) nullable(b []byte) string {
	if b == nil {
		return "null"
	}
	return n.text(b)
}
