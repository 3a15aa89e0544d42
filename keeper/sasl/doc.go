// Package sasl is the server's side of the SASL mechanism DIGEST-MD5 (RFC
// 2831), with authentication only (qop auth), as ZooKeeper offers it.
//
//   - Owns: the state of one exchange.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: com.sun.security.sasl.digest.DigestMD5Server with
//     ZooKeeper's SaslServerCallbackHandler.
package sasl
