package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/gregor-mq/gregor"

// source is one Go file of the module.
type source struct {
	name      string // slash path from the module root
	pkg       string // folder
	test      bool
	generated bool
	outside   bool // test-only trees: anything may be imported there
	lines     int
	text      string
	fset      *token.FileSet
	file      *ast.File
}

var loadOnce = sync.OnceValues(loadAll)

// sources parses the module once; the root is two folders up from this test.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func loadAll() ([]source, error) {
	var out []source
	root := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "tools" || name == "gregor-data") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		s := source{name: name, pkg: path.Dir(name), text: string(text), fset: token.NewFileSet()}
		s.test = strings.HasSuffix(name, "_test.go")
		s.generated = strings.HasSuffix(name, ".gen.go")
		first, _, _ := strings.Cut(name, "/")
		s.outside = first == "test" || first == "interop" || first == "bench"
		s.lines = strings.Count(s.text, "\n")
		s.file, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		out = append(out, s)
		return err
	})
	return out, err
}

// product keeps what ships: no tests, no test-only trees.
func product(all []source) []source {
	var out []source
	for _, s := range all {
		if !s.test && !s.outside {
			out = append(out, s)
		}
	}
	return out
}

func (s source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }
