package arch

import (
	_ "embed"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed imports.txt
var importTable string

// vocabulary is what pure packages may know besides the standard library.
var vocabulary = []string{"wire", "record", "znode", "zk", "config", "internal/must"}

// worldly are standard packages that would let a pure package look outside.
var worldly = []string{"os", "net", "math/rand", "math/rand/v2", "crypto/rand", "os/exec", "net/http", "syscall"}

// rule is one line of imports.txt.
type rule struct {
	of           string
	pure         bool
	own, foreign []string
}

func parseRules(t *testing.T) []rule {
	t.Helper()
	var out []rule
	for line := range strings.Lines(importTable) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		own, foreign, _ := strings.Cut(line, "|")
		fields := strings.Fields(own)
		r := rule{of: fields[0], own: fields[1:], foreign: strings.Fields(foreign)}
		if slices.Contains(r.own, "pure") {
			r.pure = true
			r.own = append(r.own, vocabulary...)
		}
		out = append(out, r)
	}
	return out
}

// covers reports whether pattern (a path, or a tree ending in /...) holds pkg.
func covers(pattern, pkg string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return pkg == tree || isTree && strings.HasPrefix(pkg, tree+"/")
}

// weight orders patterns by how much of a path they name; a package weighs more
// than the tree of the same name.
func weight(pattern string) int {
	name, isTree := strings.CutSuffix(pattern, "/...")
	if isTree {
		return 2 * len(name)
	}
	return 2*len(name) + 1
}

func ruleFor(rules []rule, pkg string) (rule, bool) {
	var best rule
	for _, r := range rules {
		if covers(r.of, pkg) && weight(r.of) > weight(best.of) {
			best = r
		}
	}
	return best, best.of != ""
}

func TestImportsPointDown(t *testing.T) {
	rules := parseRules(t)
	for _, s := range product(sources(t)) {
		r, ok := ruleFor(rules, s.pkg)
		if !ok {
			t.Errorf("%s: package %s has no line in imports.txt", s.name, s.pkg)
			continue
		}
		for _, imp := range s.file.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := forbidden(r, s.pkg, name); why != "" {
				t.Errorf("%s: %s may not import %s: %s", s.at(imp), s.pkg, name, why)
			}
		}
	}
}

func forbidden(r rule, pkg, name string) string {
	within := func(list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return covers(p, name) || covers(p+"/...", name) })
	}
	own, isOwn := strings.CutPrefix(name, module+"/")
	switch {
	case isOwn && own == pkg:
		return ""
	case isOwn:
		if slices.ContainsFunc(r.own, func(p string) bool { return covers(p, own) }) {
			return ""
		}
		return "it is not below it (imports.txt)"
	case strings.Contains(strings.SplitN(name, "/", 2)[0], "."):
		if within(r.foreign) {
			return ""
		}
		return "third-party module not listed for it (imports.txt, docs/decisions.md)"
	case r.pure && path.Base(r.of) != "gen" && slices.Contains(worldly, name):
		return "a pure package has no disk, socket or randomness"
	}
	return ""
}

func TestCoversTrees(t *testing.T) {
	f := func(pattern, pkg string, want bool) {
		t.Helper()
		if got := covers(pattern, pkg); got != want {
			t.Errorf("covers(%q, %q) = %v", pattern, pkg, got)
		}
	}
	f("keeper/...", "keeper", true)
	f("keeper/...", "keeper/tree", true)
	f("keeper/...", "keepers", false)
	f("wire", "wire/gen", false)
}
