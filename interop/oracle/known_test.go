//go:build interop

package oracle

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
)

// knownText lists the differences that are accepted, each with its reason.
//
//go:embed known.txt
var knownText string

// knownLine accepts the differences of some cases in some fields of the
// answers to an API. Patterns may hold asterisks.
type knownLine struct {
	number     int
	scripts    string
	api, field string
	maybe      bool // comes and goes, or is being removed
	reason     string
	matched    bool
}

// knownList is the list, and what the run so far made of it.
type knownList struct {
	mu struct {
		stdsync.Mutex
		lines []*knownLine
		ran   map[string]bool
	}
}

var known = stdsync.OnceValues(func() (*knownList, error) { return parseKnown(knownText) })

func parseKnown(text string) (*knownList, error) {
	l := &knownList{}
	l.mu.ran = map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		what, reason, found := strings.Cut(line, ": ")
		what, maybe := strings.CutPrefix(what, "~")
		f := strings.Fields(what)
		if !found || len(f) != 3 || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("known.txt:%d: %q is not of the form \"[~]case API field: reason\"", i+1, line)
		}
		l.mu.lines = append(l.mu.lines, &knownLine{number: i + 1, scripts: f[0], api: f[1], field: f[2], maybe: maybe, reason: reason})
	}
	return l, nil
}

// accepts tells whether a difference of a case is on the list.
func (l *knownList) accepts(name string, d divergence) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	accepted := false
	for _, k := range l.mu.lines {
		if glob(k.scripts, name) && glob(k.api, d.api) && glob(k.field, d.field) {
			k.matched, accepted = true, true
		}
	}
	return accepted
}

func (l *knownList) finished(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.ran[name] = true
}

// stale returns the lines that accept nothing any more. A line is judged only
// when every case it speaks of ran.
func (l *knownList) stale(names []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, k := range l.mu.lines {
		if k.matched || k.maybe {
			continue
		}
		missed := slices.ContainsFunc(names, func(n string) bool { return glob(k.scripts, n) && !l.mu.ran[n] })
		if !missed {
			out = append(out, fmt.Sprintf("known.txt:%d: %s %s %s", k.number, k.scripts, k.api, k.field))
		}
	}
	return out
}

// glob matches a text with a pattern in which asterisks stand for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && text == ""
	}
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(text, p)
		if !found {
			return false
		}
		text = after
	}
	return strings.HasSuffix(text, last)
}

func TestKnownList(t *testing.T) {
	l, err := parseKnown("# a remark\n\na/b/v* Fetch Topics[*].Error*: open: later\n~a/c Fetch *: needs transactions\na/d * x: open: gone\n")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"a/b/v0", "a/b/v1", "a/c", "a/d"}
	for _, c := range []struct {
		name, api, field string
		want             bool
	}{
		{"a/b/v0", "Fetch", "Topics[3].ErrorCode", true},
		{"a/b", "Fetch", "Topics[3].ErrorCode", false},
		{"a/b/v0", "Fetch", "Topics[3].Offset", false},
		{"a/b/v0", "Produce", "Topics[3].ErrorCode", false},
	} {
		if got := l.accepts(c.name, divergence{api: c.api, field: c.field}); got != c.want {
			t.Errorf("accepts %v: %v", c, got)
		}
	}
	l.finished("a/b/v0")
	if s := l.stale(names); len(s) != 0 {
		t.Errorf("judged before their cases ran: %q", s)
	}
	l.finished("a/d")
	if s := l.stale(names); len(s) != 1 || !strings.Contains(s[0], "known.txt:5") {
		t.Errorf("stale: %q", s)
	}
	for _, bad := range []string{"a/b Fetch x", "a/b Fetch: open: x", "a Fetch x:"} {
		if _, err := parseKnown(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
