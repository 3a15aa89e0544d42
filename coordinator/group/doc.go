// Package group is the classic consumer group protocol as a machine without a
// clock: one Machine decides for all groups of one partition of
// __consumer_offsets.
//
// Step takes an event (a request, a timer, the result of a write) with the
// time it happened, and returns what the shell must do: append records, send
// replies, wake the machine later. What is stored in the log changes in memory
// only when the shell reports a write as appended, and then through the same
// Replay that loads a partition after failover; rebalances in progress,
// sessions and waiting requests live only here and end with leadership.
//
//   - Owns: Machine, its events and replies, the record formats of
//     __consumer_offsets, Partition (which partition a group belongs to).
//   - Goroutines: none; a Machine belongs to one loop.
//   - Disk: none; it returns records and is fed records.
//   - Locks: none.
//   - Kafka counterpart: kafka.coordinator.group.GroupCoordinator,
//     GroupMetadata, GroupMetadataManager (KIP-134, 211, 345, 394, 447, 814).
package group
