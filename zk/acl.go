package zk

// The permission bits of an ACL entry.
const (
	PermRead   int32 = 1 << 0
	PermWrite  int32 = 1 << 1
	PermCreate int32 = 1 << 2 // checked on the parent
	PermDelete int32 = 1 << 3 // checked on the parent
	PermAdmin  int32 = 1 << 4
	PermAll    int32 = PermRead | PermWrite | PermCreate | PermDelete | PermAdmin
)

// The authentication schemes ZooKeeper knows.
const (
	SchemeWorld  = "world"
	SchemeAuth   = "auth" // in requests only: stands for all ids of the session
	SchemeDigest = "digest"
	SchemeIP     = "ip"
	SchemeX509   = "x509"
	SchemeSASL   = "sasl"
	SchemeSuper  = "super"
)

// AnyoneID is the only id of SchemeWorld.
const AnyoneID = "anyone"

// ACL is one entry of a node's access control list.
type ACL struct {
	Perms  int32
	Scheme string
	ID     string
}

// minACL is the size in bytes of an ACL with empty strings.
const minACL = 12

// OpenACL lets everybody do everything (ZooDefs.Ids.OPEN_ACL_UNSAFE).
func OpenACL() []ACL { return []ACL{{PermAll, SchemeWorld, AnyoneID}} }

// CreatorAllACL lets the ids of the creating session do everything
// (ZooDefs.Ids.CREATOR_ALL_ACL). The server refuses it with ErrInvalidACL when
// the session is not authenticated.
func CreatorAllACL() []ACL { return []ACL{{PermAll, SchemeAuth, ""}} }

// ReadACL lets everybody read (ZooDefs.Ids.READ_ACL_UNSAFE).
func ReadACL() []ACL { return []ACL{{PermRead, SchemeWorld, AnyoneID}} }

// Encode implements Record.
func (a *ACL) Encode(e *Encoder) {
	e.Int(a.Perms)
	e.String(a.Scheme)
	e.String(a.ID)
}

// Decode implements Record.
func (a *ACL) Decode(d *Decoder) {
	a.Perms = d.Int()
	a.Scheme = d.common()
	a.ID = d.common()
}

// common reads a string, without allocating for the texts that nearly every ACL
// consists of.
func (d *Decoder) common() string {
	b := d.Buffer()
	switch string(b) {
	case SchemeWorld:
		return SchemeWorld
	case AnyoneID:
		return AnyoneID
	case SchemeAuth:
		return SchemeAuth
	case SchemeSASL:
		return SchemeSASL
	}
	return d.text(b)
}

// ACLs appends a vector of ACL entries; nil is written as empty.
func (e *Encoder) ACLs(v []ACL) {
	e.Int(int32(len(v)))
	for i := range v {
		v[i].Encode(e)
	}
}

// ACLs reads a vector of ACL entries; null is nil.
func (d *Decoder) ACLs() []ACL {
	n, ok := d.Vector(minACL)
	if !ok {
		return nil
	}
	v := make([]ACL, n)
	for i := range v {
		if v[i].Decode(d); d.err != nil {
			return nil
		}
	}
	return v
}
