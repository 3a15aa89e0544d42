package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
)

// server is the far end of every connection that a client opens.
type server struct {
	t *testing.T
	// handle answers one request; nil answers nothing.
	handle func(h wire.RequestHeader, body []byte) []byte
	mu     sync.Mutex
	conns  []net.Conn
	dials  int
	refuse error
}

func (s *server) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, errors.New("not here")
}

func (s *server) Dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	if s.refuse != nil {
		return nil, s.refuse
	}
	near, far := net.Pipe()
	s.conns = append(s.conns, far)
	go s.serve(far)
	return near, nil
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		h, body, err := wire.DecodeRequestHeader(frame)
		if err != nil {
			s.t.Error(err)
			return
		}
		if out := s.handle(h, body); out != nil {
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

func respond(t *testing.T, h wire.RequestHeader, body wire.Body) []byte {
	var w wire.Writer
	if err := wire.EncodeResponse(&w, h.Version, h.CorrelationID, body); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// setup runs f in virtual time with a client of a server.
func setup(t *testing.T, cfg Config, s *server, f func(t *testing.T, c *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		e := env.Real()
		e.Net = s
		cfg.Address, cfg.ClientID = "b:1", "7"
		c := New(t.Context(), cfg, e)
		defer func() {
			if err := c.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			s.close()
			synctest.Wait()
		}()
		f(t, c)
	})
}

func metadata(name string) *wire.UpdateMetadataRequest {
	return &wire.UpdateMetadataRequest{TopicStates: []wire.UpdateMetadataRequestTopicState{{TopicName: name}}}
}

func TestCallsArePipelined(t *testing.T) {
	var waiting []wire.RequestHeader
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		// Answer three at once, in order.
		if waiting = append(waiting, h); len(waiting) < 3 {
			return nil
		}
		var out []byte
		for i, h := range waiting {
			if *h.ClientID != "7" || h.Version != 8 || h.Key != wire.KeyUpdateMetadata {
				t.Errorf("header %+v", h)
			}
			out = append(out, respond(t, h, &wire.UpdateMetadataResponse{ErrorCode: wire.Code(i)})...)
		}
		return out
	}}
	setup(t, Config{}, s, func(t *testing.T, c *Client) {
		codes := make(chan wire.Code, 3)
		for range 3 {
			go func() {
				r, err := c.Ask(t.Context(), metadata("t"), 8)
				if err != nil {
					t.Error(err)
					return
				}
				codes <- r.(*wire.UpdateMetadataResponse).ErrorCode
			}()
		}
		sum := <-codes + <-codes + <-codes
		if sum != 3 || s.dials != 1 {
			t.Errorf("codes add up to %d over %d connections", sum, s.dials)
		}
	})
}

func TestBufferIsUsedAgain(t *testing.T) {
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		return respond(t, h, &wire.ApiVersionsResponse{ApiKeys: make([]wire.ApiVersionsResponseApiVersion, 10_000)})
	}}
	setup(t, Config{}, s, func(t *testing.T, c *Client) {
		call := Call{Request: &wire.ApiVersionsRequest{}, Version: 0}
		if err := c.Do(t.Context(), &call); err != nil {
			t.Fatal(err)
		}
		first := &call.Buffer[0]
		if err := c.Do(t.Context(), &call); err != nil || first != &call.Buffer[0] {
			t.Errorf("%v; another buffer", err)
		}
		if n := len(call.Response.(*wire.ApiVersionsResponse).ApiKeys); n != 10_000 {
			t.Errorf("%d keys", n)
		}
	})
}

func TestTimeoutCostsTheConnection(t *testing.T) {
	silent := true
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		if silent {
			return nil
		}
		return respond(t, h, &wire.UpdateMetadataResponse{})
	}}
	setup(t, Config{Timeout: 3 * time.Second}, s, func(t *testing.T, c *Client) {
		began := time.Now()
		_, err := c.Ask(t.Context(), metadata("t"), 8)
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "UpdateMetadata v8 to b:1") {
			t.Errorf("error %v", err)
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
		synctest.Wait()
		silent = false
		if _, err := c.Ask(t.Context(), metadata("t"), 8); err != nil || s.dials != 2 {
			t.Errorf("next call: %v, %d connections", err, s.dials)
		}
	})
}

func TestNoTimeout(t *testing.T) {
	s := &server{handle: func(wire.RequestHeader, []byte) []byte { return nil }}
	setup(t, Config{Timeout: -1}, s, func(t *testing.T, c *Client) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 24*time.Hour, errors.New("a day"))
		defer cancel()
		if _, err := c.Ask(ctx, metadata("t"), 8); err == nil || !strings.Contains(err.Error(), "a day") {
			t.Errorf("error %v", err)
		}
	})
}

func TestBrokenConnections(t *testing.T) {
	var answer func(h wire.RequestHeader) []byte
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte { return answer(h) }}
	setup(t, Config{MaxResponse: 1000}, s, func(t *testing.T, c *Client) {
		f := func(words string, a func(h wire.RequestHeader) []byte) {
			t.Helper()
			synctest.Wait()
			answer = a
			_, err := c.Ask(t.Context(), metadata("t"), 8)
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("error %v, want %q", err, words)
			}
		}
		good := func(h wire.RequestHeader) []byte { return respond(t, h, &wire.UpdateMetadataResponse{}) }
		f("correlation id", func(h wire.RequestHeader) []byte { h.CorrelationID++; return good(h) })
		f("outside of 4 to 1000", func(wire.RequestHeader) []byte { return []byte{0, 0, 4, 0} })
		f("outside of 4 to 1000", func(wire.RequestHeader) []byte { return []byte{0xff, 0xff, 0xff, 0xff} })
		f("UpdateMetadata", func(h wire.RequestHeader) []byte { b := good(h); b[3]++; return append(b, 9) })
		f("UpdateMetadata", func(wire.RequestHeader) []byte { return []byte{0, 0, 0, 4, 0, 0, 0, 0} })
		f("EOF", func(wire.RequestHeader) []byte { go s.close(); return nil })
		s.refuse = errors.New("connection refused")
		f("connection refused", good)
		s.refuse = nil
		synctest.Wait()
		answer = good
		if _, err := c.Ask(t.Context(), metadata("t"), 8); err != nil {
			t.Errorf("after all that: %v", err)
		}
		// What cannot be encoded costs no connection.
		before := s.dials
		if _, err := c.Ask(t.Context(), metadata("t"), 99); err == nil {
			t.Error("version 99 was sent")
		}
		if _, err := c.Ask(t.Context(), metadata("t"), 8); err != nil || s.dials != before {
			t.Errorf("%v, %d connections more", err, s.dials-before)
		}
	})
}

func TestUnaskedAnswer(t *testing.T) {
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		b := respond(t, h, &wire.UpdateMetadataResponse{})
		return append(b, b...)
	}}
	setup(t, Config{}, s, func(t *testing.T, c *Client) {
		if _, err := c.Ask(t.Context(), metadata("t"), 8); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if l, _ := c.current(); l != nil {
			t.Error("the connection lives on")
		}
	})
}

func TestClose(t *testing.T) {
	s := &server{handle: func(wire.RequestHeader, []byte) []byte { return nil }}
	setup(t, Config{MaxInFlight: 1}, s, func(t *testing.T, c *Client) {
		errs := make(chan error, 2)
		for range 2 { // the second waits for a slot
			go func() { _, err := c.Ask(t.Context(), metadata("t"), 8); errs <- err }()
		}
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Errorf("error %v", err)
			}
		}
		if _, err := c.Ask(t.Context(), metadata("t"), 8); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}

func TestNegotiation(t *testing.T) {
	var asked []int16
	newest := int16(4)
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		if h.Key != wire.KeyApiVersions {
			return respond(t, h, &wire.AlterPartitionResponse{})
		}
		asked = append(asked, h.Version)
		a := &wire.ApiVersionsResponse{ApiKeys: []wire.ApiVersionsResponseApiVersion{
			{ApiKey: int16(wire.KeyApiVersions), MaxVersion: newest}, {ApiKey: int16(wire.KeyAlterPartition), MinVersion: 1, MaxVersion: 2},
		}}
		if h.Version > newest {
			a.ErrorCode = wire.CodeUnsupportedVersion
			h.Version = 0
		}
		return respond(t, h, a)
	}}
	for _, newest = range []int16{4, 2, 0} {
		asked = nil
		setup(t, Config{Negotiate: true, SoftwareName: "gregor", SoftwareVersion: "1"}, s, func(t *testing.T, c *Client) {
			f := func(k wire.Key, limit, want int16, ok bool) {
				t.Helper()
				v, err := c.Version(t.Context(), k, limit)
				if v != want || ok != (err == nil) || !ok && !errors.Is(err, ErrUnsupported) {
					t.Errorf("version %d, %v", v, err)
				}
			}
			f(wire.KeyAlterPartition, 3, 2, true)
			f(wire.KeyAlterPartition, 1, 1, true)
			f(wire.KeyAlterPartition, 0, 0, false)
			f(wire.KeyFetch, 17, 0, false)
			if _, err := c.Ask(t.Context(), &wire.AlterPartitionRequest{}, 2); err != nil {
				t.Error(err)
			}
		})
		want := "[4]"
		if newest < 4 {
			want = fmt.Sprint([]int16{4, newest})
		}
		if got := fmt.Sprint(asked); got != want {
			t.Errorf("asked for versions %s, want %s", got, want)
		}
	}
}

func TestNegotiationFails(t *testing.T) {
	code := wire.CodeUnsupportedVersion
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		h.Version = 0
		return respond(t, h, &wire.ApiVersionsResponse{ErrorCode: code})
	}}
	for _, code = range []wire.Code{wire.CodeUnsupportedVersion, wire.CodeClusterAuthorizationFailed} {
		setup(t, Config{Negotiate: true}, s, func(t *testing.T, c *Client) {
			if _, err := c.Version(t.Context(), wire.KeyFetch, 1); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestSecure(t *testing.T) {
	s := &server{handle: func(h wire.RequestHeader, _ []byte) []byte {
		if h.Key == wire.KeySaslHandshake {
			return respond(t, h, &wire.SaslHandshakeResponse{Mechanisms: []string{"PLAIN"}})
		}
		return respond(t, h, &wire.UpdateMetadataResponse{})
	}}
	fail := false
	cfg := Config{Secure: func(_ context.Context, conn net.Conn) (net.Conn, error) {
		if fail {
			return nil, errors.New("wrong password")
		}
		var resp wire.SaslHandshakeResponse
		name := "7"
		_, err := RoundTrip(conn, wire.RequestHeader{Key: wire.KeySaslHandshake, Version: 1, ClientID: &name},
			&wire.SaslHandshakeRequest{Mechanism: "PLAIN"}, &resp, 1000)
		if len(resp.Mechanisms) != 1 {
			t.Errorf("handshake %+v", resp)
		}
		return conn, err
	}}
	setup(t, cfg, s, func(t *testing.T, c *Client) {
		if _, err := c.Ask(t.Context(), metadata("t"), 8); err != nil {
			t.Error(err)
		}
		c.Disconnect(errors.New("moved"))
		fail = true
		if _, err := c.Ask(t.Context(), metadata("t"), 8); err == nil || !strings.Contains(err.Error(), "wrong password") {
			t.Errorf("error %v", err)
		}
	})
}

// TestHandshakeTimesOut connects to a peer that never speaks.
func TestHandshakeTimesOut(t *testing.T) {
	s := &server{handle: func(wire.RequestHeader, []byte) []byte { return nil }}
	setup(t, Config{Negotiate: true, Timeout: time.Second}, s, func(t *testing.T, c *Client) {
		if _, err := c.Version(t.Context(), wire.KeyFetch, 1); !errors.Is(err, ErrTimeout) {
			t.Errorf("error %v", err)
		}
	})
}

// FuzzAnswers feeds arbitrary bytes to a client that waits for an answer.
func FuzzAnswers(f *testing.F) {
	good := &wire.UpdateMetadataResponse{}
	var w wire.Writer
	if err := wire.EncodeResponse(&w, 8, 0, good); err != nil {
		f.Fatal(err)
	}
	f.Add(w.Bytes())
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		near, far := net.Pipe()
		l := &link{conn: near, r: nil, limit: 1 << 20, wake: make(chan struct{}, 1)}
		l.r = newReader(near)
		call := Call{Request: metadata("t"), Version: 8, Response: &wire.UpdateMetadataResponse{}}
		p := &pending{call: &call, done: make(chan struct{})}
		if err := l.enqueue(p, make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		go func() {
			far.Write(data)
			far.Close()
		}()
		l.read()
		<-p.done
		if cap(call.Buffer) > 2*max(len(data), readBuffer) {
			t.Errorf("%d bytes held for %d received", cap(call.Buffer), len(data))
		}
	})
}
