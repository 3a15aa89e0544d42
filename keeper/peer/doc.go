// Package peer carries messages and files between the members of an ensemble.
//
// Every member dials every other: on the connection that it dialed it sends, on
// those that it accepted it receives. Both ends say hello first and either may
// refuse, with a reason. What is sent arrives in order or the connection ends,
// so a gap always shows as Down and Up. A file has a connection of its own. The
// bytes are described in docs/format/keeper-peer.md.
//
//   - Owns: the listener, and the connections from and to other members.
//   - Goroutines: peer-accept; peer-dialer per member named, and peer-writer
//     while its connection is up; peer-incoming per connection that was accepted,
//     and peer-busy while a file is taken from it; peer-file while SendFile runs;
//     peer-end (waits for all of these).
//   - Disk: none.
//   - Locks: Peers.mu (who is named; the start of goroutines), queue.mu (what
//     waits to be sent), Peers.said (refusals that were logged). None is taken
//     within another.
//   - Kafka counterpart: org.apache.zookeeper.server.quorum.Learner and
//     LearnerHandler, their sockets.
package peer
