// Package snap keeps snapshots of the keeper's state in files.
//
// A snapshot appears under its name only when it is whole and durable. Every
// part of it has a checksum. The bytes are described in
// docs/format/keeper-snapshot.md.
//
//   - Owns: the files of one snapshot directory.
//   - Goroutines: none.
//   - Disk: <dir>/<index>.snap, <dir>/<index>.snap.tmp while it is written.
//   - Locks: none.
//   - Kafka counterpart: ZooKeeper's FileSnap.
package snap
