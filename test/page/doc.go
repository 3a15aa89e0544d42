// Package page runs the pages of the manual that show commands with their
// output, so that what they show stays true.
//
//   - Owns: the shell that a page's commands run in, and what they start.
//   - Goroutines: one reads the shell's output.
//   - Disk: a directory of the test.
//   - Locks: output.mu, over what the shell has written.
//   - Kafka counterpart: none.
package page
