package tree

import "github.com/gregor-mq/gregor/zk"

// Operations that no client sends.
const (
	// OpEpoch is the transaction with which a leader opens its epoch.
	OpEpoch zk.Op = -100
	// OpMark changes nothing and takes no zxid: once it is applied, so is all that
	// was prepared before it. A sync is answered by it.
	OpMark zk.Op = -101
	// OpAttach moves a session to a connection, or says with Err why not. It takes
	// no zxid.
	OpAttach zk.Op = -102
	// OpConfig names the members of the ensemble, in Data, and its id, in Owner.
	OpConfig zk.Op = -103
)

// Txn is one change that the members agree on: a request with everything
// resolved that depended on the state, so that Apply decides nothing.
type Txn struct {
	// Zxid orders all changes: epoch in the high half, counter in the low.
	Zxid int64
	// Time is when the leader prepared it, in ms since 1970.
	Time int64
	// Session and Cxid say whose request it was; 0 for the keeper's own.
	Session int64
	Cxid    int32
	// Op says which of the fields below have a meaning. OpError is a request
	// that was refused with Err: it changes nothing but takes its zxid.
	Op  zk.Op
	Err zk.Err

	Path string
	// Data is the new content (create, setData); nil is null.
	Data []byte
	ACL  []zk.ACL // create, setACL
	// Version is the new version (setData) or aversion (setACL); for creates it
	// is the parent's new count of creates; for a failed multi the operation
	// at fault.
	Version int32
	// Owner of the node (create), or the member in whose process the session
	// lives (createSession).
	Owner int64
	// Timeout of the session in ms (createSession, attach).
	Timeout int32
	// Paths are the session's nodes (closeSession).
	Paths []string
	// Sub are the operations of a multi; of one that failed only how many.
	Sub []Txn
}

// Result is what Apply tells the client who asked.
type Result struct {
	// Err is OK, or why the request was refused.
	Err  zk.Err
	Path string  // creates
	Stat zk.Stat // creates, setData, setACL
	// Ops are the results of a multi, also of one that failed.
	Ops []zk.OpResult
	// Events are what happened, in the order in which watchers hear of it.
	Events []Event
}

// Event is one change that somebody may watch.
type Event struct {
	Type zk.EventType
	Path string
	// ACL is the node's list at that moment: who may not read is not told.
	ACL []zk.ACL
}
