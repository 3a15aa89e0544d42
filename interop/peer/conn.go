//go:build interop

package peer

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// maxReply bounds a reply; no test asks for more.
const maxReply = 64 << 20

// Conn is a connection to a broker that speaks raw frames, so that tests may
// send what no client would.
type Conn struct {
	net.Conn
	correlation int32
}

// Dial connects to a broker.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c}, nil
}

// Frame returns a whole request without its size, under the next correlation
// id of this connection.
func (c *Conn) Frame(req wire.Body, version int16) ([]byte, error) {
	c.correlation++
	client := "interop"
	h := wire.RequestHeader{Key: req.Key(), Version: version, CorrelationID: c.correlation, ClientID: &client}
	if h.Key == wire.KeyControlledShutdown && version == 0 {
		h.ClientID = nil
	}
	return wire.Append(wire.AppendRequestHeader(nil, h), req, version)
}

// Send writes a frame with its size in front.
func (c *Conn) Send(frame []byte) error {
	_, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

// Receive reads a frame. It fails with io.EOF when the peer closed instead,
// and with a timeout when it did neither.
func (c *Conn) Receive(within time.Duration) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxReply {
		return nil, fmt.Errorf("reply of %d bytes", n)
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(c, frame); err != nil {
		return nil, err
	}
	return frame, nil
}

// Call sends a request and decodes its response.
func (c *Conn) Call(req wire.Body, version int16) (wire.Body, error) {
	frame, err := c.Frame(req, version)
	if err != nil {
		return nil, err
	}
	if err := c.Send(frame); err != nil {
		return nil, err
	}
	reply, err := c.Receive(30 * time.Second)
	if err != nil {
		return nil, err
	}
	return c.Decode(reply, req.Key(), version)
}

// Decode reads the response to the latest request.
func (c *Conn) Decode(reply []byte, key wire.Key, version int16) (wire.Body, error) {
	correlation, body, err := wire.DecodeResponseHeader(reply, key, version)
	if err != nil {
		return nil, err
	}
	if correlation != c.correlation {
		return nil, fmt.Errorf("reply to request %d, want %d", correlation, c.correlation)
	}
	resp := wire.NewResponse(key)
	if err := resp.Decode(body, version); err != nil {
		return nil, err
	}
	return resp, nil
}
