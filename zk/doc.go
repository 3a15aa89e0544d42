// Package zk speaks ZooKeeper's client protocol, for both of its ends.
//
// Every message of ZooKeeper 3.9 that a client sends or gets is one struct that
// encodes and decodes itself. Decoding never allocates more than the bytes that
// are there can justify, and never panics.
//
//   - Owns: the jute codec, all messages, operation and error codes, path rules.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: zookeeper.jute, ZooDefs, KeeperException, PathUtils.
package zk
