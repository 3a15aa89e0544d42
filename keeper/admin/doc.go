// Package admin serves commands over HTTP as ZooKeeper's AdminServer does: a
// command is a path below /commands, its answer is JSON.
//
//   - Owns: the form of answers, who may give which command, and how often.
//   - Goroutines: those of net/http.
//   - Disk: none.
//   - Locks: one inside Limiter.
//   - Kafka counterpart: ZooKeeper's JettyAdminServer, Commands and JsonOutputter.
package admin
