// Package client produces to and consumes from Kafka with ZooKeeper as the guide,
// as Kafka's clients did up to 0.8: who leads which partition, which brokers are
// there and who else consumes in a group is read from ZooKeeper and followed by
// watches. No broker is ever asked for the cluster's metadata.
//
// The brokers are gregor's or Apache Kafka's in ZooKeeper mode, up to 3.9. What
// goes over the wire to them are today's requests; see docs/clients.md for what
// each client does and does not do.
//
// This package's API is stable: what is exported stays as it is.
//
//   - Owns: Producer and GroupConsumer.
//   - Goroutines: those of its parts, all ended by Close.
//   - Disk: none.
//   - Locks: named where they are declared; none is held over I/O.
//   - Kafka counterpart: kafka.producer.Producer and
//     kafka.consumer.ZookeeperConsumerConnector of 0.8, with the guarantees of
//     org.apache.kafka.clients.producer.KafkaProducer of 3.9.
package client
