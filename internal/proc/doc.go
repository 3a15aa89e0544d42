// Package proc tells whether a process seen before is still the same one: the
// system gives process ids out again.
//
//   - Owns: the identity of a process across time.
//   - Goroutines: none.
//   - Disk: reads /proc, where there is one.
//   - Locks: none.
//   - Kafka counterpart: none; ZooKeeper's zkServer.sh trusts its pid file.
package proc
