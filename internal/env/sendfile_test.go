package env

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

func TestSendFileSendsTheRange(t *testing.T) {
	content := make([]byte, 3<<20)
	for i := range content {
		content[i] = byte(i * 7)
	}
	disk, name := Real().FS, t.TempDir()+"/f"
	f, err := disk.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	ln, err := Real().Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := make(chan []byte, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- nil
			return
		}
		b, _ := io.ReadAll(c)
		got <- b
	}()
	c, err := Real().Net.Dial(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := SendFile(c, f, 1000, 2<<20)
	if runtime.GOOS != "linux" && errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no zero-copy send on this system")
	}
	if err != nil || n != 2<<20 {
		t.Fatalf("%d bytes sent, %v", n, err)
	}
	if n, err := SendFile(c, f, int64(len(content))-10, 20); n != 10 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("beyond the end: %d bytes sent, %v", n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Clone(content[1000:1000+2<<20]), content[len(content)-10:]...)
	if b := <-got; !bytes.Equal(b, want) {
		t.Fatalf("%d bytes came, other than the %d sent", len(b), len(want))
	}
}

func TestSendFileKeepsTheDeadline(t *testing.T) {
	disk, name := Real().FS, t.TempDir()+"/f"
	f, err := disk.Open(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 64 << 20 // more than the socket buffers take
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	ln, err := Real().Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := Real().Net.Dial(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := SendFile(c, f, 0, size)
	switch {
	case errors.Is(err, errors.ErrUnsupported): // not on this system
	case n == 0 || n == size || !errors.Is(err, os.ErrDeadlineExceeded):
		t.Fatalf("SendFile to who reads nothing = %d, %v; want what the socket's buffers took", n, err)
	}
	one, two := net.Pipe()
	defer one.Close()
	defer two.Close()
	if _, err := SendFile(one, f, 0, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SendFile to a pipe = %v", err)
	}
}
