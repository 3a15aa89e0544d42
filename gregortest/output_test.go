package gregortest

import (
	"context"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/run"
)

// A goroutine that outlives its cluster is found, whoever started it; those of
// other clusters are none of its business.
func TestGoroutinesAreFound(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	group := run.NewGroup(context.Background())
	pprof.Do(context.Background(), pprof.Labels(labelKey, "one"), func(ctx context.Context) {
		group = run.NewGroup(ctx)
		group.Go("lost", func(context.Context) error { started <- struct{}{}; <-release; return nil })
		group.Light(func() { started <- struct{}{}; <-release })
	})
	<-started
	<-started
	left := strings.Join(goroutines("one", time.Millisecond), "\n")
	if !strings.Contains(left, `"goroutine":"lost"`) || strings.Count(left, "goroutine: ") != 2 {
		t.Errorf("found: %s", left)
	}
	if other := goroutines("two", time.Minute); other != nil {
		t.Errorf("found in another cluster: %v", other)
	}
	close(release)
	if left := goroutines("one", time.Minute); left != nil {
		t.Errorf("still there: %v", left)
	}
}
