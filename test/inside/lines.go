package inside

import (
	"strings"
	"sync"
)

// Lines keeps log lines. It is an io.Writer that gets whole lines, as slog
// writes them.
type Lines struct {
	mu   sync.Mutex
	text []string
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// With returns the lines that hold all of the given texts.
func (l *Lines) With(texts ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
next:
	for _, line := range l.text {
		for _, want := range texts {
			if !strings.Contains(line, want) {
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

// Clear forgets all lines.
func (l *Lines) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = nil
}
