// Package run starts goroutines that have names and somebody who waits for them.
//
// It is the only package that writes the go keyword.
//
//   - Owns: Group (a set of named goroutines with one context), Inbox (a
//     bounded queue with one reader), Budget (bytes that many hold together).
//   - Goroutines: those its callers ask for.
//   - Disk: none.
//   - Locks: Inbox.mu, Budget.mu.
//   - Kafka counterpart: ShutdownableThread, KafkaScheduler.
package run
