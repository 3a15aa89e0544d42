// Package session keeps one ZooKeeper session alive over changing connections.
//
//   - Owns: Session with its queue of requests, its armed watches and its stream
//     of events.
//   - Goroutines: per session one that connects, reads and calls back ("zk
//     session"), per connection one that writes and pings ("zk session writer").
//   - Disk: none.
//   - Locks: Session.mu; batch.mu in Do. Neither is held over I/O or callbacks.
//   - Kafka counterpart: kafka.zookeeper.ZooKeeperClient over ZooKeeper's
//     ClientCnxn.
package session
