// Package api answers Kafka requests: one file per API, each from the decoded
// request over permission and owner to the response.
//
//   - Owns: the registry of what is served; no state of its own.
//   - Goroutines: none; what must wait ends on the owner's.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: kafka.server.KafkaApis.
package api
