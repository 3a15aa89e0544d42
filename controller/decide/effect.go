package decide

import "time"

// Effects is what to do about an event, in this order. A Znodes effect is always
// the last: whatever stands before it rests on writes that are confirmed, and
// whatever depends on it comes with the next Step.
type Effects []Effect

// Effect is one thing to do. The set is closed.
type Effect interface{ isEffect() }

type (
	// Znodes is a batch of operations to pipeline in order; ops are independent:
	// one that fails does not stop the others. Results come back as ZnodesDone.
	Znodes struct{ Ops []Op }
	// Connect opens the channel to a broker. Requests to it queue from now on.
	Connect struct{ Broker Broker }
	// Disconnect closes the channel to a broker and drops what is queued.
	Disconnect struct{ ID int32 }
	// Send queues a request for one broker, behind those queued before.
	Send struct {
		Broker      int32
		BrokerEpoch int64
		Request     Request
	}
	// Reply answers the event that carried Tag.
	Reply struct {
		Tag    uint64
		Answer Answer
	}
	// After asks for an event in a while. Timers die with Resigned.
	After struct {
		Delay time.Duration
		Event Event
	}
	// Enqueue puts an event at the end of the queue.
	Enqueue struct{ Event Event }
	// Elected says that this broker is the controller of this epoch.
	Elected struct{ Epoch int32 }
	// Resigned says that it no longer is: close all channels, drop all timers.
	Resigned struct{}
	// Leader tells who is controller now, -1 for nobody.
	Leader struct{ ID int32 }
	// Refused reports a state change that was illegal or failed.
	Refused struct {
		// Subject is a partition or a replica of one.
		Subject  string
		From, To string
		Why      string
	}
	// Note reports something an operator may want to know, or has to.
	Note struct {
		Text string
		Warn bool
	}
)

// OpKind is what an Op does.
type OpKind int8

// The kinds of Op.
const (
	// OpRead gets data and stat.
	OpRead OpKind = iota
	// OpList gets the children.
	OpList
	// OpExists gets the stat; with Watch a missing node is watched too.
	OpExists
	// OpCreate makes a persistent node.
	OpCreate
	// OpWrite sets the data.
	OpWrite
	// OpRemove deletes the node.
	OpRemove
	// OpElect is multi[create(Path, Data, ephemeral), set(/controller_epoch,
	// Epoch, Version)]: its Result carries the stat of /controller_epoch.
	OpElect
)

// anyVersion makes a write unconditional.
const anyVersion int32 = -1

// Op is one operation on a znode.
type Op struct {
	Kind OpKind
	Path string
	// Data is what to write; nil is null data.
	Data []byte
	// Version is the expected data version of OpWrite, OpRemove and OpElect.
	Version int32
	// Watch arms a watch with OpRead, OpList and OpExists.
	Watch bool
	// Fence makes a write fail with Moved unless /controller_epoch still has
	// data version FenceVersion.
	Fence        bool
	FenceVersion int32
	// Epoch is the new controller epoch of OpElect.
	Epoch int32
}

func (Znodes) isEffect()     {}
func (Connect) isEffect()    {}
func (Disconnect) isEffect() {}
func (Send) isEffect()       {}
func (Reply) isEffect()      {}
func (After) isEffect()      {}
func (Enqueue) isEffect()    {}
func (Elected) isEffect()    {}
func (Resigned) isEffect()   {}
func (Leader) isEffect()     {}
func (Refused) isEffect()    {}
func (Note) isEffect()       {}
