package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

const (
	// clientID is what every connection of a raw load calls itself.
	clientID = "bench"

	// maxAnswer bounds what Call reads: the metadata of 2,000 partitions is
	// about 60 KB.
	maxAnswer = 16 << 20

	// callTimeout bounds one exchange where the context does not: creating
	// 2,000 partitions takes Apache some seconds.
	callTimeout = 90 * time.Second
)

// Call sends one request on a connection of its own and decodes the answer
// into resp.
func Call(ctx context.Context, addr string, req, resp wire.Body, version int16) error {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if err := nc.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return err
	}
	f, err := frame(req, version)
	if err != nil {
		return err
	}
	if _, err := nc.Write(f); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return fmt.Errorf("answer to %v: %w", req.Key(), err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxAnswer {
		return fmt.Errorf("answer to %v claims %d bytes, limit %d", req.Key(), n, maxAnswer)
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(nc, buf); err != nil {
		return fmt.Errorf("answer to %v: %w", req.Key(), err)
	}
	_, body, err := wire.DecodeResponseHeader(buf, req.Key(), version)
	if err != nil {
		return err
	}
	return resp.Decode(body, version)
}

// corrAt is where the correlation id stands in a frame: after the size, the
// key and the version.
const corrAt = 8

// frame encodes a whole request, size first, with correlation id 0.
func frame(req wire.Body, version int16) ([]byte, error) {
	dst := wire.AppendRequestHeader(make([]byte, 4), wire.RequestHeader{
		Key: req.Key(), Version: version, ClientID: new(clientID)})
	dst, err := wire.Append(dst, req, version)
	if err != nil {
		return nil, fmt.Errorf("encode %v v%d: %w", req.Key(), version, err)
	}
	binary.BigEndian.PutUint32(dst, uint32(len(dst)-4))
	return dst, nil
}
