// Package epoch remembers at which offset each leader epoch of a partition began.
//
//   - Owns: Cache.
//   - Goroutines: none.
//   - Disk: none; storage writes leader-epoch-checkpoint, storage/checkpoint knows
//     its text.
//   - Locks: Cache.mu, leaf.
//   - Kafka counterpart: LeaderEpochFileCache.
package epoch
