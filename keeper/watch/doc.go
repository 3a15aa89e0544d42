// Package watch knows which connection waits for which change of a znode.
//
//   - Owns: Table, the watches of all connections of one server.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: Table.mu; nothing is called while it is held.
//   - Kafka counterpart: ZooKeeper's WatchManager.
package watch
