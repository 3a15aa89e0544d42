package wire

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestVersions holds the table of what a broker of 3.9.1 in ZooKeeper mode
// advertises, as it was read off a running one.
func TestVersions(t *testing.T) {
	f, err := os.Open("testdata/advertised.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[Key]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var k Key
		var name, flex string
		var lo, hi int16
		if _, err := fmt.Sscan(line, &k, &name, &lo, &hi, &flex); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seen[k] = true
		gotLo, gotHi, ok := Versions(k)
		if gotLo != lo || gotHi != hi || !ok || k.String() != name {
			t.Errorf("%s: got %d %s %d %d, advertised %v", line, k, k, gotLo, gotHi, ok)
		}
		gotFlex := fmt.Sprint(FlexibleFrom(k))
		if FlexibleFrom(k) == neverFlexible {
			gotFlex = "-"
		}
		if gotFlex != flex {
			t.Errorf("%s: flexible from %s", line, gotFlex)
		}
	}
	if len(seen) != 62 {
		t.Errorf("%d APIs in the table, want 62", len(seen))
	}
	for k := range Key(len(apis)) {
		if _, _, ok := Versions(k); ok != seen[k] {
			t.Errorf("%s: advertised is %v", k, ok)
		}
	}
}

func TestUnknownKey(t *testing.T) {
	for _, k := range []Key{-1, Key(len(apis)), 1000} {
		lo, hi, ok := Versions(k)
		if lo <= hi || ok || NewRequest(k) != nil || NewResponse(k) != nil || FlexibleFrom(k) != neverFlexible {
			t.Errorf("key %d: versions %d to %d, %v", k, lo, hi, ok)
		}
		if k.String() != fmt.Sprint(int16(k)) {
			t.Errorf("key %d is called %s", k, k)
		}
	}
}

func TestBodiesKnowTheirKey(t *testing.T) {
	for k := range Key(len(apis)) {
		if NewRequest(k).Key() != k || NewResponse(k).Key() != k {
			t.Errorf("%s: request %s, response %s", k, NewRequest(k).Key(), NewResponse(k).Key())
		}
	}
}
