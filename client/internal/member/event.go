package member

import "github.com/gregor-mq/gregor/client/internal/assign"

// Event is something that happened. The set is closed.
type Event interface{ isEvent() }

type (
	// SessionStarted says that a ZooKeeper session began: nothing of an earlier one
	// is left, be it nodes or watches.
	SessionStarted struct{}
	// SessionEnded says that the session expired, and its ephemeral nodes with it.
	SessionEnded struct{}
	// Changed says that members, brokers or topics are not what they were.
	Changed struct{}
	// Freed says that the owner node of a partition is gone: one that stood in the
	// way of a Claim, or the member's own.
	Freed struct{ Partition assign.TopicPartition }
	// Tick says that the time of a Wake has come, and does no harm at any other.
	Tick struct{}
	// Leave says that the member is to give up all it has and go.
	Leave struct{}

	// Registered answers Register; Err is ErrTaken when another session has the
	// member's node.
	Registered struct{ Err error }
	// Seen answers Read.
	Seen struct {
		Group assign.Group
		// Brokers is how many are registered.
		Brokers int
		// Gone are those that the member owns and whose owner node somebody deleted.
		Gone []assign.TopicPartition
		// Faults name topics that cannot be read; Group has what was known of them.
		Faults []error
		Err    error
	}
	// Committed answers Commit.
	Committed struct{ Err error }
	// Released answers Release.
	Released struct{ Err error }
	// Found answers Find: the offsets to begin at, -1 for none.
	Found struct {
		Offsets map[assign.TopicPartition]int64
		Err     error
	}
	// Claimed answers Claim: Made are the nodes that are there now, Taken those
	// that others hold.
	Claimed struct {
		Made  []assign.TopicPartition
		Taken []Taken
		Err   error
	}
	// Dropped answers Drop.
	Dropped struct{ Err error }
	// Left answers Unregister.
	Left struct{}
)

// Taken is a partition that another member owns.
type Taken struct {
	assign.TopicPartition
	// Why names the node that stands in the way, and who made it.
	Why string
}

func (SessionStarted) isEvent() {}
func (SessionEnded) isEvent()   {}
func (Changed) isEvent()        {}
func (Freed) isEvent()          {}
func (Tick) isEvent()           {}
func (Leave) isEvent()          {}
func (Registered) isEvent()     {}
func (Seen) isEvent()           {}
func (Committed) isEvent()      {}
func (Released) isEvent()       {}
func (Found) isEvent()          {}
func (Claimed) isEvent()        {}
func (Dropped) isEvent()        {}
func (Left) isEvent()           {}
