// Package certs makes certificate authorities, certificates and the files that
// Java keeps them in, for tests.
//
//   - Owns: nothing.
//   - Goroutines: none.
//   - Disk: writes where it is told.
//   - Locks: none.
//   - Kafka counterpart: org.apache.zookeeper.common.X509TestContext.
package certs
