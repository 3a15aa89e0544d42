// Package clients drives a broker with the programs that people use: Apache's own tools, kcat, and the Python clients.
//
// Each test asserts what was read or printed. They run against gregor, or with
// GREGOR_INTEROP_TARGET=apache against Apache Kafka and ZooKeeper.
//
//   - Owns: one broker, shared by the tests, each with topics of its own.
//   - Goroutines: none.
//   - Disk: temporary directories.
//   - Locks: none.
//   - Kafka counterpart: the system tests under tests/kafkatest.
package clients
