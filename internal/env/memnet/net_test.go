package memnet

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

func dialed(t *testing.T, n *Net) (l net.Listener, client, server net.Conn) {
	t.Helper()
	l, err := n.Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	if client, err = n.Dial(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return l, client, server
}

func TestBytesPassAndAddressesMatch(t *testing.T) {
	n := New()
	l, client, server := dialed(t, n)
	if client.RemoteAddr().String() != l.Addr().String() || client.LocalAddr().String() != server.RemoteAddr().String() {
		t.Errorf("addresses: %v to %v, seen as %v", client.LocalAddr(), client.RemoteAddr(), server.RemoteAddr())
	}
	go func() { _, _ = client.Write([]byte("hello")) }()
	got := make([]byte, 5)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(got); !errors.Is(err, io.EOF) {
		t.Errorf("Read after the peer closed = %v", err)
	}
	if _, err := server.Write(got); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after the peer closed = %v", err)
	}
	if _, err := client.Read(got); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close = %v", err)
	}
	if err := server.Close(); err != nil || n.Conns() != 0 {
		t.Errorf("%v, %d connections left", err, n.Conns())
	}
}

func TestCutBreaksAllAndFreesNames(t *testing.T) {
	n := New()
	l, client, server := dialed(t, n)
	n.Cut()
	if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Write after the cut = %v", err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read after the cut = %v", err)
	}
	if _, err := n.Dial(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial after the cut = %v", err)
	}
	again, err := n.Listen(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // the old machine's; it must not take the new name away
		t.Fatal(err)
	}
	if _, err := n.Dial(t.Context(), "tcp", again.Addr().String()); err != nil {
		t.Errorf("Dial to the new listener = %v", err)
	}
}

func TestAddressesAreExclusive(t *testing.T) {
	n := New()
	l, err := n.Listen(t.Context(), "tcp", "127.0.0.1:9092")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen(t.Context(), "tcp", ":9092"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second Listen = %v", err)
	}
	if _, err := n.Dial(t.Context(), "tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close = %v", err)
	}
	if _, err := n.Listen(t.Context(), "tcp", "127.0.0.1:9092"); err != nil {
		t.Errorf("Listen after Close = %v", err)
	}
	for _, bad := range []string{"nowhere", "example.com:1", "127.0.0.1:x"} {
		if _, err := n.Listen(t.Context(), "tcp", bad); err == nil {
			t.Errorf("Listen(%q) worked", bad)
		}
		if _, err := n.Dial(t.Context(), "tcp", bad); err == nil {
			t.Errorf("Dial(%q) worked", bad)
		}
	}
}
