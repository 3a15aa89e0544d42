// Package offers keeps the topic registration of Kafka 0.7: every broker says
// how many partitions of a topic it offers.
//
//   - Owns: /brokers/topics/T/ID of this broker, ephemeral.
//   - Goroutines: the caller's, in Run.
//   - Disk: none.
//   - Locks: Offers.mu, over what is led and what is not yet written. It is not
//     held over I/O.
//   - Kafka counterpart: kafka.log.LogManager.registerTopicInZK of 0.7.2.
package offers
