// Package peer starts the real programs that gregor is judged by.
//
// They come through the ordinary clients of their registries (Maven and pip)
// into a cache outside of the tree, once; GREGOR_INTEROP_CACHE moves it.
// GREGOR_INTEROP_TARGET=apache runs the client suites against Apache Kafka
// instead of gregor, which proves the suites themselves.
//
//   - Owns: processes of Kafka, ZooKeeper, gregor and their tools, until the
//     test that started them ends.
//   - Goroutines: one that starts processes, one per process that waits for it.
//   - Disk: the cache, and temporary directories.
//   - Locks: a lock file in the cache while something is fetched into it.
//   - Kafka counterpart: the scripts under bin, kafkatest's services.
package peer
