// Package wal is the keeper's write-ahead log on disk.
//
// A log is a row of segments of checksummed records; an append is one write
// and one fsync, however many records it holds. What a power cut leaves of the
// last append is cut off when the log is opened; anything else that does not
// check is a *CorruptError and never skipped. The bytes are described in
// docs/format/keeper-log.md.
//
//   - Owns: the files of one log directory.
//   - Goroutines: none. A Log has one user at a time.
//   - Disk: <dir>/<first index>.log.
//   - Locks: none.
//   - Kafka counterpart: ZooKeeper's FileTxnLog.
package wal
