// Package coord keeps a client in touch with ZooKeeper beyond the end of a
// session: when one expires it opens another.
//
//   - Owns: Conn with the session in use, Subscription with what its owner has not
//     been told yet.
//   - Goroutines: one per Conn ("zookeeper events"), which reads the sessions'
//     events and opens new sessions; and the session's own.
//   - Disk: none.
//   - Locks: Conn.mu, over all subscriptions; not held over I/O.
//   - Kafka counterpart: org.I0Itec.zkclient.ZkClient of Kafka 0.8.
package coord
