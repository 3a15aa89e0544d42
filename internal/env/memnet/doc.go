// Package memnet is a network in memory whose cable can be pulled.
//
// Connections have no buffer: a Write returns when the other side has read, so
// a test knows what a server has taken in. Cut breaks everything at once, as a
// power cut does to those who talk to the machine.
//
//   - Owns: listeners by address, and the connections between them.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: Net.mu, over everything.
//   - Kafka counterpart: org.apache.kafka.common.network.NetworkTestUtils.
package memnet
