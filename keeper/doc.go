// Package keeper is a server that ZooKeeper's clients take for ZooKeeper.
//
// A write goes connection, loop (checked and turned into a transaction), raft,
// log with one fsync for all that wait, loop (applied), connection. A read is
// answered on its connection's goroutine from the tree, unless a write of the
// same connection is still on its way: then the loop answers it right after.
//
// In an ensemble the loop of a follower forwards calls to the leader's (forward.go)
// and applies what raft commits. A member serves within a lease (beat.go), is taken
// in and gets a vote by the leader (membership.go, reconfig.go), catches up by
// snapshot (install.go), and gives damaged data up (setaside.go).
//
//   - Owns: the data directory, the tree, raft, sessions, client connections.
//   - Goroutines: keeper-loop (decides and applies), keeper-log (appends and
//     fsyncs), keeper-accept per listener, one per connection and one more while
//     replies to writes are being sent, keeper-snapshot while one is written,
//     keeper-closer (closes connections at the end), keeper-end (waits for all
//     of these, then closes the files), keeper-admin and keeper-metrics (HTTP),
//     keeper-audit; in an ensemble those of peer, and
//     keeper-sender while a snapshot is sent.
//   - Disk: what wal and snap keep, and keeper.meta and keeper.lock, backup.tmp
//     while a backup is made or read, the audit log; reads the
//     users of SASL, and what secure reads.
//   - Locks: in this order Keeper.state (tree; writers are the loop and the
//     start of a snapshot), conn.mu (what is to be sent), then any of
//     Keeper.conns, Keeper.sessions, Keeper.stats, Keeper.memory, quorum.mu,
//     Keeper.touched and those inside watch.
//   - Kafka counterpart: org.apache.zookeeper.server.ZooKeeperServer.
package keeper
