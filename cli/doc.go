// Package cli holds the verbs of the program.
//
//   - Owns: flags, the words of help and errors, the start-up screen, signals.
//   - Goroutines: none of its own.
//   - Disk: reads the configuration file that a flag names.
//   - Locks: none.
//   - Kafka counterpart: bin/kafka-server-start.sh, kafka.Kafka.
package cli
