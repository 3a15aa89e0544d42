package zk

// ExistsRequest asks for a Stat; the watch is armed for a missing node too.
type ExistsRequest struct {
	Path  string
	Watch bool
}

// Op implements Request.
func (*ExistsRequest) Op() Op { return OpExists }

// Encode implements Record.
func (r *ExistsRequest) Encode(e *Encoder) { e.pathWatch(r.Path, r.Watch) }

// Decode implements Record.
func (r *ExistsRequest) Decode(d *Decoder) { r.Path, r.Watch = d.pathWatch() }

// GetDataRequest asks for data and Stat; an error arms no watch.
type GetDataRequest struct {
	Path  string
	Watch bool
}

// Op implements Request.
func (*GetDataRequest) Op() Op { return OpGetData }

// Encode implements Record.
func (r *GetDataRequest) Encode(e *Encoder) { e.pathWatch(r.Path, r.Watch) }

// Decode implements Record.
func (r *GetDataRequest) Decode(d *Decoder) { r.Path, r.Watch = d.pathWatch() }

// GetChildrenRequest asks for the names of the children.
type GetChildrenRequest struct {
	Path  string
	Watch bool
}

// Op implements Request.
func (*GetChildrenRequest) Op() Op { return OpGetChildren }

// Encode implements Record.
func (r *GetChildrenRequest) Encode(e *Encoder) { e.pathWatch(r.Path, r.Watch) }

// Decode implements Record.
func (r *GetChildrenRequest) Decode(d *Decoder) { r.Path, r.Watch = d.pathWatch() }

// GetChildren2Request asks for the names of the children and the Stat.
type GetChildren2Request struct {
	Path  string
	Watch bool
}

// Op implements Request.
func (*GetChildren2Request) Op() Op { return OpGetChildren2 }

// Encode implements Record.
func (r *GetChildren2Request) Encode(e *Encoder) { e.pathWatch(r.Path, r.Watch) }

// Decode implements Record.
func (r *GetChildren2Request) Decode(d *Decoder) { r.Path, r.Watch = d.pathWatch() }

// GetACLRequest asks for the ACL and the Stat.
type GetACLRequest struct{ Path string }

// Op implements Request.
func (*GetACLRequest) Op() Op { return OpGetACL }

// Encode implements Record.
func (r *GetACLRequest) Encode(e *Encoder) { e.String(r.Path) }

// Decode implements Record.
func (r *GetACLRequest) Decode(d *Decoder) { r.Path = d.String() }

// SyncRequest is answered when the server has caught up with the leader.
type SyncRequest struct{ Path string }

// Op implements Request.
func (*SyncRequest) Op() Op { return OpSync }

// Encode implements Record.
func (r *SyncRequest) Encode(e *Encoder) { e.String(r.Path) }

// Decode implements Record.
func (r *SyncRequest) Decode(d *Decoder) { r.Path = d.String() }

// GetEphemeralsRequest asks for this session's ephemeral nodes whose path starts with
// Path, which is a prefix of text and not of names.
type GetEphemeralsRequest struct{ Path string }

// Op implements Request.
func (*GetEphemeralsRequest) Op() Op { return OpGetEphemerals }

// Encode implements Record.
func (r *GetEphemeralsRequest) Encode(e *Encoder) { e.String(r.Path) }

// Decode implements Record.
func (r *GetEphemeralsRequest) Decode(d *Decoder) { r.Path = d.String() }

// GetAllChildrenNumberRequest asks for the number of all descendants.
type GetAllChildrenNumberRequest struct{ Path string }

// Op implements Request.
func (*GetAllChildrenNumberRequest) Op() Op { return OpGetAllChildrenNumber }

// Encode implements Record.
func (r *GetAllChildrenNumberRequest) Encode(e *Encoder) { e.String(r.Path) }

// Decode implements Record.
func (r *GetAllChildrenNumberRequest) Decode(d *Decoder) { r.Path = d.String() }

// PingRequest keeps the session alive; its xid is XidPing.
type PingRequest struct{}

// Op implements Request.
func (PingRequest) Op() Op { return OpPing }

// Encode implements Record.
func (PingRequest) Encode(*Encoder) {}

// Decode implements Record.
func (PingRequest) Decode(*Decoder) {}

// CloseRequest ends the session; the server answers and closes the connection.
type CloseRequest struct{}

// Op implements Request.
func (CloseRequest) Op() Op { return OpCloseSession }

// Encode implements Record.
func (CloseRequest) Encode(*Encoder) {}

// Decode implements Record.
func (CloseRequest) Decode(*Decoder) {}

// WhoAmIRequest asks for the ids the connection has.
type WhoAmIRequest struct{}

// Op implements Request.
func (WhoAmIRequest) Op() Op { return OpWhoAmI }

// Encode implements Record.
func (WhoAmIRequest) Encode(*Encoder) {}

// Decode implements Record.
func (WhoAmIRequest) Decode(*Decoder) {}

// pathWatch appends the pair that reads consist of.
func (e *Encoder) pathWatch(path string, watch bool) {
	e.String(path)
	e.Bool(watch)
}

// pathWatch reads the pair that reads consist of.
func (d *Decoder) pathWatch() (string, bool) {
	path := d.String()
	return path, d.Bool()
}
