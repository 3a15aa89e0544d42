package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

// TestAliveUntil: what counts is when an answered request left, not when its
// answer came; requests without an answer count for nothing.
func TestAliveUntil(t *testing.T) {
	const timeout = 9 * time.Second
	inBubble(t, func(t *testing.T, f *fake) {
		start := time.Now()
		s, ctx := open(t, f, Config{Timeout: timeout}), t.Context()
		check := func(what string, sent time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := s.AliveUntil().Sub(start) - timeout; got != sent {
				t.Errorf("%s: as if sent at %v, want %v", what, got, sent)
			}
		}
		check("connected", 0)
		time.Sleep(time.Second)
		if err := s.Sync(ctx, "/"); err != nil {
			t.Fatal(err)
		}
		check("answered at once", time.Second)
		// The next ping leaves a third of the timeout after the request.
		time.Sleep(timeout / 3)
		check("ping", 4*time.Second)
		// An answer two seconds late proves no more than its request.
		held := make(chan func(), 1)
		f.with(func() {
			f.hook = func(c *fakeConn, h zk.RequestHeader, r zk.Request) bool {
				held <- func() { c.answer(h, r) }
				return true
			}
		})
		done := make(chan error, 1)
		if err := s.Send(ctx, &zk.SyncRequest{Path: "/"}, func(r Response) { done <- r.Err }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		check("no answer yet", 4*time.Second)
		f.with(func() { f.hook = nil })
		(<-held)()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		check("a late answer", 4*time.Second)
		if err := s.Sync(ctx, "/"); err != nil {
			t.Fatal(err)
		}
		check("the next", 6*time.Second)
		// Without a connection it stands still, whatever is asked.
		f.with(func() { f.refuse = true })
		f.kill()
		time.Sleep(time.Second)
		_ = s.Sync(ctx, "/")
		check("disconnected", 6*time.Second)
		f.with(func() { f.refuse = false })
		if err := s.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
		if at := s.AliveUntil(); !at.After(start.Add(6*time.Second + timeout)) {
			t.Errorf("connected again, alive until %v", at.Sub(start))
		}
		f.with(func() { clear(f.sessions) })
		f.kill()
		synctest.Wait()
		time.Sleep(time.Minute)
		if at := s.AliveUntil(); !at.IsZero() {
			t.Errorf("expired, alive until %v", at.Sub(start))
		}
	})
}
