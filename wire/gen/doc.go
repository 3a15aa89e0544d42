// Command gen writes the Kafka codec of package wire from Kafka's own message
// schemas.
//
// The schemas are read out of published jars, which Maven's ordinary client
// fetches into a cache outside the tree; neither the schemas nor their prose
// are kept. Run it with "go generate ./wire".
//
//   - Owns: the mapping from a schema to Go names, types and statements.
//   - Goroutines: none.
//   - Disk: the jar cache, and the .gen.go files of the output directory.
//   - Locks: none.
//   - Kafka counterpart: org.apache.kafka.message.MessageGenerator.
package main
