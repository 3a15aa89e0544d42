// Package server moves Kafka frames between sockets and one Handler.
//
// A request stays on its connection's goroutine from the socket to the
// handler; only its reply may wait. Replies leave in request order, written by
// whoever completes the oldest one: the connection's own goroutine, or one
// that lives only as long as something is ready.
//
//   - Owns: listeners, connections, their frames and their pending replies.
//   - Goroutines: one per listener, one per connection, and one per connection
//     while replies completed elsewhere are being written.
//   - Disk: none of its own; it sends spans of files.
//   - Locks: Server.mu (the set of connections), then Conn.mu (pending replies);
//     the budget of frames. None is held over network I/O.
//   - Kafka counterpart: kafka.network.SocketServer, RequestChannel.
package server
