// Package proc starts a server as its users do and measures it from outside.
//
// Apache Kafka 3.9.1 runs with ZooKeeper 3.8.4 from the published jars, with
// the flags of its own start scripts and the settings of its own sample
// server.properties; gregor runs as one built binary with the same settings.
// Only ports and directories differ. What is killed is what was started here,
// by its process id. An Ensemble is the keeper alone, or Apache ZooKeeper 3.9.4.
//
//   - Owns: Server (Gregor, Apache), Cluster, Ensemble, Usage, the fetching of jars.
//   - Goroutines: one per process, which waits for its end.
//   - Disk: a working directory per server, removed by Close; the jars in the
//     user's cache.
//   - Locks: none.
//   - Kafka counterpart: bin/kafka-server-start.sh, bin/zookeeper-server-start.sh;
//     ZooKeeper's bin/zkServer.sh.
package proc
