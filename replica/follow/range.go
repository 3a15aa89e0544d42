package follow

import "github.com/gregor-mq/gregor/wire"

// Special timestamps of ListOffsets.
const (
	latestOffset   int64 = -1
	earliestOffset int64 = -2
)

// findRange finds new places for partitions that are out of their leader's
// range: they are ahead of it after an unclean election, or so far behind that
// it has deleted what comes next.
func (t *fetcher) findRange() {
	lost := t.lost
	t.lost = nil
	behind := t.listOffsets(lost, latestOffset, func(p *part, end int64) bool {
		if end >= p.at.End {
			return true
		}
		t.truncate(p, end, -1)
		return false
	})
	t.listOffsets(behind, earliestOffset, func(p *part, start int64) bool {
		if start > p.at.End {
			t.restart(p, start)
			return false
		}
		// The leader's log grew meanwhile, and now its epochs will tell.
		t.log.Info("offset is within the leader's range again", "partition", p.String(), "offset", p.at.End, "leader_start", start)
		t.pause(p)
		return false
	})
}

// restart begins a log anew where the leader's begins.
func (t *fetcher) restart(p *part, start int64) {
	before := p.at
	at, err := p.Replica.Restart(start)
	if t.refused(p, err) {
		return
	}
	t.cut = true
	t.log.Warn("log dropped: the leader's begins behind its end", "partition", p.String(), "from", before.End, "to", at.End,
		"high_watermark", before.HighWatermark, "leader", p.Leader, "leader_epoch", p.LeaderEpoch)
	t.moved(p, at)
}

// listOffsets asks for an offset of each partition and hands it to found. It
// returns those for which found says that more is to be asked.
func (t *fetcher) listOffsets(list []*part, timestamp int64, found func(p *part, offset int64) bool) []*part {
	if len(list) == 0 {
		return nil
	}
	req := wire.NewListOffsetsRequest()
	req.ReplicaID = t.set.cfg.BrokerID
	for _, p := range list {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Name != p.Topic {
			req.Topics = append(req.Topics, wire.ListOffsetsRequestTopic{Name: p.Topic})
		}
		topic := &req.Topics[len(req.Topics)-1]
		part := wire.NewListOffsetsRequestPartition()
		part.PartitionIndex, part.CurrentLeaderEpoch, part.Timestamp = p.Index, p.LeaderEpoch, timestamp
		topic.Partitions = append(topic.Partitions, part)
	}
	answer, err := answerOf[*wire.ListOffsetsResponse](t, req, t.set.versions.listOffsets)
	if err != nil {
		for _, p := range list {
			t.pause(p)
		}
		return nil
	}
	offsets := map[Partition]wire.ListOffsetsResponsePartitionResponse{}
	for _, topic := range answer.Topics {
		for _, o := range topic.Partitions {
			offsets[Partition{topic.Name, o.PartitionIndex}] = o
		}
	}
	var more []*part
	for _, p := range list {
		switch o, ok := offsets[p.Partition]; {
		case !ok:
			t.rejected(p, wire.CodeUnknownTopicOrPartition)
		case o.ErrorCode != wire.CodeNone:
			t.rejected(p, o.ErrorCode)
		case t.set.versions.listOffsets == 0 && len(o.OldStyleOffsets) == 0:
			t.rejected(p, wire.CodeUnknownServerError)
		case t.set.versions.listOffsets == 0:
			if found(p, o.OldStyleOffsets[0]) {
				more = append(more, p)
			}
		case found(p, o.Offset):
			more = append(more, p)
		}
	}
	return more
}
