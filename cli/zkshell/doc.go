// Package zkshell holds the verbs of `gregor zk`: it looks into ZooKeeper and
// tells what Kafka keeps there in words.
//
//   - Owns: the verbs, and the walk over a tree.
//   - Goroutines: none of its own.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: bin/zookeeper-shell.sh (org.apache.zookeeper.ZooKeeperMain).
package zkshell
