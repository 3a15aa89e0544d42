// Package oracle sends the same requests to Apache Kafka and to gregor and compares the answers field by field.
//
// A case is a script that runs once against each side, a broker that is alone
// (TestOracle) or a cluster of three (TestCluster). What it receives is written
// down as lines, in which whatever two brokers cannot agree on (ids, ports, the
// present time) has a name instead of a value. With
// GREGOR_INTEROP_TARGET=apache the second side is another Apache Kafka, which
// proves that the scripts find no differences where there are none.
//
// known.txt lists the differences that are accepted and why. Any other fails,
// and so does a line of the list that accepts nothing any more.
//
//   - Owns: the cases, one file per family of APIs.
//   - Goroutines: one per side and case.
//   - Disk: none of its own.
//   - Locks: none.
//   - Kafka counterpart: none; Kafka itself is the reference.
package oracle
