//go:build interop

package keeper

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// knownText lists the differences that are accepted, each with its reason.
//
//go:embed random_known.txt
var knownText string

var known = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(knownText) {
		if name, _, ok := strings.Cut(line, ": "); ok && line[0] != '#' {
			names[name] = true
		}
	}
	return names
})

// accepted marks where the requests that are drawn keep clear of a difference
// that is on the list. It is always true.
func accepted(name string) bool {
	if !known()[name] {
		panic(fmt.Sprintf("random_known.txt does not know %q", name))
	}
	return true
}

func TestKnownDifferencesAreInUse(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for name := range known() {
		if !strings.Contains(all.String(), fmt.Sprintf("accepted(%q)", name)) {
			t.Errorf("random_known.txt: nothing uses %s", name)
		}
	}
	if len(known()) == 0 {
		t.Error("random_known.txt is empty")
	}
}
