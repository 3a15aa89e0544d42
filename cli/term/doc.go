// Package term is what a verb sees of whoever called it.
//
//   - Owns: the three streams, tables, lines of JSON, progress, interrupts, what a
//     word that is no verb is answered.
//   - Goroutines: none of its own.
//   - Disk: opens the files that a user names.
//   - Locks: none.
//   - Kafka counterpart: none; Kafka's tools print each in their own way.
package term
