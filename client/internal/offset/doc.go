// Package offset stores how far the members of a group have read: in ZooKeeper, in
// Kafka, or in both.
//
//   - Owns: Store and its three kinds; below /consumers they touch only the offsets
//     of their own group.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: kafka.mu, over the address of the coordinator; not held over I/O.
//   - Kafka counterpart: commitOffsets and fetchOffsets of
//     kafka.consumer.ZookeeperConsumerConnector, 0.8.2.2.
package offset
