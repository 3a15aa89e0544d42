// Package gregortest runs a real cluster inside a Go test: brokers and their
// ZooKeeper in the test's own process, on loopback ports that the system picks,
// with their data in the test's temporary directory. Three brokers are up in
// about a tenth of a second.
//
//	func TestOrders(t *testing.T) {
//		cluster := gregortest.Start(t, gregortest.Brokers(3))
//		client := cluster.Client(kgo.ConsumeTopics("orders"))
//		...
//		cluster.Broker(1).Kill()
//	}
//
// Any Kafka client works: Cluster.Addrs is what it connects to. Each broker has a
// machine of its own as far as it can tell: it is killed, frozen and cut off from
// the others alone. The cluster ends with the test, and what it left behind, be it a
// goroutine or an open file, fails the test.
//
// This package's API is stable: what is exported stays as it is.
//
//   - Owns: a keeper and brokers, and their machines.
//   - Goroutines: those of the brokers and the keeper; all labelled.
//   - Disk: the test's temporary directory.
//   - Locks: Broker.mu, held through starts and stops; output.mu.
//   - Kafka counterpart: kafka.test.ClusterInstance, EmbeddedKafkaCluster.
package gregortest
