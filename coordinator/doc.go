// Package coordinator runs the machines whose state is kept in partitions of
// an internal topic.
//
// A shard is one partition that this broker leads. Its state is loaded from
// the log when leadership begins and dropped when it ends; in between a loop
// feeds it requests, timers and the results of its appends, and carries out
// what the machine wants. Replies that depend on a write leave when the write
// is committed; until then more of them may be under way.
//
//   - Owns: Coordinator (groups: __consumer_offsets), its loops and loaders.
//   - Goroutines: a fixed few loops over which partitions are spread, and a
//     fixed few loaders; none per group, member or request.
//   - Disk: none of its own; it appends and reads through Appender.
//   - Locks: mailbox.mu, loadQueue.mu; neither is held over a call out.
//   - Kafka counterpart: GroupCoordinatorAdapter and GroupMetadataManager; in
//     its form CoordinatorRuntime.
package coordinator
