package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

const address = "10.0.0.1:9092"

func TestCutHoldsBytesBack(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		at, to := w.connect(w.a.Boot(), w.b.Boot(), address)
		incoming := read(to)
		synctest.Wait()
		w.net.Cut("a", "b")
		sent := write(at, "one")
		w.waits(incoming)
		w.waits(sent)
		back := read(at)
		w.ended(write(to, "two"), "", nil, 0) // the other direction is whole
		w.ended(back, "two", nil, oneWay)
		time.Sleep(time.Minute - oneWay)
		w.net.Mend("a", "b")
		w.ended(sent, "", nil, time.Minute)
		w.ended(incoming, "one", nil, time.Minute+oneWay)
	})
}

// What is on its way when the link breaks arrives later, not never.
func TestCutCatchesWhatIsOnItsWay(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		at, to := w.connect(w.a.Boot(), w.b.Boot(), address)
		incoming := read(to)
		w.ended(write(at, "one"), "", nil, 0)
		w.net.Cut("a", "b")
		time.Sleep(time.Second)
		w.ok(to.SetReadDeadline(time.Now().Add(time.Second)))
		w.ended(incoming, "", os.ErrDeadlineExceeded, 2*time.Second)
		w.ok(to.SetReadDeadline(time.Time{}))
		w.net.MendAll()
		w.ended(read(to), "one", nil, 0)
	})
}

func TestCutAndDial(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		a, b := w.a.Boot(), w.b.Boot()
		l, err := b.Net.Listen(t.Context(), "tcp", address)
		w.ok(err)
		defer l.Close()
		dial := func(ctx context.Context) <-chan done {
			return begin(func() (string, error) {
				c, err := a.Net.Dial(ctx, "tcp", address)
				if err == nil {
					err = c.Close()
				}
				return "", err
			})
		}
		w.net.Cut("b", "a") // the answer would be lost
		w.ended(dial(t.Context()), "", syscall.ETIMEDOUT, connectTimeout)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.ended(dial(ctx), "", context.DeadlineExceeded, time.Second)
		dialing := dial(t.Context())
		time.Sleep(time.Second)
		w.net.Mend("b", "a")
		w.ended(dialing, "", nil, time.Second+2*oneWay)
		w.ended(dial(t.Context()), "", nil, 2*oneWay)
	})
}

// Clients are whoever is no host. A host that has just dialled is none of them.
func TestCutOutside(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		a, b := w.a.Boot(), w.b.Boot()
		w.net.Cut(Outside, "b")
		client, served := w.connect(w.base, b, "10.0.0.1:1")
		peer, accepted := w.connect(a, b, "10.0.0.1:2")
		fromClient, fromPeer := read(served), read(accepted)
		w.ended(write(client, "client"), "", nil, 0)
		w.ended(write(peer, "peer"), "", nil, 0)
		w.ended(fromPeer, "peer", nil, oneWay)
		w.waits(fromClient)
		w.ended(write(served, "answer"), "", nil, 0)
		w.ended(read(client), "answer", nil, oneWay)
		w.net.Mend(Outside, "b")
		w.ended(fromClient, "client", nil, 2*oneWay)
		// One that is known by its address only.
		w.net.Know("10.9.9.9:2181", "elsewhere")
		w.net.Cut("elsewhere", "a")
		w.net.Cut("a", "elsewhere")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Net.Dial(ctx, "tcp", "10.9.9.9:2181"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dialled somebody who is cut off: %v", err)
		}
	})
}

func TestKill(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		a, b := w.a.Boot(), w.b.Boot()
		f, err := a.FS.Open("/data", os.O_CREATE|os.O_RDWR, 0o644)
		w.ok(err)
		_, err = f.WriteAt([]byte("before"), 0)
		w.ok(err)
		_, err = a.FS.Lock("/lock")
		w.ok(err)
		_, err = a.Net.Listen(t.Context(), "tcp", "10.0.0.1:7")
		w.ok(err)
		at, to := w.connect(a, b, address)
		w.ended(write(at, "last words"), "", nil, 0)
		if left := strings.Join(w.a.Left(), ", "); left != "connection 10.0.0.1:32769 to 10.0.0.1:9092, file /data, listener 10.0.0.1:7, lock /lock" {
			t.Errorf("open: %s", left)
		}
		incoming := read(at)
		w.a.Kill()
		w.ended(incoming, "", net.ErrClosed, 0)
		if _, err := f.WriteAt([]byte("after!"), 0); !errors.Is(err, ErrKilled) {
			t.Errorf("write: %v", err)
		}
		for op, err := range map[string]error{
			"sync": f.Sync(), "truncate": f.Truncate(0), "rename": a.FS.Rename("/data", "/moved"), "remove": a.FS.Remove("/data"),
			"remove all": a.FS.RemoveAll("/data"), "mkdir": a.FS.MkdirAll("/dir", 0o755), "sync dir": a.FS.SyncDir("/"), "chtimes": a.FS.Chtimes("/data", time.Now()),
		} {
			if !errors.Is(err, ErrKilled) {
				t.Errorf("%s: %v", op, err)
			}
		}
		if _, err := a.Net.Dial(t.Context(), "tcp", "10.0.0.1:8"); err == nil {
			t.Error("the dead dial")
		}
		if _, err := a.Net.Listen(t.Context(), "tcp", "10.0.0.1:8"); !errors.Is(err, ErrKilled) {
			t.Errorf("listen: %v", err)
		}
		w.ended(read(to), "last words", nil, oneWay)
		w.ended(read(to), "", io.EOF, 1)

		again := w.a.Boot()
		text, err := again.FS.ReadFile("/data")
		if string(text) != "before" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		lock, err := again.FS.Lock("/lock")
		w.ok(err)
		w.ok(lock.Close())
		l, err := again.Net.Listen(t.Context(), "tcp", "10.0.0.1:7")
		w.ok(err)
		w.ok(l.Close())
		if left := w.a.Left(); left != nil {
			t.Errorf("open: %v", left)
		}
		w.ok(f.Close())
		var none *fs.PathError
		if _, err := again.FS.Stat("/dir"); !errors.As(err, &none) {
			t.Errorf("the dead made a directory: %v", err)
		}
	})
}

func TestPause(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		a := w.a.Boot()
		at, to := w.connect(a, w.b.Boot(), address)
		ticks := begin(func() (string, error) { <-a.Clock.NewTimer(time.Second).C(); return "", nil })
		fired := make(chan time.Time, 1)
		stopped := a.Clock.AfterFunc(time.Second, func() { fired <- time.Now() })
		incoming := read(at)
		w.a.Pause()
		w.a.Pause() // once is enough
		writes := begin(func() (string, error) { return "", a.FS.MkdirAll("/dir", 0o755) })
		w.ended(write(to, "hello"), "", nil, 0)
		leaves := write(at, "hello")
		time.Sleep(10 * time.Second)
		for _, ch := range []<-chan done{ticks, incoming, writes, leaves} {
			w.waits(ch)
		}
		if !stopped.Stop() {
			t.Error("a timer fired in a frozen process")
		}
		w.a.Resume()
		w.ended(writes, "", nil, 10*time.Second)
		w.ended(leaves, "", nil, 10*time.Second)
		w.ended(incoming, "hello", nil, 10*time.Second)
		w.ended(ticks, "", nil, 10*time.Second)
		if len(fired) != 0 {
			t.Error("a stopped timer fired")
		}
	})
}

// A process that is killed while it is frozen gets out of everything.
func TestKillWhilePaused(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		a := w.a.Boot()
		at, _ := w.connect(a, w.b.Boot(), address)
		w.a.Pause()
		writes := begin(func() (string, error) { return "", a.FS.MkdirAll("/dir", 0o755) })
		leaves := write(at, "hello")
		ticks := begin(func() (string, error) { <-a.Clock.NewTimer(time.Second).C(); return "", nil })
		w.waits(writes)
		w.a.Kill()
		w.ended(writes, "", ErrKilled, 0)
		w.ended(leaves, "", net.ErrClosed, 0)
		w.ended(ticks, "", nil, time.Second)
	})
}

func TestTimers(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		a := w.a.Boot()
		tm := a.Clock.NewTimer(time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !tm.Reset(time.Second) {
			t.Error("nobody had received it")
		}
		began := time.Now()
		<-tm.C()
		if d := time.Since(began); d != time.Second {
			t.Errorf("stale: %v", d)
		}
		if tm.Stop() || tm.Reset(time.Second) {
			t.Error("it was received")
		}
		if !tm.Stop() {
			t.Error("it was pending")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		select {
		case <-tm.C():
			t.Error("a stopped timer fired")
		default:
		}
	})
}

// A jump of the wall clock is seen by who asks what time it is, not by who
// measures or waits.
func TestJump(t *testing.T) {
	check := func(t *testing.T, base env.Env, wait func(time.Duration)) {
		h := NewNetwork().Host("a", base, Options{})
		clock := h.Boot().Clock
		before := clock.Now()
		for _, jump := range []time.Duration{time.Hour, -3 * time.Hour, time.Nanosecond} {
			h.Jump(jump)
		}
		wait(10 * time.Millisecond)
		after := clock.Now()
		if d := after.Sub(before); d < 10*time.Millisecond || d > time.Minute {
			t.Errorf("measured %v", d)
		}
		if !after.After(before) || !before.Add(time.Hour).After(after) {
			t.Errorf("%v is not behind %v", after, before)
		}
		if d := after.Round(0).Sub(before.Round(0)); d > -110*time.Minute || d < -121*time.Minute {
			t.Errorf("the wall clock moved by %v", d)
		}
		if d := time.UnixMilli(after.UnixMilli()).Sub(base.Clock.Now()); d > -110*time.Minute || d < -121*time.Minute {
			t.Errorf("the wall clock is off by %v", d)
		}
	}
	check(t, env.Real(), func(d time.Duration) { <-env.Real().Clock.NewTimer(d).C() })
	onWorld(t, func(t *testing.T, w *world) {
		check(t, w.base, time.Sleep)
		a := w.a.Boot()
		at, _ := w.connect(a, w.b.Boot(), address)
		w.a.Jump(-time.Hour)
		w.ok(at.SetReadDeadline(a.Clock.Now().Add(time.Second)))
		w.ended(read(at), "", os.ErrDeadlineExceeded, time.Second)
		w.ok(at.SetDeadline(time.Unix(1, 0)))
		w.ended(read(at), "", os.ErrDeadlineExceeded, 0)
	})
}

// Each life is a process of its own to who reads /proc.
func TestLivesDiffer(t *testing.T) {
	onWorld(t, func(t *testing.T, w *world) {
		self := fmt.Sprintf("/proc/%d/stat", os.Getpid())
		see := func(e env.Env) (boot, start string) {
			b, err := e.FS.ReadFile("/proc/sys/kernel/random/boot_id")
			w.ok(err)
			s, err := e.FS.ReadFile(self)
			w.ok(err)
			return string(b), strings.Fields(string(s[strings.LastIndexByte(string(s), ')')+1:]))[19]
		}
		boot1, start1 := see(w.a.Boot())
		w.a.Kill()
		boot2, start2 := see(w.a.Boot())
		w.a.PowerCut(w.base.FS)
		boot3, _ := see(w.a.Boot())
		if boot1 != boot2 || start1 == start2 || boot2 == boot3 {
			t.Errorf("boots %s %s %s, starts %s %s", boot1, boot2, boot3, start1, start2)
		}
	})
}
