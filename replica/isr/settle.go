package isr

import "github.com/gregor-mq/gregor/wire"

// Verdict is the controller's answer to a proposal.
type Verdict struct {
	Code wire.Code
	// What holds now, when Code is none.
	LeaderEpoch, PartitionEpoch int32
	ISR                         []int32
}

// Settled takes the controller's answer. A proposal that is not the pending one
// is ignored: a newer leader epoch has overtaken it. again says that it is to be
// sent once more, because the answer decided nothing.
func (s *State) Settled(now Time, p *Proposal, v Verdict, m Marks) (e Effects, again bool) {
	if s.pending != p {
		return nothing, false
	}
	switch v.Code {
	case wire.CodeNone:
		if v.LeaderEpoch != s.leaderEpoch || v.PartitionEpoch < s.partitionEpoch {
			return nothing, false // LeaderAndIsr will tell what holds
		}
		s.isr, s.partitionEpoch, s.pending = v.ISR, v.PartitionEpoch, nil
		return s.effects(now, m), false
	case wire.CodeIneligibleReplica, wire.CodeOperationNotAttempted:
		// The only refusals that say for sure: our epoch holds, nothing changed.
		s.pending = nil
		return s.effects(now, m), false
	case wire.CodeUnknownTopicOrPartition, wire.CodeUnknownTopicID, wire.CodeFencedLeaderEpoch,
		wire.CodeInvalidUpdateVersion, wire.CodeInvalidRequest, wire.CodeNewLeaderElected:
		// It may or may not have happened. The larger ISR goes on to count until
		// LeaderAndIsr says more.
		return nothing, false
	}
	return nothing, true
}
