// Package check says what must hold of a broker's data, whatever happened to it.
//
// A workload tells what it asked for and what was acknowledged; a reader tells
// what is there. The checkers know neither clients nor brokers, so the same
// ones judge a killed process, a machine without power and a simulated cluster.
// An answer that never came may have happened or not: both are right.
//
//   - Owns: histories of records, committed offsets and topics.
//   - Goroutines: none; histories may be written from many.
//   - Disk: none.
//   - Locks: History.mu, Offsets.mu, Topics.mu, Births.mu.
//   - Kafka counterpart: kafkatest.services.verifiable_producer, validate_delivery.
package check
