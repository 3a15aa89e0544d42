// Package rpc is a client of Kafka's protocol for what brokers ask each other.
//
// It is one connection to one listener, opened when first needed and again
// after it broke. Requests are pipelined; answers come in their order. What to
// do about an error, and when to try again, is the caller's to know.
//
//   - Owns: Client with its connection and the calls in flight.
//   - Goroutines: per connection a reader ("rpc reader") and a writer ("rpc
//     writer"); they end with the connection.
//   - Disk: none.
//   - Locks: Client.mu, link.mu; neither is held over I/O.
//   - Kafka counterpart: NetworkClient, NodeToControllerChannelManager's and
//     ControllerChannelManager's connections, BrokerBlockingSender.
package rpc
