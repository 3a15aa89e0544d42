// Package crash ends brokers without a word and looks at what is left.
//
// kill: the built program as a process, SIGKILL at random moments, the same
// clients going on across its lives. power: the whole node in this process over
// a disk and a network in memory; a cut takes what was not synced. Every random
// choice comes from one seed, which a failure prints:
//
//	go test ./test/crash -run Kill -seed 7 -rounds 200
//
// Without flags a short tier runs; make crash ROUNDS=200 is the long one.
//
//   - Owns: the workload, and the order of disasters.
//   - Goroutines: those of the workload; none outlives its test.
//   - Disk: temporary directories.
//   - Locks: none of its own; test/check's.
//   - Kafka counterpart: kafkatest.tests.core.replication_test (hard bounce).
package crash
