// Package config is the one table of every property a broker knows.
//
// From that table come the parsing and checking of server.properties, the
// effective settings of a broker and of a topic, the merge of dynamic settings,
// what DescribeConfigs answers and docs/configuration.md.
//
//   - Owns: the definitions (table_*.go), Broker and Topic (immutable snapshots).
//   - Goroutines: none.
//   - Disk: none; callers hand in the bytes of server.properties.
//   - Locks: none; everything returned is immutable.
//   - Kafka counterpart: ConfigDef, KafkaConfig, LogConfig, DynamicBrokerConfig,
//     ConfigHelper, ConfigAdminManager.
package config
