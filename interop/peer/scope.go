//go:build interop

package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Scope is what a peer lives in: a test, or the whole package (see Once).
type Scope interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
	TempDir() string
	ArtifactDir() string
}

var (
	_ Scope = testing.TB(nil)
	_ Scope = (*packageScope)(nil)
)

// packageScope ends when Run does.
type packageScope struct {
	dir string
	mu  struct {
		sync.Mutex
		cleanups []func()
		failed   bool
		dirs     int
	}
}

// whole is the scope of the test binary, set by Run.
var whole *packageScope

// Run is the body of a TestMain whose package shares peers among its tests. It
// returns the exit status. What the peers wrote is kept when a test fails.
func Run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gregor-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	whole = &packageScope{dir: dir}
	code := m.Run()
	whole.close()
	if code != 0 || whole.Failed() {
		fmt.Fprintln(os.Stderr, "what the peers logged is kept in", dir)
		return max(code, 1)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// Once returns a getter of something started by the first test that asks for
// it and shared by all of the package. A start that fails fails every asker.
func Once[T any](start func(Scope) T) func(testing.TB) T {
	get := sync.OnceValues(func() (v T, err error) {
		defer func() {
			if r := recover(); r != nil {
				f, ok := r.(fatal)
				if !ok {
					panic(r)
				}
				err = f
			}
		}()
		if whole == nil {
			return v, fatal("shared peers need peer.Run in TestMain")
		}
		return start(whole), nil
	})
	return func(t testing.TB) T {
		t.Helper()
		v, err := get()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// fatal carries a failed start out of a package scope.
type fatal string

func (f fatal) Error() string { return string(f) }

func (s *packageScope) Helper()      {}
func (s *packageScope) Name() string { return "package" }

func (s *packageScope) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func (s *packageScope) Fatalf(format string, args ...any) {
	s.mu.Lock()
	s.mu.failed = true
	s.mu.Unlock()
	panic(fatal(fmt.Sprintf(format, args...)))
}

func (s *packageScope) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.failed
}

func (s *packageScope) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.cleanups = append(s.mu.cleanups, f)
}

func (s *packageScope) TempDir() string {
	s.mu.Lock()
	s.mu.dirs++
	dir := filepath.Join(s.dir, fmt.Sprintf("%03d", s.mu.dirs))
	s.mu.Unlock()
	if err := os.Mkdir(dir, 0o755); err != nil {
		s.Fatalf("temporary directory: %v", err)
	}
	return dir
}

func (s *packageScope) ArtifactDir() string { return s.dir }

// close runs the cleanups, newest first, as a test does. A cleanup that fails
// is reported and does not keep the others from running.
func (s *packageScope) close() {
	for {
		s.mu.Lock()
		n := len(s.mu.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		f := s.mu.cleanups[n-1]
		s.mu.cleanups = s.mu.cleanups[:n-1]
		s.mu.Unlock()
		func() {
			defer func() {
				if r := recover(); r != nil {
					fmt.Fprintln(os.Stderr, "clean up:", r)
				}
			}()
			f()
		}()
	}
}

// logFile returns a new file for the output of a program. It lies beside the
// artifacts of the scope, so that it outlives a failed run.
func logFile(s Scope, name string) *os.File {
	s.Helper()
	f, err := os.CreateTemp(s.ArtifactDir(), strings.ReplaceAll(name, "/", "-")+"-*.log")
	if err != nil {
		s.Fatalf("log of %s: %v", name, err)
	}
	return f
}
