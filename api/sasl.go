package api

import "github.com/gregor-mq/gregor/wire"

// SaslHandshake v0-1 and SaslAuthenticate v0-2 (KIP-43, KIP-152) begin a
// connection to a listener with SASL. Anywhere else, and once a connection is
// authenticated, they come at the wrong time.

func (b *Broker) saslHandshake(c *context, _ *wire.SaslHandshakeRequest) {
	resp := wire.NewSaslHandshakeResponse()
	resp.ErrorCode = wire.CodeIllegalSaslState
	c.Reply(resp)
}

func (b *Broker) saslAuthenticate(c *context, _ *wire.SaslAuthenticateRequest) {
	resp := wire.NewSaslAuthenticateResponse()
	resp.ErrorCode = wire.CodeIllegalSaslState
	resp.ErrorMessage = new("SaslAuthenticate request received after successful authentication")
	c.Reply(resp)
}
