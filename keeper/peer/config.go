package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"
)

// Config says how members talk. All members of an ensemble have the same
// MaxFrame and IdleTimeout.
type Config struct {
	// Listen is the address for other members, host:port.
	Listen string
	// MaxFrame bounds the payload of one message in bytes (64 MiB).
	MaxFrame int
	// QueueBytes bounds what waits to be sent to one member, in bytes (64 MiB).
	// One message always has room where nothing waits.
	QueueBytes int
	// IdleTimeout is how long a connection on which bytes are due may stand
	// still (10 s). It must exceed the owner's beat by far.
	IdleTimeout time.Duration
	// HelloTimeout bounds the time from dialing, or accepting, until both sides
	// have agreed to talk (3 s).
	HelloTimeout time.Duration
	// Secure wraps a new connection, as TLS does; client is set at the end that
	// dialed. Nil leaves connections plain. ctx ends with the connection.
	Secure func(ctx context.Context, nc net.Conn, client bool) (net.Conn, error)
}

const (
	// maxMember is the highest number of a member: the keeper's own rule, which
	// keeps session ids apart from marks of owners.
	maxMember = 254
	// minPause and maxPause bound the back-off between two attempts to connect.
	minPause, maxPause = 20 * time.Millisecond, time.Second
	// acceptPause is how long accept rests after the system refused a connection
	// (too many open files): long enough not to spin.
	acceptPause = 50 * time.Millisecond
	// maxStrangers bounds connections that have not said an acceptable hello:
	// many times what an ensemble can need, and little memory.
	maxStrangers = 1024
	// busyShare is how many signs of life fit into IdleTimeout while a file is
	// being taken: two may be late.
	busyShare = 3
	// readBuffer takes many small messages with one read.
	readBuffer = 64 << 10
	// firstGrowth is how many bytes a length that is only promised gets at first,
	// and growth how many times what has come it gets then: little copying, and
	// little for nothing.
	firstGrowth, growth = 64 << 10, 4
	// sendStep is how much is written under one deadline: a slow member is not
	// taken for one that takes nothing.
	sendStep = 1 << 20
	// chunkSize is how much of a file goes under one CRC.
	chunkSize = 64 << 10
)

func (c Config) withDefaults() Config {
	c.MaxFrame = cmp.Or(c.MaxFrame, 64<<20)
	c.QueueBytes = cmp.Or(c.QueueBytes, 64<<20)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 10*time.Second)
	c.HelloTimeout = cmp.Or(c.HelloTimeout, 3*time.Second)
	return c
}

func (c Config) check() error {
	switch {
	case c.Listen == "":
		return errors.New("no address to listen on")
	case c.MaxFrame < 0 || c.MaxFrame > math.MaxInt32:
		return fmt.Errorf("MaxFrame is %d, outside of 1 to %d", c.MaxFrame, math.MaxInt32)
	case c.QueueBytes < 0:
		return fmt.Errorf("QueueBytes is %d, below 1", c.QueueBytes)
	case c.IdleTimeout < 0 || c.HelloTimeout < 0:
		return fmt.Errorf("IdleTimeout is %v and HelloTimeout %v, one is below 0", c.IdleTimeout, c.HelloTimeout)
	}
	return nil
}
