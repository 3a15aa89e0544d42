package api

import (
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/wire"
)

// ListOffsets v0-9. Version 0 returns a list of segment starts; special
// timestamps came with versions 7 (KIP-734), 8 (KIP-405) and 9 (KIP-1005), and
// are UNSUPPORTED_VERSION per partition below theirs.

// offsetNotAvailableVersion is the first that knows OFFSET_NOT_AVAILABLE (KIP-207).
const offsetNotAvailableVersion = 5

// specialSince is the first version that knows a special timestamp.
var specialSince = map[int64]int16{
	replica.MaxTimestamp: 7, replica.EarliestLocalTimestamp: 8, replica.LatestTieredTimestamp: 9,
}

func (b *Broker) listOffsets(c *context, req *wire.ListOffsetsRequest) {
	resp := wire.NewListOffsetsResponse()
	twice := duplicatePartitions(req)
	for i := range req.Topics {
		t := &req.Topics[i]
		out := wire.ListOffsetsResponseTopicResponse{Name: t.Name}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			answer := wire.NewListOffsetsResponsePartitionResponse()
			answer.PartitionIndex = p.PartitionIndex
			switch {
			case c.version() == 0:
				b.listOffsetsV0(t.Name, p, req.ReplicaID, &answer)
			case twice[partitionID{t.Name, p.PartitionIndex}]:
				answer.ErrorCode = wire.CodeInvalidRequest
			default:
				b.listOffset(c.version(), req, t.Name, p, &answer)
			}
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	c.Reply(resp)
}

type partitionID struct {
	topic     string
	partition int32
}

// duplicatePartitions finds partitions named twice: which answer would hold?
func duplicatePartitions(req *wire.ListOffsetsRequest) map[partitionID]bool {
	seen := map[partitionID]bool{}
	twice := map[partitionID]bool{}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			id := partitionID{req.Topics[i].Name, req.Topics[i].Partitions[j].PartitionIndex}
			if seen[id] {
				twice[id] = true
			}
			seen[id] = true
		}
	}
	return twice
}

func (b *Broker) listOffset(version int16, req *wire.ListOffsetsRequest, topic string, p *wire.ListOffsetsRequestPartition, out *wire.ListOffsetsResponsePartitionResponse) {
	since, special := specialSince[p.Timestamp]
	if special && version < since || p.Timestamp < replica.LatestTieredTimestamp {
		out.ErrorCode = wire.CodeUnsupportedVersion
		return
	}
	found, err := b.Replicas.ListOffset(topic, p.PartitionIndex, p.Timestamp, replica.Isolation(req.IsolationLevel), req.ReplicaID, p.CurrentLeaderEpoch)
	out.ErrorCode, out.Offset, out.Timestamp = Code(err), found.Offset, found.Timestamp
	if out.ErrorCode == wire.CodeOffsetNotAvailable && version < offsetNotAvailableVersion {
		out.ErrorCode = wire.CodeLeaderNotAvailable // which older clients try again after
	}
	if version >= 4 {
		out.LeaderEpoch = found.LeaderEpoch
	}
}

// listOffsetsV0 answers with offsets before a time, newest first.
func (b *Broker) listOffsetsV0(topic string, p *wire.ListOffsetsRequestPartition, replicaID int32, out *wire.ListOffsetsResponsePartitionResponse) {
	if p.Timestamp < replica.EarliestTimestamp {
		out.ErrorCode = wire.CodeUnsupportedVersion
		return
	}
	offsets, err := b.Replicas.OffsetsBefore(topic, p.PartitionIndex, p.Timestamp, int(p.MaxNumOffsets), replicaID)
	out.ErrorCode = Code(err)
	out.OldStyleOffsets = offsets
}
