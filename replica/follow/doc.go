// Package follow copies partitions from the brokers that lead them.
//
// It knows local replicas only as Replica, so it is tested alone. Each fetcher
// runs one fetch session with one broker and names in each request only what
// changed: a round costs what is active, not what is followed.
//
//   - Owns: Fetchers (who copies what from where) and the fetchers with their
//     connections, sessions and what they know of each partition.
//   - Goroutines: one per source broker and fetcher number ("replica-fetcher-…"),
//     from its first partition to its last.
//   - Disk: none but through Replica.
//   - Locks: Fetchers.moves (start, resize, stop, one at a time), then
//     Fetchers.mu, a leaf. A fetcher's own state has no lock: orders wait until
//     its goroutine takes them.
//   - Kafka counterpart: AbstractFetcherManager, AbstractFetcherThread,
//     ReplicaFetcherThread, RemoteLeaderEndPoint, FetchSessionHandler.
package follow
