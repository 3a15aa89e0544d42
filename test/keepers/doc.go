// Package keepers runs ensembles of keepers in virtual time, from a seed, and
// checks what their clients saw.
//
// Three or five keepers, sometimes one more that observes, live on machines in
// memory with clients that speak ZooKeeper's protocol. Processes are killed and
// paused, machines lose power, disks run full or are lost, links are cut, one way
// or both, or slow. Then all is healed, and the history must be one that a single
// keeper without faults could have written:
//
//   - writes, and reads behind a sync, are linearizable: porcupine says so for each
//     node, the zxids for all of them together. What a session asked for without an
//     answer has happened by the time the session is attached again, or never does.
//   - a session sees the state go forward only, over connections too, and every
//     read shows all that its zxid stands for.
//   - an event comes before the first reply that could show its change.
//   - an ephemeral node goes once, not while its client is being answered within its
//     timeout, and not long after that.
//   - all members hold the same in the end.
//
// How to run a seed is said in package virtual:
//
//		go test ./test/keepers -run Keepers -seeds 7
//		make keepers SEEDS=1..200
//
//	  - Owns: the world, its clients, what they saw, the plan of faults.
//	  - Goroutines: those of the keepers and the clients; none is left.
//	  - Disk: in memory.
//	  - Locks: history.mu, world.mu, member.mu, plan.mu.
//	  - Kafka counterpart: none; Jepsen's tests of ZooKeeper are the nearest.
package keepers
