package follow

import "github.com/gregor-mq/gregor/wire"

// epochEnd is where a leader epoch ends in a log; -1 where that is not known.
type epochEnd struct {
	epoch int32
	end   int64
}

// cutPoint is how far a follower's log may agree with its leader's, which has
// answered for an epoch of the follower. ours is where the same epoch, or the
// largest one below it, ends in the follower's log. final is false when the
// follower must ask again from there, for the epochs differ.
func cutPoint(theirs, ours epochEnd, at Position) (to int64, final bool) {
	switch {
	case theirs.end < 0:
		// The leader knows no epochs so old: what is committed is all that is
		// certain.
		return at.HighWatermark, true
	case theirs.epoch < 0 || ours.epoch < 0:
		return min(theirs.end, at.End), true
	case ours.epoch != theirs.epoch:
		return min(ours.end, at.End), false
	}
	return min(theirs.end, ours.end, at.End), true
}

// reconcile cuts a log where the leader's answer says that they part. In the
// end the partition is fetched on, or asked about again.
func (t *fetcher) reconcile(p *part, theirs epochEnd) {
	ours := epochEnd{-1, -1}
	if theirs.end >= 0 && theirs.epoch >= 0 {
		var err error
		if ours.epoch, ours.end, err = p.Replica.EpochEnd(theirs.epoch); t.refused(p, err) {
			return
		}
	}
	to, final := cutPoint(theirs, ours, p.at)
	before := p.at
	if !t.truncate(p, to, theirs.epoch) {
		return
	}
	switch {
	case p.stage == stageTruncating:
		p.truncate = !final
		t.begin(p)
	case p.at.End == before.End && p.at.Epoch == before.Epoch:
		// The leader will say the same again.
		t.log.Error("leader's history differs where ours has nothing to cut", "partition", p.String(), "offset", p.at.End,
			"epoch", p.at.Epoch, "leader_says_epoch", theirs.epoch, "leader_says_end", theirs.end)
		t.pause(p)
	}
}

// truncate cuts a log and says so; it reports whether that went well.
func (t *fetcher) truncate(p *part, to int64, epoch int32) bool {
	before := p.at
	at, err := p.Replica.Truncate(to)
	if t.refused(p, err) {
		return false
	}
	if at.End < before.End {
		t.cut = true
		t.log.Warn("log truncated: the leader does not have these records", "partition", p.String(), "from", before.End, "to", at.End,
			"high_watermark", before.HighWatermark, "diverging_epoch", epoch, "leader", p.Leader, "leader_epoch", p.LeaderEpoch)
	}
	t.moved(p, at)
	return true
}

// truncateDue cuts the logs of partitions that begin: those that know their
// epochs, in protocols where fetching does not compare histories, by asking the
// leader, all others to the high watermark.
func (t *fetcher) truncateDue() {
	if len(t.truncating) == 0 || t.quiet.After(t.clock.Now()) {
		return
	}
	due := t.truncating
	t.truncating = nil
	var ask []*part
	for _, p := range due {
		switch {
		case p.stage != stageTruncating:
		case p.at.Epoch >= 0 && t.set.versions.asks && !t.set.versions.diverging:
			ask = append(ask, p)
		case p.at.HighWatermark >= p.at.End || t.truncate(p, p.at.HighWatermark, -1):
			p.truncate = false
			t.begin(p)
		}
	}
	if len(ask) > 0 {
		t.askEpochs(ask)
	}
	t.settle()
}

// askEpochs asks the leader where the latest epochs of logs end in its own.
func (t *fetcher) askEpochs(list []*part) {
	req := wire.NewOffsetForLeaderEpochRequest()
	req.ReplicaID = t.set.cfg.BrokerID
	for _, p := range list {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.Topic {
			req.Topics = append(req.Topics, wire.OffsetForLeaderEpochRequestOffsetForLeaderTopic{Topic: p.Topic})
		}
		topic := &req.Topics[len(req.Topics)-1]
		topic.Partitions = append(topic.Partitions, wire.OffsetForLeaderEpochRequestOffsetForLeaderPartition{
			Partition: p.Index, CurrentLeaderEpoch: p.LeaderEpoch, LeaderEpoch: p.at.Epoch})
	}
	answer, err := answerOf[*wire.OffsetForLeaderEpochResponse](t, req, t.set.versions.epochEnd)
	if err != nil {
		t.truncating = append(t.truncating, list...)
		t.rest()
		return
	}
	ends := map[Partition]wire.OffsetForLeaderEpochResponseEpochEndOffset{}
	for _, topic := range answer.Topics {
		for _, end := range topic.Partitions {
			ends[Partition{topic.Topic, end.Partition}] = end
		}
	}
	for _, p := range list {
		switch end, ok := ends[p.Partition]; {
		case !ok:
			t.rejected(p, wire.CodeUnknownTopicOrPartition)
		case end.ErrorCode != wire.CodeNone:
			t.rejected(p, end.ErrorCode)
		default:
			t.reconcile(p, epochEnd{end.LeaderEpoch, end.EndOffset})
		}
	}
}
