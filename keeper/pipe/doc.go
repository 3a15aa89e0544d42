// Package pipe is a connection between two parts of one process.
//
// It behaves like a socket: a bounded buffer each way, deadlines, and bytes
// written before Close are still read by the other end.
//
//   - Owns: the two buffers between two ends.
//   - Goroutines: none; a deadline is one timer while it is set.
//   - Disk: none.
//   - Locks: half.mu, one for each direction.
//   - Kafka counterpart: none; ZooKeeper's LocalConnection in tests comes near.
package pipe
