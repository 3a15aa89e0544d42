package api

import (
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/wire"
)

// AlterReplicaLogDirs v0-2 (KIP-113): moves replicas of this broker to other of
// its log directories, or says where they are to be made when they come. Each
// partition is answered at once, long before its move is over; DescribeLogDirs
// tells how far it is.

func (b *Broker) alterReplicaLogDirs(c *context, req *wire.AlterReplicaLogDirsRequest) {
	changes := dirChanges(req)
	resp := wire.NewAlterReplicaLogDirsResponse()
	at := map[string]int{} // a topic may be asked to several directories
	for i, err := range b.Replicas.AlterDirs(changes) {
		topic := changes[i].Topic
		if _, known := at[topic]; !known {
			at[topic] = len(resp.Results)
			resp.Results = append(resp.Results, wire.AlterReplicaLogDirsResponseAlterReplicaLogDirTopicResult{TopicName: topic})
		}
		out := &resp.Results[at[topic]]
		out.Partitions = append(out.Partitions, wire.AlterReplicaLogDirsResponseAlterReplicaLogDirPartitionResult{
			PartitionIndex: changes[i].Partition, ErrorCode: Code(err)})
	}
	c.Reply(resp)
}

// dirChanges flattens a request. Of two wishes for one partition the last holds.
func dirChanges(req *wire.AlterReplicaLogDirsRequest) []replica.DirChange {
	var changes []replica.DirChange
	at := map[replica.DirChange]int{}
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				key := replica.DirChange{Topic: t.Name, Partition: p}
				i, twice := at[key]
				if !twice {
					i = len(changes)
					at[key] = i
					changes = append(changes, key)
				}
				changes[i].Dir = d.Path
			}
		}
	}
	return changes
}
