package sim

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// run is a whole life of a cluster. It is the bubble's main goroutine.
func (w *world) run() {
	go w.sched.Run()
	defer w.sched.Stop()
	w.setup = w.choose()
	w.trace.Add("%+v", w.setup)
	w.zookeeper = w.newKeeper()
	for id := range w.setup.brokers {
		w.brokers = append(w.brokers, w.newBroker(id))
	}
	w.zookeeper.boot()
	for _, b := range w.brokers {
		b.boot()
	}
	look := w.newObserver("observer")
	load := w.startLoad()
	w.disasters(look)
	w.heal()
	load.drain()
	w.sleep(aftermath)
	w.settle(look)
	w.checkTopics(look)
	load.commits.verify()
	w.checkOnline(look)
	found := w.settle(look)
	look.close()
	for _, b := range w.brokers {
		b.stop()
	}
	w.zookeeper.stop()
	w.checkDisks(found)
	w.checkLeft()
}

// awaitThat waits until something holds, or notes that it never did.
func (w *world) awaitThat(what string, holds func() error) {
	var err error
	for range int(patience / (100 * time.Millisecond)) {
		if err = holds(); err == nil {
			return
		}
		w.sleep(100 * time.Millisecond)
	}
	w.problem(fmt.Errorf("never, %v after all was healed: %s: %w", patience, what, err))
}

// settle waits until every partition has all its replicas in sync, and returns
// how they stand then.
func (w *world) settle(look *observer) (found []partition) {
	w.awaitThat("all replicas are in sync", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var err error
		if found, err = look.partitions(ctx); err != nil {
			return err
		}
		if err = allInSync(found); err != nil {
			return err
		}
		return w.moving()
	})
	for _, p := range found {
		w.trace.Add("found %v", p)
	}
	return found
}

func allInSync(all []partition) error {
	for _, p := range all {
		if p.state.Leader < 0 || len(p.state.ISR) != len(p.replicas) || p.moving {
			return fmt.Errorf("%v", p)
		}
	}
	return nil
}

// result joins all problems.
func (w *world) result() error {
	w.problems.Lock()
	defer w.problems.Unlock()
	return errors.Join(w.problems.all...)
}
