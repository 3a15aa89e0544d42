package config

import (
	"maps"
	"strconv"
	"strings"
	"testing"
)

// TestPropertiesAsJava replays what java.util.Properties made of 470 inputs.
func TestPropertiesAsJava(t *testing.T) {
	for _, l := range lines(t, "properties-java.tsv") {
		fields := strings.Split(l, "\t")
		for i, f := range fields {
			if f == "error" {
				continue
			}
			s, err := strconv.Unquote(f)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			fields[i] = s
		}
		got, err := ParseProperties([]byte(fields[0]))
		if len(fields) == 2 {
			if err == nil {
				t.Errorf("%q is taken, Java refuses it", fields[0])
			}
			continue
		}
		want := map[string]string{}
		for i := 1; i+1 < len(fields); i += 2 {
			want[fields[i]] = fields[i+1]
		}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: got %q, %v; Java has %q", fields[0], got, err, want)
		}
	}
}

func TestPropertiesTooLarge(t *testing.T) {
	if _, err := ParseProperties(make([]byte, maxFile+1)); err == nil {
		t.Error("a file over the limit is taken")
	}
}

// escape writes a key or value so that every reader gets it back.
func escape(s string) string {
	var b strings.Builder
	for i, c := range []byte(s) {
		switch {
		case strings.IndexByte(`\:=#!`, c) >= 0, c == ' ' && i == 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~' || c == ' ':
			b.WriteString(`\u00`)
			b.WriteString(strconv.FormatUint(uint64(c)+0x100, 16)[1:])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// FuzzProperties looks for panics and for values that do not survive writing
// and reading again.
func FuzzProperties(f *testing.F) {
	for _, s := range []string{"a=b\\\n c", "\\\r\n#", "k\\u00e9y : v\\=", "\\ud83d\\ude00=1", "# c\n!\n\\"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProperties(data)
		if err != nil {
			return
		}
		total := 0
		for k, v := range p {
			total += len(k) + len(v)
			latin := func(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) }
			if !latin(k) || !latin(v) {
				continue
			}
			again, err := ParseProperties([]byte(escape(k) + "=" + escape(v)))
			if err != nil || len(again) != 1 || again[k] != v {
				t.Fatalf("%q=%q comes back as %q, %v", k, v, again, err)
			}
		}
		if total > 2*len(data) {
			t.Fatalf("%d bytes grew to %d", len(data), total)
		}
	})
}
