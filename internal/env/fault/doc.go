// Package fault gives each part of a cluster that runs in one process a machine
// of its own, which can be killed, frozen and cut off.
//
// A Network is the machines of one cluster. Boot starts a life of a Host: an Env
// over another one, real or in memory. Kill ends it as SIGKILL ends a process:
// nothing more is written, connections break, locks are free. Pause is SIGSTOP,
// a cut link holds back bytes until it is mended, as a network does that drops
// packets, and a jump moves the wall clock alone. Failing and full disks are
// memfs's business.
//
//   - Owns: who is at which address, which links are cut, which hosts stand
//     still; each life's connections, listeners, files and locks.
//   - Goroutines: none of its own; a timer that fires during a pause waits on
//     the clock's goroutine.
//   - Disk: what passes through.
//   - Locks: Network.mu; life.disk, held for reading around each call to the
//     disk; life.mu, conn.mu, timer.mu. None is held while waiting.
//   - Kafka counterpart: none; Trogdor's faults are the nearest.
package fault
