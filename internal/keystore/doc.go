// Package keystore reads keys and certificates from the files that Java's
// programs keep them in: JKS, PKCS#12 and PEM.
//
//   - Owns: nothing; callers read the files.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: java.security.KeyStore; ZooKeeper's
//     FileKeyStoreLoader and its kinds.
package keystore
