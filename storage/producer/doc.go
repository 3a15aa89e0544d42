// Package producer is what a partition remembers about the producers that write to it.
//
// Per producer id: epoch, the last five batches (to recognise duplicates), and
// the open transaction; over all of them: where the first undecided
// transaction begins. It is pure: time and positions are arguments.
//
//   - Owns: State and the bytes of .snapshot files.
//   - Goroutines: none.
//   - Disk: none itself; storage reads and writes the files.
//   - Locks: none; the caller guards a State.
//   - Kafka counterpart: ProducerStateManager, ProducerStateEntry, ProducerAppendInfo.
package producer
