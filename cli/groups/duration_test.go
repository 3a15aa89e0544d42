package groups

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	f := func(s string, want time.Duration) {
		t.Helper()
		if got, err := parseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", s, got, err, want)
		}
	}
	f("1h30m", 90*time.Minute)
	f("PT1H30M", 90*time.Minute)
	f("P7D", 7*24*time.Hour)
	f("P1DT2H3M4S", 26*time.Hour+3*time.Minute+4*time.Second)
	f("PT0S", 0)
	for _, s := range []string{"", "P", "PT", "P1DT", "-1h", "1", "P1Y", "PT1.5H", "P99999999999D", "P200000D", "p1d"} {
		if d, err := parseDuration(s); err == nil {
			t.Errorf("%q: %v", s, d)
		}
	}
}
