package link_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
)

// broker answers requests by a function, over pipes.
type broker struct {
	t      *testing.T
	answer func(kmsg.Request) kmsg.Response
	mu     sync.Mutex
	conns  int
	seen   []string
	// raw replaces a whole answer, its length included, when it is set.
	raw func(req kmsg.Request, frame []byte) []byte
}

// dial is a link.Config.Dial.
func (b *broker) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	b.mu.Lock()
	b.conns++
	b.mu.Unlock()
	go b.serve(theirs)
	return ours, nil
}

func (b *broker) took() (conns int, seen []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conns, b.seen
}

func (b *broker) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		req, xid, err := decode(frame)
		if err != nil {
			b.t.Errorf("client sent rubbish: %v", err)
			return
		}
		b.mu.Lock()
		b.seen = append(b.seen, kmsg.NameForKey(req.Key()))
		b.mu.Unlock()
		resp := b.answer(req)
		if resp == nil {
			continue
		}
		resp.SetVersion(req.GetVersion())
		out := encode(req, resp, xid)
		if b.raw != nil {
			out = b.raw(req, out)
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// decode reads a request with its header.
func decode(frame []byte) (kmsg.Request, uint32, error) {
	if len(frame) < 10 {
		return nil, 0, errors.New("short header")
	}
	req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
	if req == nil {
		return nil, 0, errors.New("unknown key")
	}
	req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
	xid := binary.BigEndian.Uint32(frame[4:])
	id := int(int16(binary.BigEndian.Uint16(frame[8:])))
	body := frame[10+max(id, 0):]
	if req.IsFlexible() {
		body = body[1:]
	}
	return req, xid, req.ReadFrom(body)
}

// encode writes an answer with its length and header.
func encode(req kmsg.Request, resp kmsg.Response, xid uint32) []byte {
	var b bytes.Buffer
	b.Write(binary.BigEndian.AppendUint32(nil, xid))
	if req.IsFlexible() && req.Key() != 18 {
		b.WriteByte(0)
	}
	b.Write(resp.AppendTo(nil))
	return append(binary.BigEndian.AppendUint32(nil, uint32(b.Len())), b.Bytes()...)
}

// versions answers ApiVersions.
func versions() kmsg.Response {
	r := kmsg.NewPtrApiVersionsResponse()
	for key, highest := range map[int16]int16{0: 9, 3: 12, 17: 1, 18: 3, 36: 2} {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MaxVersion = key, highest
		r.ApiKeys = append(r.ApiKeys, k)
	}
	return r
}

// plain answers ApiVersions, Metadata and Produce.
func plain(req kmsg.Request) kmsg.Response {
	switch r := req.(type) {
	case *kmsg.ApiVersionsRequest:
		return versions()
	case *kmsg.MetadataRequest:
		resp := kmsg.NewPtrMetadataResponse()
		resp.ControllerID = 42
		return resp
	case *kmsg.ProduceRequest:
		if r.Acks == 0 {
			return nil
		}
		return kmsg.NewPtrProduceResponse()
	}
	return nil
}

func config(b *broker) link.Config { return link.Config{ClientID: "c", Dial: b.dial, Acks: -1} }
