// Package x500 writes the distinguished names of certificates as Java does, for
// they are what ACLs of scheme x509 name.
//
//   - Owns: nothing.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: javax.security.auth.x500.X500Principal.
package x500
