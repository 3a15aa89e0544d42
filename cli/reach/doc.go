// Package reach finds a cluster: the flags that say where ZooKeeper and the
// brokers are, and the connections to them.
//
//   - Owns: --zookeeper, --bootstrap-server and what goes with them.
//   - Goroutines: those of zk/session and of franz-go.
//   - Disk: none.
//   - Locks: witness.mu.
//   - Kafka counterpart: the options that all of Kafka's tools share.
package reach
