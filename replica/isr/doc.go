// Package isr decides for one partition that this broker leads: which followers
// are in sync, how far the high watermark may rise, and which change of the ISR
// to propose to the controller.
//
//   - Owns: State, the progress of the followers and the change on its way.
//   - Goroutines: none. Its caller orders the calls, tells the time, and carries
//     out what Effects say; only a Pulse may be told of from elsewhere.
//   - Disk: none.
//   - Locks: none.
//   - Kafka counterpart: kafka.cluster.Partition (partitionState, maximalIsr),
//     kafka.cluster.Replica; KIP-497 and KIP-966's rule that the watermark rests
//     while the ISR is too small.
package isr
