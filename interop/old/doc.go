// Package old lets clients and tools of past releases, from 0.8.2 to 2.8, work
// on a gregor cluster: their consumers, and what they write to ZooKeeper.
//
//   - Owns: nothing; its tests need the build tag interop, Java 17 and Maven.
//   - Goroutines: those of the tests.
//   - Disk: the tests' temporary directories.
//   - Locks: none.
//   - Kafka counterpart: kafkatest's upgrade and compatibility tests, the tools of old releases.
package old
