// Package gregor runs the built program as a process for tests.
//
// The tests speak to it only over its ports, so that the same test can judge
// Apache Kafka: with GREGOR_TEST_KAFKA and GREGOR_TEST_ZOOKEEPER set to
// host:port of a running broker and its ZooKeeper, Shared returns that one.
//
//   - Owns: the binary of this test run, the processes started from it.
//   - Goroutines: one per process, which waits for its end.
//   - Disk: a temporary directory per broker, one for the binary.
//   - Locks: shared.mu (the broker that all tests of a binary use).
//   - Kafka counterpart: kafka.server.QuorumTestHarness.
package gregor
