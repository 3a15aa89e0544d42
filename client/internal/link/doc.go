// Package link sends requests to brokers by their addresses. It knows nothing of
// clusters: nobody here asks for metadata, and nothing is sent a second time.
//
//   - Owns: Set, a link to each broker in use; Single, one TCP connection to one.
//   - Goroutines: franz-go's, per broker; none for Single.
//   - Disk: none.
//   - Locks: Set.mu, not held over I/O; Single's turn, held for one request.
//   - Kafka counterpart: org.apache.kafka.clients.NetworkClient.
package link
