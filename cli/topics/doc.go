// Package topics holds `gregor topics`.
//
//   - Owns: the verbs.
//   - Goroutines: none of its own.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: bin/kafka-topics.sh (TopicCommand), and what
//     kafka-configs.sh does with topics.
package topics
