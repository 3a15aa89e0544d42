// Package clients holds tests that drive a running broker with the client
// libraries that people use: franz-go, sarama, kafka-go and go-zookeeper.
//
// All of them but those that stop their broker also pass against Apache Kafka
// 3.9.1 with ZooKeeper (see test/gregor), which is how the expectations here
// are judged themselves; run it with group.min.session.timeout.ms=500 and
// group.initial.rebalance.delay.ms=0.
//
//   - Owns: nothing.
//   - Goroutines: those of the client libraries.
//   - Disk: none of its own.
//   - Locks: none.
//   - Kafka counterpart: kafkatest (tests/kafkatest), kafka.api.*IntegrationTest.
package clients
