// Package fetch reads partitions from their leaders and holds what was read until
// it is taken.
//
//   - Owns: Fetcher, the place of each partition and the records not taken yet.
//   - Goroutines: one that follows the leaders ("fetch leaders"), one for each
//     broker that leads ("fetch from broker").
//   - Disk: none.
//   - Locks: Fetcher.mu, not held over I/O.
//   - Kafka counterpart: kafka.consumer.ConsumerFetcherManager of 0.8, with the
//     requests of org.apache.kafka.clients.consumer.internals.Fetcher of 3.9.
package fetch
