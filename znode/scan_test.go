package znode

import (
	"encoding/json"
	"testing"
)

// FuzzScan compares the walk over objects with encoding/json, which is slower
// but not ours.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		` { "a" : [ 1 , { "b" : "]}" } ] , "c\"\\" : -1.5e3 , "d":{},"e":[ ],"f":null } `, `{}`, `{"a":1,"a":"x,y"}`, `{"\u00e9é":true}`, `[{"a":1}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want map[string]json.RawMessage
		err := json.Unmarshal(data, &want)
		o := readObject("/p", data)
		if (err == nil && want != nil) != (o.Err() == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", data, o.Err(), err)
		}
		if o.Err() != nil {
			return
		}
		if len(o.fields) != len(want) {
			t.Fatalf("%q: %d keys, want %d", data, len(o.fields), len(want))
		}
		for key, raw := range want {
			if got := o.raw(key); string(got) != string(raw) {
				t.Fatalf("%q: key %q is %q, want %q", data, key, got, raw)
			}
			checkArray(t, o, key, raw)
		}
	})
}

// checkArray compares the elements of an array and the text of a string.
func checkArray(t *testing.T, o *object, key string, raw json.RawMessage) {
	var list []json.RawMessage
	if raw[0] == '[' && json.Unmarshal(raw, &list) == nil {
		i := 0
		for got := range elements(raw) {
			if i >= len(list) || string(got) != string(list[i]) {
				t.Fatalf("element %d of %q is %q", i, raw, got)
			}
			i++
		}
		if i != len(list) {
			t.Fatalf("%q has %d elements, want %d", raw, i, len(list))
		}
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		if got := o.text(key); got != s {
			t.Fatalf("%q is %q, want %q", raw, got, s)
		}
	}
}
