// Package metrics holds the keeper's figures under the names that ZooKeeper 3.9
// gives them, for mntr, for the command monitor and for Prometheus.
//
//   - Owns: counters and summaries; what can be read when somebody asks is asked
//     for as gauges.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none; counting costs some atomic additions.
//   - Kafka counterpart: ZooKeeper's ServerMetrics, DefaultMetricsProvider and
//     PrometheusMetricsProvider.
package metrics
