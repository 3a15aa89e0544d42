// Package node builds one broker process from its configuration.
//
// It is the only package that knows everybody: it opens in order, connects the
// owners by the small interfaces they ask for, and closes the other way round.
//
//   - Owns: the life of a process; the ZooKeeper session and who hears its
//     events; the settings in force.
//   - Goroutines: "zookeeper" (session events), "config-changes", "keeper-watch",
//     a task per request that waits for ZooKeeper, those of what it starts.
//   - Disk: the file gregor.session in the first log directory.
//   - Locks: settings.change, then settings.mu (topic overrides); producerIDs.mu.
//   - Kafka counterpart: kafka.server.KafkaServer.
package node
