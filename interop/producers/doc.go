// Package producers has gregor's own producer at work on Apache Kafka and Apache
// ZooKeeper.
//
//   - Owns: nothing; its tests need the build tag interop, Java 17 and Maven.
//   - Goroutines: those of the tests.
//   - Disk: the tests' temporary directories.
//   - Locks: none.
//   - Kafka counterpart: kafka.producer.Producer of 0.8.2.2.
package producers
