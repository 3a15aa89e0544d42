package link

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/internal/env"
)

// maxResponse bounds answers in bytes, as franz-go does.
const maxResponse = 100 << 20

// Single is one TCP connection to one broker for requests of all kinds, one at a
// time. It connects when it is first used and again after a failure. All methods
// may be called from many goroutines.
type Single struct {
	cfg  Config
	addr string
	env  env.Env
	// turn holds a token while nobody uses what follows.
	turn   chan struct{}
	conn   net.Conn
	r      *bufio.Reader
	format *kmsg.RequestFormatter
	// max are the broker's highest versions by API key.
	max    map[int16]int16
	xid    int32
	closed bool
	// expiry is when the broker wants to be shown credentials again; zero is never.
	expiry time.Time
}

// NewSingle returns a connection to the broker at an address, not made yet.
func NewSingle(cfg Config, addr string, e env.Env) *Single {
	s := &Single{cfg: cfg, addr: addr, env: e, turn: make(chan struct{}, 1), format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(cfg.ClientID))}
	s.turn <- struct{}{}
	return s
}

// Request sends a request and waits for its answer, or for ctx: a request that
// ctx ends takes the connection with it. A Produce request gets the Acks of the
// Config; without acks its answer is empty. After an error the request may have
// been done.
func (s *Single) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { s.turn <- struct{}{} }()
	if s.closed {
		return nil, ErrClosed
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	resp, err := s.exchange(ctx, req)
	if err != nil {
		s.hangUp()
		return nil, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp, nil
}

// Close closes the connection, after the request that uses it.
func (s *Single) Close() {
	<-s.turn
	s.hangUp()
	s.closed = true
	s.turn <- struct{}{}
}

func (s *Single) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// ready makes the connection unless there is one that still counts.
func (s *Single) ready(ctx context.Context) error {
	if s.conn != nil && (s.expiry.IsZero() || s.env.Clock.Now().Before(s.expiry)) {
		return nil
	}
	s.hangUp()
	conn, err := s.cfg.dial(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	s.conn, s.r, s.max, s.expiry = conn, bufio.NewReader(conn), nil, time.Time{}
	if err = s.greet(ctx); err == nil {
		err = s.authenticate(ctx)
	}
	if err != nil {
		s.hangUp()
		return fmt.Errorf("connect to %s: %w", s.addr, err)
	}
	return nil
}

// greet learns the broker's versions.
func (s *Single) greet(ctx context.Context) error {
	req := kmsg.NewPtrApiVersionsRequest()
	resp, err := s.exchange(ctx, req)
	if err != nil {
		return err
	}
	v, ok := resp.(*kmsg.ApiVersionsResponse)
	if !ok {
		return errors.New("no answer to ApiVersions")
	}
	if err := kerr.ErrorForCode(v.ErrorCode); err != nil {
		return err
	}
	s.max = map[int16]int16{}
	for _, k := range v.ApiKeys {
		s.max[k.ApiKey] = k.MaxVersion
	}
	return nil
}

// exchange sends one request on the connection and reads its answer.
func (s *Single) exchange(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	if err := s.settle(req); err != nil {
		return nil, err
	}
	produce, isProduce := req.(*kmsg.ProduceRequest)
	if isProduce {
		produce.Acks = s.cfg.Acks
	}
	defer context.AfterFunc(ctx, func() { s.conn.Close() })()
	s.xid++
	frame := s.format.AppendRequest(nil, req, s.xid)
	if _, err := s.conn.Write(frame); err != nil {
		return nil, s.why(ctx, err)
	}
	if isProduce && produce.Acks == 0 {
		resp := kmsg.NewPtrProduceResponse()
		resp.SetVersion(req.GetVersion())
		return resp, nil
	}
	body, err := s.answer(req)
	if err != nil {
		return nil, s.why(ctx, err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return resp, nil
}

// settle gives req the highest version that both sides have and that has no tagged
// fields. In those a few bytes can claim billions of fields, and kmsg counts them
// all; what they carry is of no use here.
func (s *Single) settle(req kmsg.Request) error {
	highest := req.MaxVersion()
	if s.max != nil {
		theirs, ok := s.max[req.Key()]
		if !ok {
			return kerr.UnsupportedVersion
		}
		highest = min(highest, theirs)
	}
	for req.SetVersion(highest); req.IsFlexible(); req.SetVersion(highest) {
		highest--
	}
	return nil
}

// why names the end of ctx as the cause of what it broke.
func (s *Single) why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// answer reads the frame that answers req and returns its body.
func (s *Single) answer(req kmsg.Request) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(s.r, size[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > maxResponse {
		return nil, fmt.Errorf("answer of %d bytes", n)
	}
	frame, err := readFrame(s.r, int(n))
	if err != nil {
		return nil, err
	}
	if xid := int32(binary.BigEndian.Uint32(frame)); xid != s.xid {
		return nil, fmt.Errorf("answer to request %d, asked %d", xid, s.xid)
	}
	return frame[4:], nil
}

// readStep is how much memory a length that was only claimed is given at a time.
const readStep = 1 << 20

// readFrame reads n bytes into memory that grows with what arrives.
func readFrame(r io.Reader, n int) ([]byte, error) {
	var frame []byte
	for len(frame) < n {
		at, step := len(frame), min(readStep, n-len(frame))
		frame = append(frame, make([]byte, step)...)
		if _, err := io.ReadFull(r, frame[at:]); err != nil {
			return nil, err
		}
	}
	return frame, nil
}
