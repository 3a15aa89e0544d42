package memnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

const oneWay = time.Millisecond

// delayedPair returns both ends of a connection on which everything takes oneWay.
func delayedPair(t *testing.T) (n *Net, client, server net.Conn) {
	t.Helper()
	n = NewDelayed(env.Real().Clock, func(_, _ net.Addr) time.Duration { return oneWay })
	l, err := n.Listen(t.Context(), "tcp", "10.0.0.1:9092")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if client, err = n.Dial(t.Context(), "tcp", "10.0.0.1:9092"); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return n, client, server
}

func TestDelayedBytesArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		n, client, server := delayedPair(t)
		if d := time.Since(began); d != 2*oneWay {
			t.Errorf("dialled in %v", d)
		}
		for _, s := range []string{"one ", "two ", "three"} {
			if _, err := io.WriteString(client, s); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(began); d != 2*oneWay {
			t.Errorf("writing took time: %v", d)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(server)
		if string(all) != "one two three" || err != nil {
			t.Errorf("%q, %v", all, err)
		}
		if d := time.Since(began); d < 3*oneWay || d > 3*oneWay+10 {
			t.Errorf("arrived after %v", d)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n.Conns() != 0 {
			t.Errorf("%d ends left", n.Conns())
		}
	})
}

func TestDelayedWriterWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := delayedPair(t)
		big := bytes.Repeat([]byte("0123456789abcdef"), 3*window/16)
		wrote := make(chan error, 1)
		go func() {
			_, err := client.Write(big)
			wrote <- err
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		select {
		case err := <-wrote:
			t.Fatalf("three windows went into one: %v", err)
		default:
		}
		got := make([]byte, len(big))
		if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got, big) {
			t.Errorf("not what was sent: %v", err)
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		_, _ = client.Close(), server.Close()
	})
}

func TestDelayedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client, server := delayedPair(t)
		// A deadline passes, and can be moved again.
		if err := client.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		if _, err := client.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if err := client.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(server, "x"); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(b[:]); n != 1 || err != nil {
			t.Errorf("read: %d %v", n, err)
		}
		// Close wakes who reads, and who writes to nobody learns of it.
		read := make(chan error, 1)
		go func() {
			_, err := server.Read(b[:])
			read <- err
		}()
		synctest.Wait()
		_ = server.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a closed end: %v", err)
		}
		if _, err := io.WriteString(client, "nobody reads this"); err != nil {
			t.Errorf("the first write cannot know: %v", err)
		}
		time.Sleep(2 * oneWay)
		synctest.Wait()
		if _, err := io.WriteString(client, "nor this"); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write: %v", err)
		}
		if _, err := client.Read(b[:]); !errors.Is(err, io.EOF) {
			t.Errorf("read: %v", err)
		}
		_ = client.Close()
	})
}

func TestDelayedDialIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, client, server := delayedPair(t)
		_, _ = client.Close(), server.Close()
		if _, err := n.Dial(t.Context(), "tcp", "10.0.0.1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v", err)
		}
	})
}
