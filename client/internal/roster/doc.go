// Package roster reads and writes the znodes by which the members of a group know
// each other: who they are and which partitions they own.
//
//   - Owns: Roster, one member's view; below /consumers it touches only its own
//     group.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none. Calls of one Roster follow each other.
//   - Kafka counterpart: kafka.utils.ZkUtils and kafka.consumer.TopicCount of 0.8.2.2.
package roster
