// Package checkpoint is the text of the small files that surround the segments.
//
//   - Owns: Offsets (recovery-point, log-start, replication and cleaner
//     checkpoints), epochs (leader-epoch-checkpoint), Meta (meta.properties),
//     partition.metadata and .kafka_cleanshutdown.
//   - Goroutines: none.
//   - Disk: none itself; storage reads and writes the files.
//   - Locks: none.
//   - Kafka counterpart: CheckpointFile, OffsetCheckpointFile,
//     LeaderEpochCheckpointFile, MetaProperties, PartitionMetadataFile,
//     CleanShutdownFileHandler.
package checkpoint
