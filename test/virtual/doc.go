// Package virtual runs a world of several programs in virtual time, from a seed.
//
// All that happens, be it a packet that arrives or a timer that fires, is one event
// of a Scheduler, which releases the next only when all goroutines have come to
// rest. A Trace notes what happens; its hash is the same whenever a seed replays.
// Each seed runs in a process of its own with one processor, no preemption by
// signals and no garbage collection. Two orders are not in our hands: in which a
// context ends those made from it, and which of several ready cases a select takes.
// Nothing that others can see may depend on them, nor on the order of a map.
//
//   - Owns: the pending events, the event log, the processes of seeds.
//   - Goroutines: Scheduler.Run's, which is the caller's.
//   - Disk: the file of a Trace, if one is named.
//   - Locks: Scheduler.mu, Trace.mu, Random.mu.
//   - Kafka counterpart: MockTime and kafka.raft's RaftEventSimulationTest.
package virtual
