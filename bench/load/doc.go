// Package load is the load program of the benchmark: what it sends is encoded
// before the clock starts, what it receives is drained undecoded.
//
// It shares the cores with the broker that it measures, so its own cost per
// request is a few system calls: frames are built once and only their
// correlation id changes, buffers are reused, and of an answer nothing is read
// but the correlation id and the error code. Every run is bounded in bytes and
// in time.
//
//   - Owns: Histogram, the raw loads (Produce, Fetch, Hold), the loads through
//     franz-go (ClientProduce, ClientConsume, Latency), Call and the topics; Crowd,
//     the sessions of a load of ZooKeeper, and Knock.
//   - Goroutines: one per connection of a raw load of Kafka; those of franz-go.
//   - Disk: none.
//   - Locks: none; every connection counts for itself and is added up at the end.
//   - Kafka counterpart: ProducerPerformance, ConsumerPerformance, EndToEndLatency.
package load
