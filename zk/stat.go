package zk

// StatSize is the encoded size of a Stat in bytes.
const StatSize = 68

// Stat is what clients see of a node besides its data.
type Stat struct {
	// Czxid, Mzxid and Pzxid are the zxids of the node's creation, of its last
	// data change, and of the last creation or deletion of a child.
	Czxid, Mzxid int64
	// Ctime and Mtime are milliseconds since 1970.
	Ctime, Mtime int64
	// Version counts data changes, Cversion creations and deletions of
	// children, Aversion ACL changes. They wrap.
	Version, Cversion, Aversion int32
	// EphemeralOwner is the session of an ephemeral node, 0 for all others.
	EphemeralOwner int64
	// DataLength is in bytes, 0 for null data.
	DataLength  int32
	NumChildren int32
	Pzxid       int64
}

// Encode implements Record.
func (s *Stat) Encode(e *Encoder) {
	e.Long(s.Czxid)
	e.Long(s.Mzxid)
	e.Long(s.Ctime)
	e.Long(s.Mtime)
	e.Int(s.Version)
	e.Int(s.Cversion)
	e.Int(s.Aversion)
	e.Long(s.EphemeralOwner)
	e.Int(s.DataLength)
	e.Int(s.NumChildren)
	e.Long(s.Pzxid)
}

// Decode implements Record.
func (s *Stat) Decode(d *Decoder) {
	s.Czxid = d.Long()
	s.Mzxid = d.Long()
	s.Ctime = d.Long()
	s.Mtime = d.Long()
	s.Version = d.Int()
	s.Cversion = d.Int()
	s.Aversion = d.Int()
	s.EphemeralOwner = d.Long()
	s.DataLength = d.Int()
	s.NumChildren = d.Int()
	s.Pzxid = d.Long()
}
