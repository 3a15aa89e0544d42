package member

import (
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
)

// Effect is one thing to do, in the order in which Step returns them. The set is
// closed. Of those that are answered by an event one is on its way at a time, and
// it is answered exactly once, after Abort too.
type Effect interface{ isEffect() }

type (
	// Register creates the member's node. Registered answers.
	Register struct{}
	// Read reads members, topics and brokers, after setting watches on them that
	// make Changed events, and looks after the owner nodes of what is owned. Seen
	// answers.
	Read struct{ Owned []assign.Claim }
	// Commit waits until the application is done with what it was given, tells it
	// what is taken from it, and stores how far it came. Committed answers.
	Commit struct{ Owned []assign.Claim }
	// Release deletes owner nodes of this session. Released answers.
	Release struct{ Owned []assign.Claim }
	// Find reads the offsets from which to go on. Found answers.
	Find struct{ Claims []assign.Claim }
	// Claim creates owner nodes. Claimed answers, and for every node Taken a Freed
	// follows when it is gone.
	Claim struct{ Claims []assign.Claim }
	// Drop deletes those owner nodes of a Claim that could be made. Dropped answers.
	Drop struct{ Made []assign.TopicPartition }
	// Unregister deletes the member's node and ends the session. Left answers.
	Unregister struct{}

	// Start begins to fetch and to deliver.
	Start struct{ Shares []Share }
	// Stop ends delivery, at once, and fetching; what was fetched and not delivered
	// is forgotten.
	Stop struct{}
	// Pause ends delivery until Resume: the session may be over soon, and nobody is
	// there to say. What was fetched stays.
	Pause struct{}
	// Resume undoes Pause.
	Resume struct{}
	// Lost tells that partitions went with the session, without commit.
	Lost struct{ Owned []assign.Claim }
	// Abort ends early what is on its way.
	Abort struct{}
	// Wake asks for a Tick at a moment, instead of an earlier Wake; the zero time
	// asks for none.
	Wake struct{ At time.Time }
	// Failed tells the log why an attempt failed that is not reported. Contested says
	// that other members still own something, which is nothing out of the ordinary.
	Failed struct {
		Err       error
		Contested bool
	}
	// Report tells the application of trouble; the machine goes on by itself.
	Report struct{ Err error }
	// Gone is the last effect.
	Gone struct{}
)

// Share is a partition to read.
type Share struct {
	assign.Claim
	// Offset is that of the first record to deliver, -1 when none was stored.
	Offset int64
}

func (Register) isEffect()   {}
func (Read) isEffect()       {}
func (Commit) isEffect()     {}
func (Release) isEffect()    {}
func (Find) isEffect()       {}
func (Claim) isEffect()      {}
func (Drop) isEffect()       {}
func (Unregister) isEffect() {}
func (Start) isEffect()      {}
func (Stop) isEffect()       {}
func (Pause) isEffect()      {}
func (Resume) isEffect()     {}
func (Lost) isEffect()       {}
func (Abort) isEffect()      {}
func (Wake) isEffect()       {}
func (Failed) isEffect()     {}
func (Report) isEffect()     {}
func (Gone) isEffect()       {}
