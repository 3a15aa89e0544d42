// Package controller runs this broker's share of the cluster's controller.
//
// Every broker has one; one of them is active. The machine is controller/decide;
// here are the queue in front of it and the hands that do what it says.
//
//   - Owns: the event queue, the machine, one sender per broker.
//   - Goroutines: "controller" (the machine), "controller to broker N" per
//     registered broker while active.
//   - Disk: none.
//   - Locks: Controller.mu (session, callbacks, snapshot); not held over I/O.
//   - Kafka counterpart: ControllerEventManager, ControllerChannelManager, and
//     KafkaController's dealings with ZooKeeper.
package controller
