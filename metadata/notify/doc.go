// Package notify follows a parent of sequential change notifications.
//
// Whoever changes a config, an ACL or a token also makes a numbered node that
// says what changed. Every broker follows those nodes, each in its order and
// once, and reads the thing itself again.
//
//   - Owns: Follower, with the number it is at.
//   - Goroutines: one per Follower, run by its caller.
//   - Disk: none.
//   - Locks: Follower.mu.
//   - Kafka counterpart: ZkNodeChangeNotificationListener.
package notify
