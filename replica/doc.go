// Package replica keeps this broker's partitions: what leads, what follows,
// who may append and how far readers may see.
//
//   - Owns: Manager (all partitions of this broker), Partition, fetch sessions,
//     the in-sync replicas of what this broker leads (decided by replica/isr).
//   - Goroutines: one each for retention, flushes, checkpoints, deletion, late
//     followers, and telling the controller of in-sync replicas; one per log
//     directory for replicas that move there; none per partition or session.
//     Loading and stopping use a bounded few. Those of replica/follow copy what
//     this broker follows.
//   - Disk: through storage; the checkpoint files of each log directory.
//   - Locks: Manager.control (LeaderAndIsr and StopReplica, one at a time), then
//     Manager.checkpoints (looking at the logs and writing what they tell, as one
//     step), then Manager.mu (the table), then Partition.mu (role and epochs).
//     On a fetch's way: op of the session or fetch (while it reads, never while
//     it waits), Manager.mu, Partition.subs, interest.mu. Partition.water (moves of
//     the watermark, what is known of followers) comes after Partition.mu;
//     isrChanges.mu, moves.mu, Manager.offline and sessions.mu are leaves. Who
//     cuts a follower's log holds followers.settling before Manager.checkpoints,
//     and nothing of a partition. None
//     over network I/O; nobody is woken or answered under any but op.
//   - Kafka counterpart: kafka.server.ReplicaManager, kafka.cluster.Partition,
//     FetchSession.
package replica
