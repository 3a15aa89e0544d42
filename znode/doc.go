// Package znode knows what Kafka keeps in ZooKeeper.
//
//   - Owns: the path, the data format and the access control of every znode of
//     Kafka 3.9 in ZooKeeper mode, and of the consumers and brokers of old.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: kafka.zk.ZkData, kafka.common.ZkNodeChangeNotificationListener.
package znode
