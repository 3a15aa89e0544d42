package zk

// The reserved xids of packets that answer or carry no ordinary request.
const (
	XidNotification int32 = -1
	XidPing         int32 = -2
	XidAuth         int32 = -4
	XidSetWatches   int32 = -8
)

// RequestHeader precedes every request but the connect request.
type RequestHeader struct {
	// Xid comes back in the reply: a number of the client's choice, counting up
	// from 1, or one of the reserved values.
	Xid int32
	Op  Op
}

// Encode implements Record.
func (h *RequestHeader) Encode(e *Encoder) {
	e.Int(h.Xid)
	e.Int(int32(h.Op))
}

// Decode implements Record.
func (h *RequestHeader) Decode(d *Decoder) {
	h.Xid = d.Int()
	h.Op = Op(d.Int())
}

// ReplyHeader precedes every reply and notification. A body follows only when
// Err is OK.
type ReplyHeader struct {
	Xid int32
	// Zxid is the last zxid the server had processed when it answered; 0 in
	// replies to auth, -1 in those to unknown operations.
	Zxid int64
	Err  Err
}

// Encode implements Record.
func (h *ReplyHeader) Encode(e *Encoder) {
	e.Int(h.Xid)
	e.Long(h.Zxid)
	e.Int(int32(h.Err))
}

// Decode implements Record.
func (h *ReplyHeader) Decode(d *Decoder) {
	h.Xid = d.Int()
	h.Zxid = d.Long()
	h.Err = Err(d.Int())
}
