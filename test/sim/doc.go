// Package sim runs whole clusters in virtual time, from a seed.
//
// Brokers, their ZooKeeper and clients run in one process over a network and
// disks in memory. Everything that happens, be it a packet that arrives or a
// timer that fires, is one event of a scheduler, which releases the next only
// when all goroutines have come to rest. The seed decides how long packets take
// and what goes wrong when. After all is healed, nothing that was promised may
// be missing.
//
//	go test ./test/sim -run Sim -seeds 7          # one seed, as it failed
//	make sim SEEDS=1..200
//
// A seed runs in a process of its own with one processor, no preemption by
// signals and no garbage collection, so that it replays exactly; the hash of its
// event log proves it. Two orders are not in our hands: in which a context ends
// those made from it, and which of several ready cases a select takes. Nothing
// that others can see may depend on them, nor on the order of a map.
//
//   - Owns: the scheduler, the world, its clients, the plan of disasters.
//   - Goroutines: those of the brokers, the keeper and the clients; none is left.
//   - Disk: in memory.
//   - Locks: ghosts.mu; test/check's.
//   - Kafka counterpart: kafkatest.tests.core.replication_test, Trogdor.
package sim
