package zk

import "strconv"

// AuthRequest adds an id to the connection; its xid is XidAuth.
type AuthRequest struct {
	Type   int32 // 0, unused
	Scheme string
	Auth   []byte
}

// Op implements Request.
func (*AuthRequest) Op() Op { return OpAuth }

// Encode implements Record.
func (r *AuthRequest) Encode(e *Encoder) {
	e.Int(r.Type)
	e.String(r.Scheme)
	e.Buffer(r.Auth)
}

// Decode implements Record.
func (r *AuthRequest) Decode(d *Decoder) {
	r.Type = d.Int()
	r.Scheme = d.String()
	r.Auth = d.Buffer()
}

// SASLRequest carries one token of a SASL exchange from the client.
type SASLRequest struct{ Token []byte }

// Op implements Request.
func (*SASLRequest) Op() Op { return OpSASL }

// Encode implements Record.
func (r *SASLRequest) Encode(e *Encoder) { e.Buffer(r.Token) }

// Decode implements Record.
func (r *SASLRequest) Decode(d *Decoder) { r.Token = d.Buffer() }

// SetWatchesRequest arms a client's watches again after a reconnect; its xid is
// XidSetWatches. What changed after RelativeZxid fires at once.
type SetWatchesRequest struct {
	RelativeZxid       int64
	Data, Exist, Child []string
}

// Op implements Request.
func (*SetWatchesRequest) Op() Op { return OpSetWatches }

// Encode implements Record.
func (r *SetWatchesRequest) Encode(e *Encoder) {
	e.Long(r.RelativeZxid)
	e.Strings(r.Data)
	e.Strings(r.Exist)
	e.Strings(r.Child)
}

// Decode implements Record.
func (r *SetWatchesRequest) Decode(d *Decoder) {
	r.RelativeZxid = d.Long()
	r.Data = d.Strings()
	r.Exist = d.Strings()
	r.Child = d.Strings()
}

// SetWatches2Request is SetWatchesRequest with the watches of AddWatchRequest.
type SetWatches2Request struct {
	SetWatchesRequest
	Persistent, Recursive []string
}

// Op implements Request.
func (*SetWatches2Request) Op() Op { return OpSetWatches2 }

// Encode implements Record.
func (r *SetWatches2Request) Encode(e *Encoder) {
	r.SetWatchesRequest.Encode(e)
	e.Strings(r.Persistent)
	e.Strings(r.Recursive)
}

// Decode implements Record.
func (r *SetWatches2Request) Decode(d *Decoder) {
	r.SetWatchesRequest.Decode(d)
	r.Persistent = d.Strings()
	r.Recursive = d.Strings()
}

// WatchMode is the kind of watch that AddWatchRequest adds.
type WatchMode int32

// The modes of addWatch.
const (
	WatchPersistent WatchMode = 0 // data and children of the one node
	WatchRecursive  WatchMode = 1 // the node and all below it, without children events
)

// AddWatchRequest adds a watch that stays after it fired.
type AddWatchRequest struct {
	Path string
	Mode WatchMode
}

// Op implements Request.
func (*AddWatchRequest) Op() Op { return OpAddWatch }

// Encode implements Record.
func (r *AddWatchRequest) Encode(e *Encoder) { e.pathInt(r.Path, int32(r.Mode)) }

// Decode implements Record.
func (r *AddWatchRequest) Decode(d *Decoder) {
	var n int32
	r.Path, n = d.pathInt()
	r.Mode = WatchMode(n)
}

// WatcherType selects watches to check or remove.
type WatcherType int32

// The watcher types; WatcherAny is every kind. The last two are of ZooKeeper
// 3.9 (ZOOKEEPER-4475).
const (
	WatcherChildren            WatcherType = 1
	WatcherData                WatcherType = 2
	WatcherAny                 WatcherType = 3
	WatcherPersistent          WatcherType = 4
	WatcherPersistentRecursive WatcherType = 5
)

// String returns the name of the type.
func (t WatcherType) String() string {
	names := [...]string{"Children", "Data", "Any", "Persistent", "PersistentRecursive"}
	if t >= WatcherChildren && t <= WatcherPersistentRecursive {
		return names[t-1]
	}
	return "watcher(" + strconv.Itoa(int(t)) + ")"
}

// CheckWatchesRequest fails with ErrNoWatcher unless the connection has such a
// watch.
type CheckWatchesRequest struct {
	Path string
	Type WatcherType
}

// Op implements Request.
func (*CheckWatchesRequest) Op() Op { return OpCheckWatches }

// Encode implements Record.
func (r *CheckWatchesRequest) Encode(e *Encoder) { e.pathInt(r.Path, int32(r.Type)) }

// Decode implements Record.
func (r *CheckWatchesRequest) Decode(d *Decoder) {
	var n int32
	r.Path, n = d.pathInt()
	r.Type = WatcherType(n)
}

// RemoveWatchesRequest removes the connection's watches of a type.
type RemoveWatchesRequest struct {
	Path string
	Type WatcherType
}

// Op implements Request.
func (*RemoveWatchesRequest) Op() Op { return OpRemoveWatches }

// Encode implements Record.
func (r *RemoveWatchesRequest) Encode(e *Encoder) { e.pathInt(r.Path, int32(r.Type)) }

// Decode implements Record.
func (r *RemoveWatchesRequest) Decode(d *Decoder) {
	var n int32
	r.Path, n = d.pathInt()
	r.Type = WatcherType(n)
}
