// Package zkfile reads and writes the data directory of Apache ZooKeeper, 3.4
// to 3.9: version-2/snapshot.<zxid> and version-2/log.<zxid>.
//
// A snapshot of ZooKeeper is fuzzy: it holds parts of transactions that came
// while it was written. The log is carried out over it from the snapshot's
// zxid on, by rules that give the same tree however often a transaction is in
// it already.
//
//   - Owns: nothing on disk that is not asked for; ZooKeeper's files are read
//     and never changed.
//   - Goroutines: none.
//   - Disk: snapshot.<zxid> when one is written.
//   - Locks: none.
//   - Kafka counterpart: ZooKeeper's FileSnap, FileTxnLog, SerializeUtils, and
//     the part of DataTree that restores.
package zkfile
