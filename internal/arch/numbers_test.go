package arch

import (
	_ "embed"
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// House numbers. They are limits that the best Go code bases of this field
// keep by themselves; the ratchet lists who does not yet.
const (
	maxFileLines    = 800
	maxFuncLines    = 120
	longFuncLines   = 60   // at most longFuncShare of all functions
	longFuncShare   = 0.03 // of product functions
	maxPackageShare = 0.15 // of product lines, generated code excepted
	shareFromLines  = 30000
)

//go:embed ratchet.txt
var ratchetTable string

// ratchet holds the allowed old offenders; a line that is no longer needed
// fails the test, so that the list only shrinks.
func ratchet() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(ratchetTable) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out[line] = true
		}
	}
	return out
}

func TestHouseNumbers(t *testing.T) {
	allowed, offenders := ratchet(), map[string]string{}
	funcs, long := 0, 0
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if s.lines > maxFileLines {
			offenders["file "+s.name] = fmt.Sprintf("%d lines, limit %d", s.lines, maxFileLines)
		}
		if s.test || s.outside {
			continue
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
			funcs++
			if n > longFuncLines {
				long++
				t.Logf("%s: %s has %d lines", s.at(fn), fn.Name.Name, n)
			}
			if n > maxFuncLines {
				offenders["func "+s.name+" "+fn.Name.Name] = fmt.Sprintf("%d lines, limit %d", n, maxFuncLines)
			}
		}
	}
	if share := float64(long) / float64(max(1, funcs)); share > longFuncShare {
		t.Errorf("%d of %d functions exceed %d lines: %.1f%%, limit %.1f%%", long, funcs, longFuncLines, 100*share, 100*longFuncShare)
	}
	for _, what := range slices.Sorted(maps.Keys(offenders)) {
		if !allowed[what] {
			t.Errorf("%s: %s", what, offenders[what])
		}
	}
	for what := range allowed {
		if offenders[what] == "" {
			t.Errorf("ratchet.txt: %q offends no more: remove the line", what)
		}
	}
}

func TestNoPackageSwallowsTheOthers(t *testing.T) {
	lines, total := map[string]int{}, 0
	for _, s := range product(sources(t)) {
		if !s.generated {
			lines[s.pkg] += s.lines
			total += s.lines
		}
	}
	if total < shareFromLines {
		t.Skipf("%d lines: shares mean something from %d", total, shareFromLines)
	}
	for pkg, n := range lines {
		if share := float64(n) / float64(total); share > maxPackageShare {
			t.Errorf("%s is %.1f%% of the code (%d lines), limit %.0f%%", pkg, 100*share, n, 100*maxPackageShare)
		}
	}
}
