// Package chaos breaks a cluster of real processes while clients are at work.
//
// Three brokers and a keeper run in network namespaces of their own, joined by
// a bridge; every broker has two small disks. In each round a fault strikes:
// kill -9 of a broker or of all, SIGSTOP past the session timeout, a network
// partition from the peers, from ZooKeeper or from everybody, a disk that is
// full, a disk that turns read-only, kill -9 of the keeper. Later rounds let
// several of these happen at a time. When all is mended every partition must
// get its full ISR back. Then nothing acknowledged may be lost, duplicated or
// reordered, and all replicas must hold the same batches, byte for byte. All
// choices come from one seed:
//
//	make chaos ROUNDS=100 SEED=7
//	go test ./test/chaos -seed 7 -first 23 -rounds 1
//
// Without flags a short tier runs. The test binary starts itself again in a
// mount and a network namespace of its own, so that whatever happens nothing
// of all this outlives it. It needs Linux, root, iproute2, util-linux and
// e2fsprogs, and says what is missing where it cannot run.
//
//   - Owns: the namespaces, the disks, the order of disasters.
//   - Goroutines: those of the clients; none outlives its test.
//   - Disk: a file system in memory.
//   - Locks: load.mu; test/check's.
//   - Kafka counterpart: kafkatest.tests.core.replication_test, round_trip_fault_test.
package chaos
