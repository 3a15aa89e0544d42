// Package decide is the controller of a cluster as a pure machine.
//
// One State is one broker's controller, active or not. Step takes one event (a
// watch that fired, a request of a broker or an admin client, a reply, a timer)
// and returns what to do, in order. Writes to znodes come back as the next
// event, and memory changes only then; requests to brokers leave only after
// that. See program.go for how one event's steps are kept.
//
//   - Owns: the controller's view of brokers, topics, leaders and replicas.
//   - Goroutines: none.
//   - Disk: none.
//   - Locks: none; the caller steps it from one goroutine.
//   - Kafka counterpart: KafkaController, ControllerContext,
//     PartitionStateMachine, ReplicaStateMachine, TopicDeletionManager,
//     Election, ControllerBrokerRequestBatch.
package decide
