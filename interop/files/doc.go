// Package files lets gregor and Apache Kafka open what the other one wrote.
//
//   - Owns: log directories that several brokers use in turn.
//   - Goroutines: none.
//   - Disk: temporary directories.
//   - Locks: none.
//   - Kafka counterpart: DumpLogSegments, the upgrade tests of kafkatest.
package files
