// Package table puts the figures of two servers side by side: medians of several
// runs, their ratio, and whether a target is met.
//
//   - Owns: Report and its Markdown and JSON forms; Target.
//   - Goroutines: none.
//   - Disk: the JSON file.
//   - Locks: none; one goroutine adds to a Report.
//   - Kafka counterpart: none.
package table
