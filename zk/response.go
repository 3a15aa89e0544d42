package zk

// CreateResponse answers OpCreate with the path, number appended.
type CreateResponse struct {
	Path string
}

// Encode implements Record.
func (r *CreateResponse) Encode(e *Encoder) {
	e.String(r.Path)
}

// Decode implements Record.
func (r *CreateResponse) Decode(d *Decoder) {
	r.Path = d.String()
}

// Create2Response answers OpCreate2, OpCreateContainer and OpCreateTTL.
type Create2Response struct {
	Path string
	Stat Stat
}

// Encode implements Record.
func (r *Create2Response) Encode(e *Encoder) {
	e.String(r.Path)
	r.Stat.Encode(e)
}

// Decode implements Record.
func (r *Create2Response) Decode(d *Decoder) {
	r.Path = d.String()
	r.Stat.Decode(d)
}

// StatResponse answers OpExists, OpSetData and OpSetACL.
type StatResponse struct {
	Stat Stat
}

// Encode implements Record.
func (r *StatResponse) Encode(e *Encoder) {
	r.Stat.Encode(e)
}

// Decode implements Record.
func (r *StatResponse) Decode(d *Decoder) {
	r.Stat.Decode(d)
}

// GetDataResponse answers OpGetData and OpReconfig; nil Data is null.
type GetDataResponse struct {
	Data []byte
	Stat Stat
}

// Encode implements Record.
func (r *GetDataResponse) Encode(e *Encoder) {
	e.Buffer(r.Data)
	r.Stat.Encode(e)
}

// Decode implements Record.
func (r *GetDataResponse) Decode(d *Decoder) {
	r.Data = d.Buffer()
	r.Stat.Decode(d)
}

// GetChildrenResponse answers OpGetChildren, names in no order.
type GetChildrenResponse struct {
	Children []string
}

// Encode implements Record.
func (r *GetChildrenResponse) Encode(e *Encoder) {
	e.Strings(r.Children)
}

// Decode implements Record.
func (r *GetChildrenResponse) Decode(d *Decoder) {
	r.Children = d.Strings()
}

// GetChildren2Response answers OpGetChildren2, names in no order.
type GetChildren2Response struct {
	Children []string
	Stat     Stat
}

// Encode implements Record.
func (r *GetChildren2Response) Encode(e *Encoder) {
	e.Strings(r.Children)
	r.Stat.Encode(e)
}

// Decode implements Record.
func (r *GetChildren2Response) Decode(d *Decoder) {
	r.Children = d.Strings()
	r.Stat.Decode(d)
}

// GetACLResponse answers OpGetACL.
type GetACLResponse struct {
	ACL  []ACL
	Stat Stat
}

// Encode implements Record.
func (r *GetACLResponse) Encode(e *Encoder) {
	e.ACLs(r.ACL)
	r.Stat.Encode(e)
}

// Decode implements Record.
func (r *GetACLResponse) Decode(d *Decoder) {
	r.ACL = d.ACLs()
	r.Stat.Decode(d)
}

// SyncResponse answers OpSync.
type SyncResponse struct {
	Path string
}

// Encode implements Record.
func (r *SyncResponse) Encode(e *Encoder) {
	e.String(r.Path)
}

// Decode implements Record.
func (r *SyncResponse) Decode(d *Decoder) {
	r.Path = d.String()
}

// SASLResponse carries one token of a SASL exchange from the server; nil when done.
type SASLResponse struct {
	Token []byte
}

// Encode implements Record.
func (r *SASLResponse) Encode(e *Encoder) {
	e.Buffer(r.Token)
}

// Decode implements Record.
func (r *SASLResponse) Decode(d *Decoder) {
	r.Token = d.Buffer()
}

// GetEphemeralsResponse answers OpGetEphemerals.
type GetEphemeralsResponse struct {
	Paths []string
}

// Encode implements Record.
func (r *GetEphemeralsResponse) Encode(e *Encoder) {
	e.Strings(r.Paths)
}

// Decode implements Record.
func (r *GetEphemeralsResponse) Decode(d *Decoder) {
	r.Paths = d.Strings()
}

// GetAllChildrenNumberResponse answers OpGetAllChildrenNumber.
type GetAllChildrenNumberResponse struct {
	Total int32
}

// Encode implements Record.
func (r *GetAllChildrenNumberResponse) Encode(e *Encoder) {
	e.Int(r.Total)
}

// Decode implements Record.
func (r *GetAllChildrenNumberResponse) Decode(d *Decoder) {
	r.Total = d.Int()
}

// ErrorResponse is the body that answers OpAddWatch (always OK) and a failed
// operation of a multi.
type ErrorResponse struct {
	Err Err
}

// Encode implements Record.
func (r *ErrorResponse) Encode(e *Encoder) {
	e.Int(int32(r.Err))
}

// Decode implements Record.
func (r *ErrorResponse) Decode(d *Decoder) {
	r.Err = Err(d.Int())
}

// ClientInfo is one id of a connection; the secrets of User are left out.
type ClientInfo struct{ Scheme, User string }

// minClientInfo is the size in bytes of a ClientInfo with empty strings.
const minClientInfo = 8

// WhoAmIResponse answers OpWhoAmI.
type WhoAmIResponse struct{ Clients []ClientInfo }

// Encode implements Record.
func (r *WhoAmIResponse) Encode(e *Encoder) {
	e.Int(int32(len(r.Clients)))
	for _, c := range r.Clients {
		e.String(c.Scheme)
		e.String(c.User)
	}
}

// Decode implements Record.
func (r *WhoAmIResponse) Decode(d *Decoder) {
	r.Clients = nil
	n, _ := d.Vector(minClientInfo)
	for range n {
		c := ClientInfo{Scheme: d.String(), User: d.String()}
		if d.err != nil {
			return
		}
		r.Clients = append(r.Clients, c)
	}
}
