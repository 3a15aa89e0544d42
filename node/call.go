package node

import (
	"github.com/gregor-mq/gregor/api"
	"github.com/gregor-mq/gregor/server"
	"github.com/gregor-mq/gregor/wire"
)

// anonymous is who a peer without authentication is.
const anonymous = "User:ANONYMOUS"

// handler joins the network side with the APIs.
type handler struct{ broker *api.Broker }

// Handle implements server.Handler.
func (h handler) Handle(r *server.Request) { h.broker.Handle(call{r}) }

// call shows a server's request as the APIs want to see it.
type call struct{ r *server.Request }

func (c call) Header() wire.RequestHeader       { return c.r.Header }
func (c call) Body() []byte                     { return c.r.Body }
func (c call) Reply(body wire.Body)             { c.r.Reply(body) }
func (c call) ReplyFunc(build func() wire.Body) { c.r.ReplyFunc(build) }
func (c call) NoReply()                         { c.r.NoReply() }
func (c call) CloseConn(err error)              { c.r.CloseConn(err) }
func (c call) Release()                         { c.r.Release() }
func (c call) OnClose(cancel func())            { c.r.OnClose(cancel) }

func (c call) Peer() api.Peer {
	conn := c.r.Conn
	return api.Peer{
		Listener: conn.Listener.Name, Protocol: conn.Listener.Protocol,
		Host: conn.PeerIP(), Local: conn.LocalAddr(), Principal: anonymous,
	}
}
