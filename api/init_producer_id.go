package api

import "github.com/gregor-mq/gregor/wire"

// InitProducerId v0-5. Without a transactional id any broker answers with a
// fresh producer id of epoch 0, before any topic exists, whatever id the
// producer had (v3, KIP-360).

func (b *Broker) initProducerID(c *context, req *wire.InitProducerIDRequest) {
	resp := wire.NewInitProducerIDResponse()
	switch {
	case (req.ProducerID == -1) != (req.ProducerEpoch == -1):
		resp.ErrorCode = wire.CodeInvalidRequest // half an identity
	case req.TransactionalID != nil && *req.TransactionalID == "":
		resp.ErrorCode = wire.CodeInvalidRequest
	case req.TransactionalID != nil:
		// This broker coordinates no transactions.
		resp.ErrorCode = wire.CodeUnsupportedVersion
	default:
		b.ProducerIDs.Next(func(id int64, err error) {
			if resp.ErrorCode = Code(err); err == nil {
				resp.ProducerID, resp.ProducerEpoch = id, 0
			} else {
				resp.ProducerEpoch = -1
			}
			c.Reply(resp)
		})
		return
	}
	resp.ProducerEpoch = -1
	c.Reply(resp)
}
