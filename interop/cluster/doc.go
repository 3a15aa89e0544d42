// Package cluster runs clusters of which some brokers are Apache Kafka 3.9.1
// and some are gregor, and Apache's tools on clusters of gregor alone.
//
// Every test says what must hold: which replicas are in sync and who leads, in
// the znodes; that the logs of all replicas hold the same batches, byte for
// byte; that nothing acknowledged is lost. GREGOR_INTEROP_TARGET=apache runs
// the same tests on clusters of Apache Kafka alone, which proves the tests.
// GREGOR_INTEROP_LONG=1 adds the long forms.
//
//   - Owns: the tests of mixed clusters.
//   - Goroutines: the clients of a load, until it is finished.
//   - Disk: reads the log directories of its brokers, and breaks some.
//   - Locks: none.
//   - Kafka counterpart: kafkatest's replication and upgrade tests.
package cluster
