// Package badstart starts the built program where it must not start, or only
// with care.
//
// Every case gives one clear message (what, where, how to mend it) and a
// non-zero exit, or a broker that does less but nothing wrong; and leaves every
// file as it was.
//
//   - Owns: nothing.
//   - Goroutines: none of its own.
//   - Disk: temporary directories; small file systems in memory where the
//     machine allows to mount them.
//   - Locks: none.
//   - Kafka counterpart: kafka.server.ServerStartupTest, ServerShutdownTest.
package badstart
