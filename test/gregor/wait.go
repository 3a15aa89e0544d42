package gregor

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// pollEvery is the pause between two looks at a condition.
const pollEvery = 20 * time.Millisecond

// Eventually waits until ok returns nil, and fails the test with its last
// error when that takes longer than limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() error) {
	t.Helper()
	if err := poll(t.Context(), limit, ok); err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

func poll(ctx context.Context, limit time.Duration, ok func() error) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil || errors.Is(err, os.ErrProcessDone) {
			return err // a broker that ended will not come to meet any condition
		}
		select {
		case <-deadline.C:
			return err
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
