// Package epoch remembers at which offset each leader epoch of a partition began.
//
//   - Owns: Cache and the text of leader-epoch-checkpoint.
//   - Goroutines: none.
//   - Disk: none itself; storage reads and writes the file.
//   - Locks: Cache.mu, leaf.
//   - Kafka counterpart: LeaderEpochFileCache, LeaderEpochCheckpointFile.
package epoch
