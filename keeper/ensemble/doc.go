// Package ensemble says who the members of a keeper are, and decides what a member
// without data may do.
//
// A Config is the content of /zookeeper/config, in ZooKeeper's own form: so all
// members agree on it as on any node. Decide is what a new member goes by.
//
//   - Owns: nothing; it is pure.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: ZooKeeper's QuorumMaj and QuorumPeer.QuorumServer.
package ensemble
