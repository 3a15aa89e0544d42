// Package index is the three index files that lie beside a segment: by offset,
// by time, and of aborted transactions.
//
// Entries not yet written are kept in memory (a bounded tail), older ones are
// searched where they lie: nothing is mapped and no whole file is read.
//
//   - Owns: Sparse (offset and time index), Aborted (entries of .txnindex).
//   - Goroutines: none.
//   - Disk: .index, .timeindex and .txnindex, through files its caller opens.
//   - Locks: none; the caller guards a Sparse.
//   - Kafka counterpart: OffsetIndex, TimeIndex, TransactionIndex.
package index
