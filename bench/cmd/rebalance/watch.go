package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

const (
	// lookEvery is the pause between two looks whether all is dealt; the time of
	// that is taken from the events, not from the looks.
	lookEvery = 50 * time.Millisecond
	// quietFor is how long no owner node may change before a group counts as calm:
	// longer than rebalance.backoff.ms of 0.8.2.2.
	quietFor = 5 * time.Second
)

// watcher sees every write below the group's node.
type watcher struct {
	s          *session.Session
	partitions int

	mu struct {
		sync.Mutex
		owners, offsets, others int
		// there are the owner nodes, last is when one of them came or went.
		there map[string]bool
		last  time.Time
	}
}

func newWatcher(ctx context.Context, connect string, partitions int) (*watcher, error) {
	w := &watcher{partitions: partitions}
	w.mu.there = map[string]bool{}
	servers, chroot, err := znode.ParseConnect(connect)
	if err != nil {
		return nil, err
	}
	w.s, err = session.Dial(ctx, session.Config{Servers: servers, Chroot: chroot, OnEvent: w.event, Timeout: 30 * time.Second}, env.Real())
	if err != nil {
		return nil, err
	}
	return w, w.s.AddWatch(ctx, znode.GroupPath(group), zk.WatchRecursive)
}

func (w *watcher) close() { _ = w.s.Close(context.Background()) }

func (w *watcher) event(ev zk.Event) {
	kind := znode.ParsePath(ev.Path).Kind
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev.Type {
	case zk.EventCreated, zk.EventDeleted, zk.EventDataChanged:
	default:
		return
	}
	switch kind {
	case znode.OwnerNode:
		w.mu.owners++
		w.mu.last = time.Now()
		if ev.Type == zk.EventDeleted {
			delete(w.mu.there, ev.Path)
		} else {
			w.mu.there[ev.Path] = true
		}
	case znode.OffsetNode:
		w.mu.offsets++
	default:
		w.mu.others++
	}
}

// reset counts from 0.
func (w *watcher) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.owners, w.mu.offsets, w.mu.others = 0, 0, 0
}

func (w *watcher) counts() (owners, offsets, others int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.owners, w.mu.offsets, w.mu.others
}

// full tells whether every partition has an owner node, and since when.
func (w *watcher) full() (bool, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.there) == w.partitions, w.mu.last
}

// dealt waits until members own the ranges that they should, and returns how long
// that took since a moment.
func (w *watcher) dealt(ctx context.Context, since time.Time, members []string) (time.Duration, error) {
	want := ranges(members, w.partitions)
	var seen time.Time
	for {
		if full, last := w.full(); full && last.After(seen) {
			seen = last
			right, err := w.owned(ctx, want)
			if err != nil {
				return 0, err
			}
			// What changed during the look is looked at again.
			if again, now := w.full(); right && again && now.Equal(last) {
				return last.Sub(since), nil
			}
		}
		if err := pause(ctx, lookEvery); err != nil {
			return 0, err
		}
	}
}

// ranges are the owners of partitions as the range assignor deals them.
func ranges(members []string, partitions int) []string {
	slices.Sort(members)
	var out []string
	for i, m := range members {
		n := partitions / len(members)
		if i < partitions%len(members) {
			n++
		}
		out = append(out, slices.Repeat([]string{znode.ThreadID(m, 0)}, n)...)
	}
	return out
}

// owned tells whether the owner nodes hold what they should.
func (w *watcher) owned(ctx context.Context, want []string) (bool, error) {
	reqs := make([]zk.Request, w.partitions)
	for p := range reqs {
		reqs[p] = &zk.GetDataRequest{Path: znode.OwnerPath(group, topic, int32(p))}
	}
	for p, resp := range w.s.Do(ctx, reqs) {
		if errors.Is(resp.Err, zk.ErrNoNode) {
			return false, nil
		}
		body, ok := resp.Body.(*zk.GetDataResponse)
		if resp.Err != nil || !ok {
			return false, fmt.Errorf("owner of partition %d: %w", p, resp.Err)
		}
		if string(body.Data) != want[p] {
			return false, nil
		}
	}
	return true, nil
}

// quiet waits until no owner node has changed for a while.
func (w *watcher) quiet(ctx context.Context) error {
	for {
		_, last := w.full()
		left := quietFor - time.Since(last)
		if left <= 0 {
			return nil
		}
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
