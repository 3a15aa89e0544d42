// Package records holds `gregor produce` and `gregor consume`: records as lines.
//
//   - Owns: the formats of lines, in both directions, and the two loops.
//   - Goroutines: "lines" reads the input of produce, "progress" shows how far it
//     is; those of franz-go and of package client, which call zkSource when
//     partitions come and go.
//   - Disk: reads the files that produce is given.
//   - Locks: outcome.mu.
//   - Kafka counterpart: bin/kafka-console-producer.sh,
//     bin/kafka-console-consumer.sh.
package records
