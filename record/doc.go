// Package record reads and writes Kafka's record batches, formats v0 to v2.
//
// A v2 batch is a 61-byte header and its records; see Batch for the layout. The
// header is read where it lies, records are walked without copying, and what the
// leader may change (offset, epoch, timestamp type) is changed in place.
//
//   - Owns: Batch, Record, Builder, codecs, old message sets, control markers.
//   - Goroutines: none; decoders and encoders run on the caller's.
//   - Disk: none.
//   - Locks: none; decoders and encoders come from sync.Pools.
//   - Kafka counterpart: org.apache.kafka.common.record, LogValidator.
package record
