package link_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/internal/env"
)

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func single(t *testing.T, cfg link.Config) *link.Single {
	s := link.NewSingle(cfg, "broker:1", env.Real())
	t.Cleanup(s.Close)
	return s
}

func TestSingle(t *testing.T) {
	b := &broker{t: t, answer: plain}
	s := single(t, config(b))
	ctx := bounded(t)
	for range 3 {
		resp, err := s.Request(ctx, kmsg.NewPtrMetadataRequest())
		if err != nil {
			t.Fatal(err)
		}
		if r := resp.(*kmsg.MetadataResponse); r.ControllerID != 42 || r.Version != 8 {
			t.Errorf("answer %+v", r)
		}
	}
	produce := kmsg.NewPtrProduceRequest()
	if _, err := s.Request(ctx, produce); err != nil || produce.Acks != -1 {
		t.Errorf("produce with acks %d: %v", produce.Acks, err)
	}
	if _, err := s.Request(ctx, kmsg.NewPtrFetchRequest()); !errors.Is(err, kerr.UnsupportedVersion) {
		t.Errorf("a request that the broker does not have: %v", err)
	}
	if _, err := s.Request(ctx, kmsg.NewPtrMetadataRequest()); err != nil {
		t.Fatal(err)
	}
	if conns, seen := b.took(); conns != 2 || len(seen) != 7 || seen[0] != "ApiVersions" || seen[5] != "ApiVersions" {
		t.Errorf("%d connections, %v", conns, seen)
	}
	s.Close()
	if _, err := s.Request(ctx, kmsg.NewPtrMetadataRequest()); !errors.Is(err, link.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Without acks nobody waits for an answer.
func TestSingleWithoutAcks(t *testing.T) {
	b := &broker{t: t, answer: plain}
	cfg := config(b)
	cfg.Acks = 0
	s := single(t, cfg)
	for range 3 {
		if _, err := s.Request(bounded(t), kmsg.NewPtrProduceRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Request(bounded(t), kmsg.NewPtrMetadataRequest()); err != nil {
		t.Fatal(err)
	}
	if conns, seen := b.took(); conns != 1 || len(seen) != 5 {
		t.Errorf("%d connections, %v", conns, seen)
	}
}

// A request that its context ends takes the connection along: its answer would be
// taken for the next one's.
func TestSingleGivesUp(t *testing.T) {
	var asked atomic.Bool
	b := &broker{t: t}
	b.answer = func(req kmsg.Request) kmsg.Response {
		if _, ok := req.(*kmsg.MetadataRequest); ok && !asked.Swap(true) {
			return nil
		}
		return plain(req)
	}
	s := single(t, config(b))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Request(ctx, kmsg.NewPtrMetadataRequest()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent broker: %v", err)
	}
	if _, err := s.Request(bounded(t), kmsg.NewPtrMetadataRequest()); err != nil {
		t.Error(err)
	}
	if conns, _ := b.took(); conns != 2 {
		t.Errorf("%d connections", conns)
	}
	cfg := config(b)
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody there") }
	if _, err := single(t, cfg).Request(bounded(t), kmsg.NewPtrMetadataRequest()); err == nil {
		t.Error("nobody answered")
	}
}

func TestSingleMeetsRubbish(t *testing.T) {
	for name, raw := range map[string]func([]byte) []byte{
		"negative length":     func([]byte) []byte { return []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0} },
		"huge length":         func(b []byte) []byte { return append([]byte{0x7f, 0xff, 0xff, 0xff}, b[4:]...) },
		"another's answer":    func(b []byte) []byte { b[7]++; return b },
		"brokers without end": func(b []byte) []byte { b[12] = 0x7f; return b },
		"body is cut":         func(b []byte) []byte { binary.BigEndian.PutUint32(b, uint32(len(b)-4-8)); return b[:len(b)-8] },
		"only a header":       func(b []byte) []byte { return []byte{0, 0, 0, 4, b[4], b[5], b[6], b[7]} },
		"a length of three":   func([]byte) []byte { return []byte{0, 0, 0, 3, 0, 0, 0} },
	} {
		b := &broker{t: t, answer: plain}
		b.raw = func(req kmsg.Request, frame []byte) []byte {
			if req.Key() == 3 {
				return raw(frame)
			}
			return frame
		}
		if resp, err := single(t, config(b)).Request(bounded(t), kmsg.NewPtrMetadataRequest()); err == nil {
			t.Errorf("%s: taken as %+v", name, resp)
		}
	}
}

// sasled is a broker with SASL/PLAIN.
func sasled(t *testing.T, lifetime int64, mechanisms ...string) *broker {
	return &broker{t: t, answer: func(req kmsg.Request) kmsg.Response {
		switch r := req.(type) {
		case *kmsg.SASLHandshakeRequest:
			resp := kmsg.NewPtrSASLHandshakeResponse()
			resp.SupportedMechanisms = mechanisms
			if !strings.Contains(strings.Join(mechanisms, " "), r.Mechanism) {
				resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
			}
			return resp
		case *kmsg.SASLAuthenticateRequest:
			resp := kmsg.NewPtrSASLAuthenticateResponse()
			resp.SessionLifetimeMillis = lifetime
			if string(r.SASLAuthBytes) != "\x00user\x00secret" {
				why := "wrong password"
				resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, &why
			}
			return resp
		}
		return plain(req)
	}}
}

// other is a mechanism that the broker does not have.
type other struct{ sasl.Mechanism }

func (other) Name() string { return "OTHER" }

func TestSingleAuthenticates(t *testing.T) {
	b := sasled(t, 0, "PLAIN")
	cfg := config(b)
	cfg.SASL = []sasl.Mechanism{other{}, saslplain.Auth{User: "user", Pass: "secret"}.AsMechanism()}
	s := single(t, cfg)
	for range 2 {
		if _, err := s.Request(bounded(t), kmsg.NewPtrMetadataRequest()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"ApiVersions", "SASLHandshake", "SASLHandshake", "SASLAuthenticate", "Metadata", "Metadata"}
	if _, seen := b.took(); !reflect.DeepEqual(seen, want) {
		t.Errorf("sent %v", seen)
	}
	cfg.SASL = []sasl.Mechanism{saslplain.Auth{User: "user", Pass: "guess"}.AsMechanism()}
	if _, err := single(t, cfg).Request(bounded(t), kmsg.NewPtrMetadataRequest()); !errors.Is(err, kerr.SaslAuthenticationFailed) || !strings.Contains(err.Error(), "wrong password") {
		t.Errorf("wrong password: %v", err)
	}
	cfg.SASL = []sasl.Mechanism{other{}}
	if _, err := single(t, cfg).Request(bounded(t), kmsg.NewPtrMetadataRequest()); !errors.Is(err, kerr.UnsupportedSaslMechanism) {
		t.Errorf("no mechanism in common: %v", err)
	}
}

// A connection whose credentials run out is made anew before the broker closes it.
func TestSingleAuthenticatesAgain(t *testing.T) {
	b := sasled(t, 1, "PLAIN")
	cfg := config(b)
	cfg.SASL = []sasl.Mechanism{saslplain.Auth{User: "user", Pass: "secret"}.AsMechanism()}
	s := single(t, cfg)
	for ctx := bounded(t); ; {
		if _, err := s.Request(ctx, kmsg.NewPtrMetadataRequest()); err != nil {
			t.Fatal(err)
		}
		if conns, _ := b.took(); conns > 2 {
			return
		}
	}
}

func TestSet(t *testing.T) {
	b := &broker{t: t, answer: plain}
	set := link.NewSet(config(b))
	defer set.Close()
	ctx := bounded(t)
	one, err := set.To("one:1")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := set.To("one:1"); err != nil || again != one {
		t.Errorf("another link to the same broker: %v", err)
	}
	two, err := set.To("two:2")
	if err != nil || two == one {
		t.Fatal("the same link to another broker", err)
	}
	produce := kmsg.NewPtrProduceRequest()
	if _, err := one.Request(ctx, produce); err != nil || produce.Acks != -1 {
		t.Errorf("produce with acks %d: %v", produce.Acks, err)
	}
	if _, err := one.Request(ctx, kmsg.NewPtrMetadataRequest()); err == nil {
		t.Error("it asks for metadata")
	}
	set.Keep(func(addr string) bool { return addr == "two:2" })
	if _, err := one.Request(ctx, produce); !errors.Is(err, link.ErrClosed) {
		t.Errorf("a broker that left: %v", err)
	}
	if _, err := two.Request(ctx, produce); err != nil {
		t.Error(err)
	}
	if back, err := set.To("one:1"); err != nil || back == one {
		t.Errorf("a broker that came back: %v", err)
	}
	for _, kind := range func() []string { _, seen := b.took(); return seen }() {
		if kind != "ApiVersions" && kind != "Produce" {
			t.Errorf("it sent %s", kind)
		}
	}
	set.Close()
	if _, err := set.To("one:1"); !errors.Is(err, link.ErrClosed) {
		t.Errorf("closed set: %v", err)
	}
	if _, err := two.Request(ctx, produce); !errors.Is(err, link.ErrClosed) {
		t.Errorf("closed link: %v", err)
	}
}

// Requests in flight end when their broker leaves.
func TestSetLeavesNobodyWaiting(t *testing.T) {
	asked := make(chan struct{}, 1)
	b := &broker{t: t}
	b.answer = func(req kmsg.Request) kmsg.Response {
		if req.Key() == 0 {
			asked <- struct{}{}
			return nil
		}
		return plain(req)
	}
	set := link.NewSet(config(b))
	defer set.Close()
	l, err := set.To("one:1")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.Request(context.Background(), kmsg.NewPtrProduceRequest())
		done <- err
	}()
	<-asked
	set.Keep(func(string) bool { return false })
	if err := <-done; !errors.Is(err, link.ErrClosed) {
		t.Errorf("request in flight: %v", err)
	}
}
