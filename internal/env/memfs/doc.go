// Package memfs is a disk in memory that can lose power.
//
// What was written but not fsynced, and directory changes whose directory was
// not synced, may be missing after CrashClone. An Injector makes calls fail.
//
//   - Owns: a tree of inodes, each with its durable state and what is pending.
//   - Goroutines: none.
//   - Disk: none; it stands in for it.
//   - Locks: FS.mu, over everything.
//   - Kafka counterpart: none; the model is pebble's vfs.MemFS.
package memfs
