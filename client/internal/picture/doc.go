// Package picture keeps a picture of the brokers and of the topics asked for, as
// ZooKeeper has them, and follows it by watches.
//
//   - Owns: Picture; the Cluster it hands out is immutable and swapped whole.
//   - Goroutines: one per Picture ("picture"), which reads and decides.
//   - Disk: none.
//   - Locks: Picture.mu, over what was asked and who is to be told; not held over
//     I/O.
//   - Kafka counterpart: kafka.producer.BrokerPartitionInfo and ZkUtils of 0.8.
package picture
