// Package member decides for one member of a group coordinated through ZooKeeper
// what to do next: register, look at the group, give up partitions and take
// others, stand back, fall silent, leave.
//
//   - Owns: Machine, what the member owns and how far it has come.
//   - Goroutines: none. Its caller orders the calls, tells the time, carries out
//     what effects say, and answers each that asks for an answer with one event.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: ZKRebalancerListener and ZKSessionExpireListener of
//     kafka.consumer.ZookeeperConsumerConnector, 0.8.2.2.
package member
