package api

import (
	"net"

	"github.com/gregor-mq/gregor/wire"
)

// Call is one request as the network side hands it over. Exactly one of Reply,
// ReplyFunc, NoReply and CloseConn is called, now or later, from any goroutine.
type Call interface {
	// Header returns the decoded request header.
	Header() wire.RequestHeader
	// Body returns the bytes of the body. Those of produce and fetch are valid
	// until Release.
	Body() []byte
	// Peer describes the connection.
	Peer() Peer
	// Reply answers.
	Reply(body wire.Body)
	// ReplyFunc answers with what build returns, built on the goroutine that
	// writes to the connection.
	ReplyFunc(build func() wire.Body)
	// NoReply ends a request that has no response.
	NoReply()
	// CloseConn ends the connection.
	CloseConn(err error)
	// Release gives the body's bytes back early.
	Release()
	// OnClose registers what to do when the connection ends before the answer.
	OnClose(cancel func())
}

// Peer is what is known of a connection.
type Peer struct {
	// Listener is the name of the listener it came in by.
	Listener string
	// Protocol is that listener's security protocol.
	Protocol string
	// Host is the peer's IP address, without the port.
	Host string
	// Local is our end of the connection.
	Local net.Addr
	// Principal is who the peer is, User:ANONYMOUS without authentication.
	Principal string
}

// context is one call in work.
type context struct {
	Call
	header wire.RequestHeader
}

func (c *context) version() int16 { return c.header.Version }

// clientID returns the request's client id, empty when it has none.
func (c *context) clientID() string {
	if c.header.ClientID == nil {
		return ""
	}
	return *c.header.ClientID
}
