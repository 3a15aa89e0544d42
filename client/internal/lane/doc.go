// Package lane decides about the records that a producer has for one partition:
// what goes into a batch, when it is sent, how it is numbered, and what an answer
// means. It is a machine without clock, network or goroutine.
//
// A lane has one batch on its way at a time. So a batch is sent again only while
// none behind it was ever sent: order holds whatever fails, with or without
// sequence numbers, and whatever the brokers answer in which order.
//
//   - Owns: Lane, Batch.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none; the caller's.
//   - Kafka counterpart: RecordAccumulator and TransactionManager of
//     org.apache.kafka.clients.producer.internals.
package lane
