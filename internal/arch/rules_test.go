package arch

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// doors maps the packages of the outside world to the calls that only
// internal/env may make. Types and constants of them are free to use.
var doors = map[string][]string{
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
	"os": {"Open", "OpenFile", "Create", "ReadFile", "WriteFile", "ReadDir", "Mkdir", "MkdirAll", "Remove", "RemoveAll", "Rename",
		"Stat", "Lstat", "Chtimes", "Truncate", "CreateTemp", "MkdirTemp"},
	"net":            {"Dial", "DialTimeout", "Listen", "ListenTCP", "DialTCP", "Pipe"},
	"math/rand":      {"*"},
	"math/rand/v2":   {"*"},
	"crypto/rand":    {"*"},
	"path/filepath":  {"Walk", "WalkDir", "Glob"},
	"runtime/debug":  {"SetGCPercent"},
	"testing/fstest": {"*"},
}

// outdoors are the packages that are the door, or stand outside the house.
var outdoors = []string{"internal/env", "internal/env/memfs", "internal/env/memnet", "wire/gen", "config/gen", "cmd/gregor"}

func TestOnlyEnvTouchesTheWorld(t *testing.T) {
	for _, s := range product(sources(t)) {
		if slices.Contains(outdoors, s.pkg) {
			continue
		}
		names := importNames(s.file)
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if s.pkg != "internal/run" {
					t.Errorf("%s: go statement outside internal/run", s.at(n))
				}
			case *ast.SelectorExpr:
				id, ok := n.X.(*ast.Ident)
				if !ok {
					return true
				}
				calls := doors[names[id.Name]]
				if slices.Contains(calls, n.Sel.Name) || slices.Contains(calls, "*") {
					t.Errorf("%s: %s.%s: only internal/env touches the world", s.at(n), id.Name, n.Sel.Name)
				}
			}
			return true
		})
	}
}

func importNames(f *ast.File) map[string]string {
	out := map[string]string{}
	for _, imp := range f.Imports {
		full := strings.Trim(imp.Path.Value, `"`)
		name := path.Base(full)
		if name == "v2" {
			name = path.Base(path.Dir(full))
		}
		if imp.Name != nil {
			name = imp.Name.Name
		}
		out[name] = full
	}
	return out
}

func TestNoSleepInTests(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test && !s.outside || s.pkg == "internal/arch" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if id, ok := sel.X.(*ast.Ident); ok && id.Name == "time" && !strings.Contains(s.text, "testing/synctest") {
					t.Errorf("%s: time.Sleep: wait on a condition with a deadline, or use testing/synctest", s.at(n))
				}
			}
			return true
		})
	}
}

// TestFuzzTestsHaveACorpus: what go test runs of a fuzz test are its seeds; some
// lie beside it, where a fuzzer's finds go too.
func TestFuzzTestsHaveACorpus(t *testing.T) {
	for _, s := range sources(t) {
		if !s.test && !s.outside {
			continue
		}
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			dir := filepath.Join("..", "..", s.pkg, "testdata", "fuzz", fn.Name.Name)
			if files, err := os.ReadDir(dir); err != nil || len(files) == 0 {
				t.Errorf("%s: %s has no committed corpus in %s", s.at(fn), fn.Name.Name, dir)
			}
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range product(sources(t)) {
		if s.generated {
			continue
		}
		for _, d := range s.file.Decls {
			checkDoc(t, s, d)
		}
	}
}

func checkDoc(t *testing.T, s source, d ast.Decl) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			t.Errorf("%s: %s has no doc comment", s.at(d), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					t.Errorf("%s: type %s has no doc comment", s.at(spec), spec.Name.Name)
				}
			case *ast.ValueSpec:
				// A documented group speaks for its members.
				if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					t.Errorf("%s: %s has no doc comment", s.at(spec), spec.Names[0].Name)
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	switch d.Name.Name {
	case "Error", "String", "Len", "Less", "Swap", "Unwrap", "Close", "Read", "Write": // what the standard interfaces say
		return false
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if idx, ok := typ.(*ast.IndexExpr); ok {
		typ = idx.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	packages := map[string]bool{}
	for _, s := range product(sources(t)) {
		packages[s.pkg] = true
	}
	lines := []string{"Owns:", "Goroutines:", "Disk:", "Locks:", "Kafka counterpart:"}
	for _, s := range product(sources(t)) {
		if s.file.Doc == nil {
			continue
		}
		delete(packages, s.pkg)
		if s.file.Name.Name == "main" {
			continue
		}
		for _, want := range lines {
			if !strings.Contains(s.file.Doc.Text(), want) {
				t.Errorf("%s: the package comment lacks the line %q", s.name, want)
			}
		}
	}
	for pkg := range packages {
		t.Errorf("package %s has no package comment (doc.go)", pkg)
	}
}

func TestNoLooseEnds(t *testing.T) {
	banned := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}
	for _, s := range sources(t) {
		for _, word := range banned {
			if !s.generated && strings.Contains(s.text, word) {
				t.Errorf("%s: contains %s: finish it or write an issue", s.name, word)
			}
		}
	}
	for _, s := range product(sources(t)) {
		switch path.Base(s.pkg) {
		case "util", "utils", "common", "helpers", "misc":
			t.Errorf("%s: a package is named after what it holds", s.pkg)
		}
	}
}
