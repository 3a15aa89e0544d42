package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheMapIsTrue holds docs/architecture.md against the disk: every folder in
// its table exists, and every subsystem at the root stands in it.
func TestTheMapIsTrue(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if !regexp.MustCompile(`^\| [0-6] \|`).MatchString(line) {
			continue
		}
		cell := strings.Split(line, "|")[2]
		for _, m := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(cell, -1) {
			folder := m[1]
			named[folder] = true
			if _, err := os.Stat(filepath.Join(root, folder)); err == nil {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, "internal", folder)); err != nil {
				t.Errorf("docs/architecture.md names the folder %s, which is not there", folder)
			}
		}
	}
	for _, s := range product(sources(t)) {
		top, _, _ := strings.Cut(s.pkg, "/")
		if top != "internal" && top != "cmd" && !named[top] {
			t.Errorf("%s: docs/architecture.md does not name the folder %s", s.name, top)
			named[top] = true
		}
	}
}
