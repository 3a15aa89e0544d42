// Package jaas reads the login configuration files of Java.
//
//   - Owns: nothing.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: javax.security.auth.login.Configuration, and
//     getDigestMd5Credentials of ZooKeeper's ServerCnxnFactory.
package jaas
