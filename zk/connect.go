package zk

// PasswordSize is the size of a session password in bytes.
const PasswordSize = 16

// ConnectRequest is the first packet of a connection; it has no header.
type ConnectRequest struct {
	ProtocolVersion int32 // 0
	// LastZxidSeen is the newest zxid the client knows of. A server that has
	// not got that far closes the connection without a reply.
	LastZxidSeen int64
	// Timeout is the session timeout asked for, in milliseconds.
	Timeout int32
	// SessionID is 0 for a new session, else the one to attach to.
	SessionID int64
	Password  []byte
	// ReadOnly allows a server without quorum to answer.
	ReadOnly bool
	// Old is set when the ReadOnly byte is absent, as from clients before 3.4;
	// the response must then lack it too.
	Old bool
}

// Encode implements Record.
func (r *ConnectRequest) Encode(e *Encoder) {
	e.Int(r.ProtocolVersion)
	e.Long(r.LastZxidSeen)
	e.Int(r.Timeout)
	e.Long(r.SessionID)
	e.Buffer(r.Password)
	if !r.Old {
		e.Bool(r.ReadOnly)
	}
}

// Decode implements Record.
func (r *ConnectRequest) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int()
	r.LastZxidSeen = d.Long()
	r.Timeout = d.Int()
	r.SessionID = d.Long()
	r.Password = d.Buffer()
	r.Old = d.Len() == 0
	r.ReadOnly = !r.Old && d.Bool()
}

// ConnectResponse answers a ConnectRequest; it has no header.
type ConnectResponse struct {
	ProtocolVersion int32
	// Timeout is the session timeout granted, in milliseconds; 0 says that the
	// session does not exist any more or that the password is wrong.
	Timeout   int32
	SessionID int64
	Password  []byte
	// ReadOnly says that the server has no quorum.
	ReadOnly bool
	// Old leaves the ReadOnly byte out.
	Old bool
}

// Encode implements Record.
func (r *ConnectResponse) Encode(e *Encoder) {
	e.Int(r.ProtocolVersion)
	e.Int(r.Timeout)
	e.Long(r.SessionID)
	e.Buffer(r.Password)
	if !r.Old {
		e.Bool(r.ReadOnly)
	}
}

// Decode implements Record.
func (r *ConnectResponse) Decode(d *Decoder) {
	r.ProtocolVersion = d.Int()
	r.Timeout = d.Int()
	r.SessionID = d.Long()
	r.Password = d.Buffer()
	r.Old = d.Len() == 0
	r.ReadOnly = !r.Old && d.Bool()
}
