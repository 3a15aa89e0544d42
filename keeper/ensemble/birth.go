package ensemble

import "slices"

// State is how much a member has of the ensemble's data.
type State string

// The states of a member, as it tells others.
const (
	// Newborn has no data, and has never promised anything to anybody.
	Newborn State = "newborn"
	// Damaged had data that is lost or cannot be trusted.
	Damaged State = "damaged"
	// Founder has a vote in an ensemble that nobody knows to exist yet.
	Founder State = "founder"
	// Formed has data of an ensemble that exists.
	Formed State = "formed"
)

// Verdict is what a member without data is to do.
type Verdict int

// What Decide says.
const (
	// Wait: too little is known.
	Wait Verdict = iota
	// Found: the ensemble does not exist; begin it, with a vote.
	Found
	// Join: the ensemble exists; ask to be taken in, without a vote until caught up.
	Join
)

// Decide says what a member without data may do, by what others say of
// themselves. It must not vote as if it had never voted: perhaps it did, and lost
// the disk that knew. Only where a majority says that nothing was ever begun is
// that certain enough; that a majority lost its data is beyond what an ensemble
// bears.
func Decide(self uint64, own State, c Config, others map[uint64]State) Verdict {
	fresh := 0
	if own == Newborn {
		fresh++
	}
	for _, s := range c.Servers {
		switch st := others[s.Number]; {
		case s.Number == self:
		case st == Formed:
			return Join
		case (st == Newborn || st == Founder) && !s.Observer:
			fresh++
		}
	}
	voters := c.Voters()
	if own == Newborn && slices.Contains(voters, self) && fresh > len(voters)/2 {
		return Found
	}
	return Wait
}
