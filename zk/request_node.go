package zk

import "cmp"

// CreateRequest creates a node. It is the body of four operations.
type CreateRequest struct {
	// Kind is the operation, zero for OpCreate. It is not part of the body.
	Kind Op
	Path string
	// Data is the content; nil (null) and empty differ.
	Data  []byte
	ACL   []ACL
	Flags CreateMode
	// TTL is in milliseconds, and on the wire for OpCreateTTL only.
	TTL int64
}

// Op implements Request.
func (r *CreateRequest) Op() Op { return cmp.Or(r.Kind, OpCreate) }

// Encode implements Record.
func (r *CreateRequest) Encode(e *Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	e.ACLs(r.ACL)
	e.Int(int32(r.Flags))
	if r.Kind == OpCreateTTL {
		e.Long(r.TTL)
	}
}

// Decode implements Record; Kind must be set.
func (r *CreateRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Data = d.Buffer()
	r.ACL = d.ACLs()
	r.Flags = CreateMode(d.Int())
	if r.Kind == OpCreateTTL {
		r.TTL = d.Long()
	}
}

// DeleteRequest deletes a node without children. Version -1 matches any.
type DeleteRequest struct {
	Path    string
	Version int32
}

// Op implements Request.
func (*DeleteRequest) Op() Op { return OpDelete }

// Encode implements Record.
func (r *DeleteRequest) Encode(e *Encoder) { e.pathInt(r.Path, r.Version) }

// Decode implements Record.
func (r *DeleteRequest) Decode(d *Decoder) { r.Path, r.Version = d.pathInt() }

// DeleteContainerRequest deletes a node without children that no session owns.
type DeleteContainerRequest struct{ Path string }

// Op implements Request.
func (*DeleteContainerRequest) Op() Op { return OpDeleteContainer }

// Encode implements Record.
func (r *DeleteContainerRequest) Encode(e *Encoder) { e.String(r.Path) }

// Decode implements Record.
func (r *DeleteContainerRequest) Decode(d *Decoder) { r.Path = d.String() }

// CheckRequest fails its multi unless the node has the version; -1 matches any.
type CheckRequest struct {
	Path    string
	Version int32
}

// Op implements Request.
func (*CheckRequest) Op() Op { return OpCheck }

// Encode implements Record.
func (r *CheckRequest) Encode(e *Encoder) { e.pathInt(r.Path, r.Version) }

// Decode implements Record.
func (r *CheckRequest) Decode(d *Decoder) { r.Path, r.Version = d.pathInt() }

// SetDataRequest replaces a node's data. Version -1 matches any.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32
}

// Op implements Request.
func (*SetDataRequest) Op() Op { return OpSetData }

// Encode implements Record.
func (r *SetDataRequest) Encode(e *Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	e.Int(r.Version)
}

// Decode implements Record.
func (r *SetDataRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.Data = d.Buffer()
	r.Version = d.Int()
}

// SetACLRequest replaces a node's ACL. Version -1 matches any Aversion.
type SetACLRequest struct {
	Path    string
	ACL     []ACL
	Version int32
}

// Op implements Request.
func (*SetACLRequest) Op() Op { return OpSetACL }

// Encode implements Record.
func (r *SetACLRequest) Encode(e *Encoder) {
	e.String(r.Path)
	e.ACLs(r.ACL)
	e.Int(r.Version)
}

// Decode implements Record.
func (r *SetACLRequest) Decode(d *Decoder) {
	r.Path = d.String()
	r.ACL = d.ACLs()
	r.Version = d.Int()
}

// ReconfigRequest changes the members of an ensemble.
type ReconfigRequest struct {
	// Joining, Leaving and NewMembers are nil where not given.
	Joining, Leaving, NewMembers *string
	// ConfigID is the version the current configuration must have, -1 for any.
	ConfigID int64
}

// Op implements Request.
func (*ReconfigRequest) Op() Op { return OpReconfig }

// Encode implements Record.
func (r *ReconfigRequest) Encode(e *Encoder) {
	e.NullableString(r.Joining)
	e.NullableString(r.Leaving)
	e.NullableString(r.NewMembers)
	e.Long(r.ConfigID)
}

// Decode implements Record.
func (r *ReconfigRequest) Decode(d *Decoder) {
	r.Joining = d.NullableString()
	r.Leaving = d.NullableString()
	r.NewMembers = d.NullableString()
	r.ConfigID = d.Long()
}

// pathInt appends the pair that several requests consist of.
func (e *Encoder) pathInt(path string, n int32) {
	e.String(path)
	e.Int(n)
}

// pathInt reads the pair that several requests consist of.
func (d *Decoder) pathInt() (string, int32) {
	path := d.String()
	return path, d.Int()
}
