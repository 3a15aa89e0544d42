// Package registry puts a broker into the cluster's znodes when it starts.
//
//   - Owns: nothing that lasts.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: KafkaServer.getOrGenerateClusterId and
//     getOrGenerateBrokerId, KafkaZkClient.registerBroker and
//     createTopLevelPaths, ZkData.defaultAcls.
package registry
