package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/gregor-mq/gregor/internal/run"
)

// wholeStacks asks for one entry per goroutine, in the form of a panic.
const wholeStacks = 2

// stacksOnQuit prints the stacks of all goroutines whenever SIGQUIT (kill -3)
// comes, and the process goes on, as a JVM does. The returned function ends it.
func (p Program) stacksOnQuit(ctx context.Context) (stop func()) {
	quits := make(chan os.Signal, 1)
	signal.Notify(quits, syscall.SIGQUIT)
	group := run.NewGroup(ctx)
	group.Go("stacks", func(ctx context.Context) error {
		for {
			select {
			case <-quits:
				fmt.Fprintln(p.Err, "gregor: SIGQUIT: the stacks of all goroutines")
				if err := pprof.Lookup("goroutine").WriteTo(p.Err, wholeStacks); err != nil {
					fmt.Fprintf(p.Err, "gregor: the stacks: %v\n", err)
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return func() {
		signal.Stop(quits)
		group.Stop()
		_ = group.Wait() // it returns no errors
	}
}
