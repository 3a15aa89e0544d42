// Package cli holds the verbs of the program.
//
//   - Owns: flags, the words of help and errors, the start-up screens, signals,
//     the processes of a local cluster.
//   - Goroutines: "start" and "stop" of a server, "stacks" (SIGQUIT), one "child"
//     per process of a local cluster.
//   - Disk: reads the configuration file that a flag names; the directory of a
//     local cluster (docs/cluster.md).
//   - Locks: none.
//   - Kafka counterpart: bin/kafka-server-start.sh, kafka.Kafka.
package cli
