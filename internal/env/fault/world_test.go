package fault

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// world is two hosts and an outsider over one memory network, in virtual time.
type world struct {
	t    *testing.T
	net  *Network
	base env.Env
	a, b *Host
}

func onWorld(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: NewNetwork(), base: env.Real()}
		w.base.Net = memnet.NewDelayed(w.base.Clock, func(_, _ net.Addr) time.Duration { return oneWay })
		w.base.FS = memfs.New(0, time.Now)
		w.a, w.b = w.net.Host("a", w.base, Options{}), w.net.Host("b", w.base, Options{})
		story(t, w)
	})
}

// oneWay is how long everything takes on the network.
const oneWay = time.Millisecond

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// connect returns both ends of a connection.
func (w *world) connect(from, to env.Env, address string) (dialed, accepted net.Conn) {
	w.t.Helper()
	l, err := to.Net.Listen(w.t.Context(), "tcp", address)
	w.ok(err)
	dialed, err = from.Net.Dial(w.t.Context(), "tcp", address)
	w.ok(err)
	accepted, err = l.Accept()
	w.ok(err)
	w.t.Cleanup(func() {
		_, _, _ = l.Close(), dialed.Close(), accepted.Close() // over
	})
	return dialed, accepted
}

// done is how something in the background ended, and when.
type done struct {
	text string
	err  error
	at   time.Duration
}

// begin does something in the background.
func begin(f func() (string, error)) <-chan done {
	began, out := time.Now(), make(chan done, 1)
	go func() {
		text, err := f()
		out <- done{text, err, time.Since(began)}
	}()
	return out
}

// read reads once in the background.
func read(c net.Conn) <-chan done {
	return begin(func() (string, error) {
		var b [16]byte
		n, err := c.Read(b[:])
		return string(b[:n]), err
	})
}

// write writes in the background.
func write(c net.Conn, text string) <-chan done {
	return begin(func() (string, error) {
		_, err := c.Write([]byte(text))
		return "", err
	})
}

func (w *world) ended(ch <-chan done, text string, err error, at time.Duration) {
	w.t.Helper()
	if d := <-ch; d.text != text || !errors.Is(d.err, err) || d.at != at {
		w.t.Errorf("%q, %v after %v; want %q, %v after %v", d.text, d.err, d.at, text, err, at)
	}
}

func (w *world) waits(ch <-chan done) {
	w.t.Helper()
	synctest.Wait()
	select {
	case d := <-ch:
		w.t.Errorf("did not wait: %q, %v after %v", d.text, d.err, d.at)
	default:
	}
}
