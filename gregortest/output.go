package gregortest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// output writes log lines of one process to the test's log.
type output struct {
	t   testing.TB
	who string
	mu  struct {
		sync.Mutex
		muted bool
	}
}

// Write takes one line.
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mu.muted {
		o.t.Logf("%s: %s", o.who, bytes.TrimRight(line, "\n"))
	}
	return len(line), nil
}

// mute drops all lines from now on: those of the dead, and those after the test.
func (o *output) mute() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.muted = true
}

// labelKey is the profile label that all goroutines of a cluster carry.
const labelKey = "gregortest"

// lastBreath is how long goroutines may take to be gone after those who waited
// for them were told.
const lastBreath = 10 * time.Second

// goroutines returns the stacks of those goroutines of a cluster that are left
// after a while.
func goroutines(label string, patience time.Duration) []string {
	clock := env.Real().Clock
	mark := fmt.Sprintf("%q:%q", labelKey, label)
	for deadline := clock.Now().Add(patience); ; {
		var text bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
			return []string{err.Error()}
		}
		var left []string
		for record := range strings.SplitSeq(text.String(), "\n\n") {
			if strings.Contains(record, mark) {
				left = append(left, "goroutine: "+record)
			}
		}
		if len(left) == 0 || !clock.Now().Before(deadline) {
			return left
		}
		_ = env.Sleep(context.Background(), clock, time.Millisecond) // nothing ends this context
	}
}
