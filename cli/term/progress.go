package term

import (
	"context"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

// progressEvery is how often a terminal is told.
const progressEvery = 500 * time.Millisecond

// eraseLine moves to the beginning of the line and empties it (ECMA-48).
const eraseLine = "\r\x1b[K"

// Progress shows a line on a terminal and renews it now and then, until the
// returned function is called; that leaves the last one there. It does nothing
// without a terminal.
func (t Term) Progress(ctx context.Context, line func(since time.Duration) string) (done func()) {
	if !t.Live {
		return func() {}
	}
	began := t.Env.Clock.Now()
	show := func() { fmt.Fprint(t.Err, eraseLine+line(t.Env.Clock.Now().Sub(began))) }
	group := run.NewGroup(context.WithoutCancel(ctx))
	group.Go("progress", func(ctx context.Context) error {
		for {
			if err := env.Sleep(ctx, t.Env.Clock, progressEvery); err != nil {
				return err
			}
			show()
		}
	})
	return func() {
		group.Stop()
		_ = group.Wait() // its only end is Stop
		show()
		fmt.Fprintln(t.Err)
	}
}

// Size is a number of bytes for people: "12 B", "3.4 MB".
func Size(n float64) string {
	if n < 1000 {
		return fmt.Sprintf("%.0f B", n)
	}
	for _, unit := range []string{"kB", "MB", "GB"} {
		if n /= 1000; n < 1000 {
			return fmt.Sprintf("%.1f %s", n, unit)
		}
	}
	return fmt.Sprintf("%.1f TB", n/1000)
}
