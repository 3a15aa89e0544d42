// Package replica keeps this broker's partitions: what leads, what follows,
// who may append and how far readers may see.
//
//   - Owns: Manager (all partitions of this broker), Partition, fetch sessions.
//   - Goroutines: one each for retention, checkpoints and deletion; none per
//     partition or session.
//   - Disk: through storage; the checkpoint files of each log directory.
//   - Locks: Manager.mu (the table of partitions), Partition.mu (role, epochs,
//     watermark, those who wait for it), interest.mu (what a fetch has still to
//     look at), sessions.mu. In this order; none over network I/O.
//   - Kafka counterpart: kafka.server.ReplicaManager, kafka.cluster.Partition,
//     FetchSession.
package replica
