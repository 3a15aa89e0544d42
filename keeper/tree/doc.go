// Package tree is the state that the members of a keeper agree on.
//
// It holds znodes and sessions, checks requests against them and against what
// is proposed but not applied yet (Preparer), and changes only by Apply. The
// same transactions give the same state on every member.
//
//   - Owns: nodes in slabs addressed by number, names and data in an arena,
//     both outside the collected heap; ACLs, sessions, quotas.
//   - Goroutines: none. Callers serialise Apply and Prepare; reads may run
//     side by side with each other, not with Apply.
//   - Disk: none; snapshots and transactions are given out as bytes.
//   - Locks: none.
//   - Kafka counterpart: ZooKeeper's DataTree and PrepRequestProcessor.
package tree
