package decide

import (
	"slices"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

// byTopicID is the AlterPartition version that names topics by id, and knows
// INELIGIBLE_REPLICA (KIP-841).
const byTopicID = 2

// proposal is one ISRProposal on its way.
type proposal struct {
	at   int // in the request
	p    *partition
	want Leadership
}

// alterPartition lets leaders change their ISR. The leader epoch stays, the
// partition epoch grows; everybody hears of it by UpdateMetadata only.
func (s *State) alterPartition(ev AlterPartition) {
	if b := s.brokers[ev.Broker]; b == nil || b.Epoch != ev.BrokerEpoch {
		s.answer(Failed{wire.CodeStaleBrokerEpoch})
		return
	}
	out := make([]ISRResult, len(ev.Items))
	var touched []*partition
	var writes []proposal
	for i, item := range ev.Items {
		out[i] = ISRResult{TopicID: item.TopicID, Topic: item.Topic, Partition: item.Partition}
		t := s.topics[item.Topic]
		if ev.Version >= byTopicID {
			t = s.ids[item.TopicID]
			if t == nil {
				out[i].Err = wire.CodeUnknownTopicID
				continue
			}
		}
		var p *partition
		if t != nil {
			p = t.find(item.Partition)
		}
		if p == nil || p.lead == nil {
			out[i].Err = wire.CodeUnknownTopicOrPartition
			continue
		}
		touched = append(touched, p)
		want := Leadership{
			Leader: ev.Broker, LeaderEpoch: item.LeaderEpoch, ISR: item.ISR, Recovering: item.Recovering,
			PartitionEpoch: item.PartitionEpoch, ControllerEpoch: s.epoch,
		}
		verdict, settled := s.judge(p, want, ev.Version)
		switch {
		case verdict != 0:
			out[i].Err = verdict
		case settled:
			out[i].Leadership = *p.lead
		default:
			writes = append(writes, proposal{i, p, want})
		}
	}
	s.then(
		func() { s.writeProposals(writes, out) },
		func() {
			s.announce(s.registered(), touched...)
			s.answer(ISRResults{Items: out})
		},
		func() {
			each(s, out, func(r ISRResult) {
				if r.Err == 0 {
					s.completeReassignment(s.found(ev.Version, r))
				}
			})
		},
	)
}

func (s *State) found(version int16, r ISRResult) *partition {
	t := s.topics[r.Topic]
	if version >= byTopicID {
		t = s.ids[r.TopicID]
	}
	if t == nil {
		return nil
	}
	return t.find(r.Partition)
}

// judge checks a proposal in Kafka's order. settled means that it is so already.
func (s *State) judge(p *partition, want Leadership, version int16) (err wire.Code, settled bool) {
	is := *p.lead
	switch {
	case want.PartitionEpoch > is.PartitionEpoch || want.LeaderEpoch > is.LeaderEpoch:
		return wire.CodeNotController, false // the leader knows more: another controller told it
	case want.LeaderEpoch < is.LeaderEpoch:
		return wire.CodeFencedLeaderEpoch, false
	case want.sameDecision(is):
		return 0, true // sent again; a stale partition epoch is no harm then
	case want.PartitionEpoch < is.PartitionEpoch:
		return wire.CodeInvalidUpdateVersion, false
	case want.Recovering && (len(want.ISR) > 1 || !is.Recovering):
		return wire.CodeInvalidRequest, false
	case slices.ContainsFunc(want.ISR, func(id int32) bool { return !s.live(id) }):
		if version >= byTopicID {
			return wire.CodeIneligibleReplica, false
		}
		return wire.CodeOperationNotAttempted, false
	}
	return 0, false
}

// writeProposals writes what was accepted. After a refused compare-and-set the
// state is read, for it may be this very write, sent twice over a lost
// connection; otherwise the leader must propose again.
func (s *State) writeProposals(writes []proposal, out []ISRResult) {
	var ops []Op
	for _, w := range writes {
		ops = append(ops, s.writeState(w.p, w.want))
	}
	s.znodes(ops, func(results []Result) {
		var again []proposal
		for i, w := range writes {
			switch err := results[i].Err; err {
			case zk.OK:
				w.want.PartitionEpoch = results[i].Stat.Version
				w.p.lead = &w.want
				out[w.at].Leadership = w.want
			case zk.ErrBadVersion:
				again = append(again, w)
			default:
				s.refuse(w.p.tp(), w.p.state, w.p.state, "writing the ISR: %v", err)
				out[w.at].Err = wire.CodeUnknownServerError
			}
		}
		var ps []*partition
		for _, w := range again {
			ps = append(ps, w.p)
		}
		s.readStates(ps, func(failed map[*partition]string) {
			for _, w := range again {
				is := *w.p.lead
				if _, bad := failed[w.p]; !bad && is.sameDecision(w.want) && is.ControllerEpoch == s.epoch {
					out[w.at].Leadership = is
				} else {
					out[w.at].Err = wire.CodeInvalidUpdateVersion
				}
			}
		})
	})
}
