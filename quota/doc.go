// Package quota is the arithmetic of rates and limits: how much passed lately,
// whether that is too much, and how long until it no longer is.
//
//   - Owns: Rate (a sliding sum), Replication (the throttle of KIP-73 and of moves
//     between log directories).
//   - Goroutines: none; the caller tells the time.
//   - Disk: none.
//   - Locks: Replication.mu, a leaf.
//   - Kafka counterpart: ReplicationQuotaManager; SimpleRate, SampledStat of
//     org.apache.kafka.common.metrics.
package quota
