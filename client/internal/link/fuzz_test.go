package link_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/internal/env"
)

// tape is a connection that has its answers already.
type tape struct {
	net.Conn
	rest []byte
}

func (c *tape) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *tape) Write(p []byte) (int, error) { return len(p), nil }
func (c *tape) Close() error                { return nil }

// FuzzAnswers: whatever a broker sends, there is an answer or an error.
func FuzzAnswers(f *testing.F) {
	hello, req := kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrMetadataRequest()
	hello.SetVersion(2)
	req.SetVersion(8)
	api, resp := versions(), kmsg.NewPtrMetadataResponse()
	api.SetVersion(2)
	resp.SetVersion(8)
	f.Add(append(encode(hello, api, 1), encode(req, resp, 2)...))
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, sent []byte) {
		dial := func(context.Context, string, string) (net.Conn, error) { return &tape{rest: sent}, nil }
		s := link.NewSingle(link.Config{Dial: dial, Acks: -1}, "broker:1", env.Real())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := s.Request(ctx, kmsg.NewPtrMetadataRequest())
		if (got == nil) == (err == nil) {
			t.Errorf("%v and %v", got, err)
		}
		s.Close()
	})
}
