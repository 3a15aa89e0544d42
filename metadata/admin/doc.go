// Package admin writes what admin clients ask for into znodes.
//
// Topics come and go by writing what Kafka's own tools write; the controller
// learns of it from its watches, whoever wrote.
//
//   - Owns: nothing that lasts.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: AdminZkClient, ZkAdminManager, AdminUtils.
package admin
