// Package groups holds `gregor groups`: consumer groups with their offsets in
// ZooKeeper, as old consumers have them, and those of Kafka's coordinator.
//
// Nothing is changed without --execute, nothing of a group that has members, and
// nothing of any other group. That a group has no members is made sure of by the
// server in the same step as the change: ZooKeeper by a transaction that deletes
// the list of members, which has to be empty for that, and makes it again; Kafka's
// coordinator by refusing. Members in ZooKeeper of a group in Kafka, which the
// coordinator does not know, are looked for just before.
//
//   - Owns: the verbs, and the two stores of groups behind one interface.
//   - Goroutines: none of its own.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: bin/kafka-consumer-groups.sh (ConsumerGroupCommand), and
//     for ZooKeeper kafka.tools.ConsumerOffsetChecker, ImportZkOffsets and
//     ExportZkOffsets of 0.8.
package groups
