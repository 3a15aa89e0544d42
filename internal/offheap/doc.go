// Package offheap gives memory that the garbage collector neither scans nor
// counts.
//
// With a million small objects' bytes in the collected heap, the default pacing
// keeps as much again for garbage; what lies outside costs what it holds.
//
//   - Owns: nothing; callers give back what they took.
//   - Goroutines: none.
//   - Disk: none; the mappings are anonymous.
//   - Locks: none.
//   - Kafka counterpart: java.nio's direct buffers.
package offheap
