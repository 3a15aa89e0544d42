// Package assign computes which partitions a member of a group coordinated
// through ZooKeeper takes, from what lies in ZooKeeper alone: every member
// computes its own part, and the parts fit together because all compute the same.
//
//   - Owns: the algorithms of the 0.8.2 consumer, range and round robin, its order
//     of threads, and what its topic filters match. They are a protocol: members
//     written in other languages share the group.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: kafka.consumer.PartitionAssignor, TopicCount and TopicFilter
//     of 0.8.2.2.
package assign
