// Package kgo runs franz-go's own integration tests of pkg/kgo against gregor.
//
// tests.txt says what is expected of each; it may only grow. The tests come as
// the Go module that holds them and run in a copy of it. With
// GREGOR_INTEROP_TARGET=apache they run against Apache Kafka instead, which is
// how the expectations are judged themselves.
//
//   - Owns: tests.txt.
//   - Goroutines: none.
//   - Disk: a copy of the module in a temporary directory.
//   - Locks: none.
//   - Kafka counterpart: none; the suite is franz-go's.
package kgo
