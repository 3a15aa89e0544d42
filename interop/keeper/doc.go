// Package keeper passes data directories between Apache ZooKeeper and gregor's
// keeper, there and back: both must serve the same tree, and sessions go on.
//
//   - Owns: data directories that several servers use in turn.
//   - Goroutines: writers that keep a server busy while it takes snapshots.
//   - Disk: temporary directories.
//   - Locks: none.
//   - Kafka counterpart: none.
package keeper
