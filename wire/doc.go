// Package wire is Kafka's network protocol: every message of Kafka 3.9 at
// every version, the error codes, and which versions a broker advertises.
//
// The messages are generated from Kafka's schemas by wire/gen. Decoding copies
// strings and aliases everything else; what it allocates is bounded by the
// bytes it is given, whatever lengths they claim. Encoding appends to a
// Writer, and leaves record bytes that live in a file as holes.
//
//   - Owns: Body and its implementations, Key, Code, Writer, the headers.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none; values are the caller's.
//   - Kafka counterpart: org.apache.kafka.common.protocol, common.message.
package wire

//go:generate go run ./gen
