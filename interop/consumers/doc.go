// Package consumers puts the high-level consumer of Kafka 0.8.2.2 and gregor's own
// into one group, and holds the assignors of both against each other.
//
//   - Owns: nothing; its tests need the build tag interop, Java 17 and Maven.
//   - Goroutines: those of the tests.
//   - Disk: the tests' temporary directories.
//   - Locks: none.
//   - Kafka counterpart: kafka.consumer.ZookeeperConsumerConnector of 0.8.2.2.
package consumers
