// Package metadata is this broker's immutable picture of the cluster, swapped
// whole.
//
//   - Owns: Cache, which holds the current Image.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: Cache.mu, for those who change the picture; readers take none.
//   - Kafka counterpart: kafka.server.metadata.ZkMetadataCache.
package metadata
