package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/gregor-mq/gregor/internal/env"
)

// clusterDown asks the process that runs a cluster to stop it, and waits until
// it has.
func (p Program) clusterDown(ctx context.Context, d *clusterDir) error {
	lock, err := d.files.Lock(d.in(lockName))
	if err == nil {
		fmt.Fprintf(p.Out, "the cluster in %s is not up\n", d.path)
		return lock.Close()
	}
	if !errors.Is(err, env.ErrLocked) {
		return err
	}
	l, ok := d.running(d.in(pidFile))
	if !ok {
		return fmt.Errorf("the cluster in %s is up, but this system does not tell in which process: press Ctrl-C where it runs", d.path)
	}
	process, err := os.FindProcess(l.PID)
	if err == nil {
		err = process.Signal(syscall.SIGTERM)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("process %d: %w", l.PID, err)
	}
	// Brokers and keeper have their time one after the other.
	ctx, cancel := context.WithTimeout(ctx, 2*(stopTimeout+lastGrace))
	defer cancel()
	for l.Alive(d.files) {
		if err := env.Sleep(ctx, p.Env.Clock, upPoll); err != nil {
			return fmt.Errorf("process %d still runs: %w", l.PID, err)
		}
	}
	fmt.Fprintf(p.Out, "the cluster in %s is down\n", d.path)
	return nil
}
