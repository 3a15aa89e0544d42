// Package secure is TLS for the keeper's ports, as the ssl properties of
// zoo.cfg describe it.
//
//   - Owns: keys and trusted certificates, exchanged whole when they are loaded
//     again.
//   - Goroutines: none; a connection is closed on one that the caller gives.
//   - Disk: reads key stores, trust stores and password files.
//   - Locks: Source.mu, over the look whether files changed.
//   - Kafka counterpart: org.apache.zookeeper.common.X509Util and its classes
//     for clients and members.
package secure
