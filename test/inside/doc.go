// Package inside runs a whole broker within the test, on a machine in memory.
//
// The disk can lose power or run full, the network can be cut, and what the
// broker logs is at hand; everything else is the program as it ships.
//
//   - Owns: the machine and what was logged on it.
//   - Goroutines: the node's.
//   - Disk: in memory.
//   - Locks: Lines.mu.
//   - Kafka counterpart: kafka.integration.KafkaServerTestHarness.
package inside
