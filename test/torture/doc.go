// Package torture sends a broker and its keeper what no client would send.
//
// Garbage, cut frames, lengths that lie and bodies of chance: each closes its
// own connection with one log line, holds no memory beyond what it sent, leaves
// nothing behind and disturbs nobody.
//
//   - Owns: nothing.
//   - Goroutines: none that outlive a test.
//   - Disk: none of its own; brokers run in memory.
//   - Locks: none.
//   - Kafka counterpart: kafka.network.SocketServerTest.
package torture
