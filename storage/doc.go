// Package storage is one partition's log on disk, in Apache Kafka's own format.
//
// A Dir is one entry of log.dirs: its lock, identity, checkpoints and health. A
// Log is one replica: segments with their indexes, leader epochs and producer
// state. Nothing is read or opened before it is needed: after a clean stop a
// Log is opened from names and sizes alone.
//
//   - Owns: Dir, Log, Span; sub-packages index, epoch, producer, checkpoint.
//   - Goroutines: none; callers run Retain, Flush and removals when they like.
//   - Disk: everything below log.dirs.
//   - Locks: Log.flush before Log.mu before segment.mu and Log.tail; Log.mu is
//     held for validate-assign-append. Readers take segment.mu or Log.tail only.
//     Of two logs, the one that is left comes before the copy that takes over.
//   - Kafka counterpart: UnifiedLog, LocalLog, LogSegment, LogLoader, LogManager.
package storage
