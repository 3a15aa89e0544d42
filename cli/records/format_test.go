package records

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func sample() *kgo.Record {
	return &kgo.Record{
		Topic: "t", Partition: 3, Offset: 42, Timestamp: time.UnixMilli(1700000000123), Key: []byte("k"), Value: []byte("<v>"),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}},
	}
}

func TestLayouts(t *testing.T) {
	f := func(format string, print []string, want string) {
		t.Helper()
		l, err := newLayout(format, print, `\t`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l(nil, sample())
		if err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	f("value", nil, "<v>\n")
	f("value", []string{"key"}, "k\t<v>\n")
	f("value", []string{"key", "timestamp", "offset", "partition", "headers"}, "CreateTime:1700000000123\tPartition:3\tOffset:42\ta:1,b:null\tk\t<v>\n")
	f(`%t-%p %o %k %K %s %S %v %V %h %T%%\n\x41\\`, nil, "t-3 42 k 1 <v> 3 <v> 3 a=1,b=NULL 1700000000123%\nA\\")
	f("json", nil, `{"topic":"t","partition":3,"offset":42,"timestamp":1700000000123,"timestamp_type":"CreateTime",`+
		`"headers":[{"key":"a","value":"1"},{"key":"b","value":null}],"key":"k","value":"<v>"}`+"\n")
}

func TestLayoutsThatAreNone(t *testing.T) {
	f := func(format string, print []string, want string) {
		t.Helper()
		if _, err := newLayout(format, print, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("jsn", nil, `--format "jsn"`)
	f("%q", nil, "%q is none of")
	f("a%", nil, "at the end")
	f(`a\`, nil, "at the end")
	f(`\xZZ`, nil, "hexadecimal")
	f(`\q`, nil, "none of")
	f("json", []string{"key"}, "--print goes with")
	f("value", []string{"keys"}, `--print "keys"`)
}

// TestJSONBack: what consume writes, produce reads as the same.
func TestJSONBack(t *testing.T) {
	f := func(r *kgo.Record) {
		t.Helper()
		line, err := toJSON(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fromJSON(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := *r
		want.Offset = 0 // the broker's
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", line, *got, want)
		}
	}
	f(sample())
	f(&kgo.Record{Topic: "t", Timestamp: time.UnixMilli(0)})
	f(&kgo.Record{Topic: "t", Timestamp: time.UnixMilli(1), Key: []byte{}, Value: []byte{}})
	f(&kgo.Record{Topic: "t", Timestamp: time.UnixMilli(1), Key: []byte{0xff, 0}, Value: []byte("é\x00\u2028\"\\"), Headers: []kgo.RecordHeader{{Value: []byte{0x80}}}})
}

func TestJSONLinesThatAreNone(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		if _, err := fromJSON([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
	f(`{"value":"x"`, "cut off")
	f(`nonsense`, "invalid character")
	f(`"text"`, "want a JSON object")
	f(`{"valeu":"x"}`, `"valeu"`)
	f(`{"value":5}`, "field value: want a string, have a number")
	f(`{"value":"a","value_base64":"YQ=="}`, "both value and value_base64")
	f(`{"key_base64":"!"}`, `key_base64 "!"`)
	f(`{"partition":-3}`, "partition -3")
	f(`{"timestamp":"yesterday"}`, `time "yesterday"`)
	f(`{"timestamp":-5}`, `time "-5"`)
	f(`{"value":"a"} {"value":"b"}`, "more behind it")
	f(`{"headers":[{"key":"a","value_base64":"?"}]}`, "header 0")
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"topic":"t","partition":3,"timestamp":1700000000123,"headers":[{"key":"a","value":"1"}],"key":"k","value_base64":"/w=="}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := fromJSON(line)
		if err != nil || r.Timestamp.Year() > 9999 {
			return
		}
		if r.Partition == anyPartition {
			r.Partition = 0
		}
		r.Timestamp = time.UnixMilli(max(r.Timestamp.UnixMilli(), 0)) // what JSON carries
		out, err := toJSON(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := fromJSON(out)
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%s became %+v, then %+v, %v", line, r, again, err)
		}
		if !json.Valid(out) || strings.Count(string(out), "\n") != 1 {
			t.Fatalf("%q is not a line of JSON", out)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add(`%t-%p %o %k %s\n\x41`)
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseTemplate(s); err == nil {
			p(nil, sample())
		}
	})
}

func TestStarts(t *testing.T) {
	b := bounds{begin: 10, end: 100, instant: 55}
	f := func(s string, want int64) {
		t.Helper()
		at, err := parseStart(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.in(b); got != want {
			t.Errorf("%s: %d, want %d", s, got, want)
		}
	}
	f("start", 10)
	f("earliest", 10)
	f("end", 100)
	f("latest", 100)
	f("42", 42)
	f("0", 10)
	f("1000", 100)
	f("-5", 95)
	f("-1000", 10)
	f("+5", 15)
	f("+9223372036854775807", 100)
	f("@1700000000000", 55)
	f("@2026-01-31T12:00:00Z", 55)
	for _, s := range []string{"", "x", "-", "-9223372036854775808", "@", "@soon", "1.5"} {
		if at, err := parseStart(s); err == nil {
			t.Errorf("%q: %+v", s, at)
		}
	}
}
