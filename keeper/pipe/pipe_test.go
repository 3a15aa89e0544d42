package pipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
)

func ends() (net.Conn, net.Conn) {
	return New(env.Real().Clock, &net.TCPAddr{Port: 1}, &net.TCPAddr{Port: 2})
}

func TestBytesComeThrough(t *testing.T) {
	a, b := ends()
	if a.RemoteAddr().String() != b.LocalAddr().String() || a.LocalAddr().String() != b.RemoteAddr().String() {
		t.Fatal("the ends do not agree about their addresses")
	}
	want := bytes.Repeat([]byte("0123456789"), 100_000) // more than fits at once
	g := run.NewGroup(t.Context())
	g.Light(func() {
		if n, err := a.Write(want); n != len(want) || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestSmallWritesNeverBlock(t *testing.T) {
	a, b := ends()
	for range 100 {
		if _, err := a.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 1000)
	if n, err := b.Read(buf); n != 400 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestCloseUnblocksBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ends()
		c, d := ends()
		g := run.NewGroup(t.Context())
		var readErr, peerErr, writeErr error
		g.Light(func() { _, readErr = a.Read(make([]byte, 1)) })
		g.Light(func() { _, peerErr = b.Read(make([]byte, 1)) })
		g.Light(func() { _, writeErr = c.Write(make([]byte, Capacity+1)) })
		synctest.Wait()
		if err := errors.Join(b.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(readErr, io.EOF) || !errors.Is(peerErr, net.ErrClosed) || !errors.Is(writeErr, io.ErrClosedPipe) {
			t.Fatalf("%v, %v, %v", readErr, peerErr, writeErr)
		}
		if _, err := b.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("write after close: %v", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ends()
		start := time.Now()
		if err := a.SetReadDeadline(start.Add(3 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		if err := a.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("after the deadline was taken away: %d, %v", n, err)
		}
		if err := a.SetDeadline(time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write after its deadline: %v", err)
		}
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
	})
}
