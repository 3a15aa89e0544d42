//go:build interop

package keeper

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
)

const (
	// answerTime is how long an answer may take on a busy machine.
	answerTime = 30 * time.Second
	// largest is the longest reply that is read, in bytes.
	largest = 16 << 20
)

// side is one of the two servers, and what makes its numbers comparable.
type side struct {
	name string
	run  *peer.Ensemble
	// base is the last zxid before the seed.
	base  int64
	start time.Time
	times map[int64]int64  // by zxid, in ms
	owner map[int64]string // names of sessions
}

// begin forgets the numbers of the seed before.
func (s *side) begin(base int64) {
	s.base, s.start = base, time.Now()
	s.times, s.owner = map[int64]int64{}, map[int64]string{}
}

// link is one connection.
type link struct {
	nc    net.Conn
	r     *bufio.Reader
	ended bool
}

func (s *side) dial() (*link, error) {
	nc, err := net.DialTimeout("tcp", s.run.Addr, answerTime)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return &link{nc: nc, r: bufio.NewReader(nc)}, nil
}

// send writes bytes. That the server has closed shows when its packets are read.
func (l *link) send(b []byte) {
	_ = l.nc.SetDeadline(time.Now().Add(answerTime))
	_, _ = l.nc.Write(b)
}

// receive returns the next frame, nil when the connection has ended.
func (l *link) receive() ([]byte, error) {
	_ = l.nc.SetDeadline(time.Now().Add(answerTime))
	b, err := zk.ReadFrame(l.r, nil, largest)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("no answer within %v", answerTime)
	}
	l.ended = true
	_ = l.nc.Close()
	return nil, nil
}

// halt says that nothing more is coming and reads until the server agrees: it
// then knows that the connection is gone.
func (l *link) halt(see func(frame []byte)) error {
	_ = l.nc.(*net.TCPConn).CloseWrite() // fails only when it has ended
	for {
		b, err := l.receive()
		if err != nil || l.ended {
			return err
		}
		see(b)
	}
}
