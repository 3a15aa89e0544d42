package api

import (
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// DescribeLogDirs v0-4 (KIP-113, KIP-827): directories of this broker and the
// replicas in them. Null asks for all topics, an empty list for none.

func (b *Broker) describeLogDirs(c *context, req *wire.DescribeLogDirsRequest) {
	resp := wire.NewDescribeLogDirsResponse()
	var want func(string, int32) bool
	if req.Topics != nil {
		asked := map[string][]int32{}
		for _, t := range req.Topics {
			asked[t.Topic] = append(asked[t.Topic], t.Partitions...)
		}
		want = func(topic string, partition int32) bool { return slices.Contains(asked[topic], partition) }
	}
	for _, d := range b.Replicas.DescribeDirs(want) {
		out := wire.NewDescribeLogDirsResponseResult()
		out.LogDir, out.ErrorCode, out.TotalBytes, out.UsableBytes = d.Path, Code(d.Err), d.TotalBytes, d.UsableBytes
		for _, r := range d.Replicas {
			if last := len(out.Topics) - 1; last < 0 || out.Topics[last].Name != r.Topic {
				out.Topics = append(out.Topics, wire.DescribeLogDirsResponseTopic{Name: r.Topic})
			}
			t := &out.Topics[len(out.Topics)-1]
			t.Partitions = append(t.Partitions, wire.DescribeLogDirsResponsePartition{PartitionIndex: r.Partition, PartitionSize: r.Size, OffsetLag: r.Lag, IsFutureKey: r.IsFuture})
		}
		resp.Results = append(resp.Results, out)
	}
	c.Reply(resp)
}
