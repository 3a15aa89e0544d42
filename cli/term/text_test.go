package term

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Text(s); got != want {
			t.Errorf("%.100q: %q, want %q", s, got, want)
		}
	}
	f("", "")
	f("host:uuid-0", "host:uuid-0")
	f("a\tb\n", `"a\tb\n"`)
	f("\xff", `"\xff"`)
	f(strings.Repeat("x", 80), strings.Repeat("x", 80))
	f(strings.Repeat("x", 81), strings.Repeat("x", 80)+"…")
	f(strings.Repeat("x", 79)+"é!", strings.Repeat("x", 79)+"…")
	f(strings.Repeat("\x00", 1<<20), `"`+strings.Repeat(`\x00`, 80)+`"…`)
}
