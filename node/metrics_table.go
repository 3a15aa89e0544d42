package node

// numbers are the metrics that are one number each, in the order of Kafka's own
// documentation.
var numbers = []number{
	gauge("kafka_controller_kafkacontroller_activecontrollercount", "1 on the broker that is controller, 0 elsewhere.",
		func(r *reading) float64 { return float64(r.controller.Active) }),
	gauge("kafka_controller_kafkacontroller_offlinepartitionscount", "Partitions without a leader; 0 but on the controller, as all of its counts.",
		func(r *reading) float64 { return float64(r.controller.OfflinePartitions) }),
	gauge("kafka_controller_kafkacontroller_preferredreplicaimbalancecount", "Partitions that are not led by their preferred replica.",
		func(r *reading) float64 { return float64(r.controller.ImbalancedPartitions) }),
	gauge("kafka_controller_kafkacontroller_controllerstate", "What the controller is at: the number of Kafka's ControllerState, 0 for nothing.",
		func(r *reading) float64 { return float64(r.controller.State) }),
	gauge("kafka_controller_kafkacontroller_globaltopiccount", "Topics of the cluster.",
		func(r *reading) float64 { return float64(r.controller.Topics) }),
	gauge("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions of the cluster whose leader is known.",
		func(r *reading) float64 { return float64(r.controller.Partitions) }),
	gauge("kafka_controller_kafkacontroller_topicstodeletecount", "Topics that wait for their deletion.",
		func(r *reading) float64 { return float64(r.controller.TopicsToDelete) }),
	gauge("kafka_controller_kafkacontroller_replicastodeletecount", "Replicas that wait for their deletion.",
		func(r *reading) float64 { return float64(r.controller.ReplicasToDelete) }),
	gauge("kafka_controller_kafkacontroller_topicsineligibletodeletecount", "Topics whose deletion waits for a broker, a disk or a reassignment.",
		func(r *reading) float64 { return float64(r.controller.IneligibleTopics) }),
	gauge("kafka_controller_kafkacontroller_replicasineligibletodeletecount", "Replicas that cannot be deleted now.",
		func(r *reading) float64 { return float64(r.controller.IneligibleReplicas) }),
	gauge("kafka_controller_kafkacontroller_activebrokercount", "Brokers that are registered.",
		func(r *reading) float64 { return float64(r.controller.Brokers) }),
	gauge("kafka_controller_kafkacontroller_fencedbrokercount", "Always 0: without KRaft no broker is fenced.",
		func(*reading) float64 { return 0 }),
	gauge("kafka_controller_controllereventmanager_eventqueuesize", "Events that wait for the controller.",
		func(r *reading) float64 { return float64(r.controller.Queued) }),
	gauge("kafka_controller_controllerchannelmanager_totalqueuesize", "Requests of the controller that wait for brokers.",
		func(r *reading) float64 {
			total := 0
			for _, waiting := range r.controller.Requests {
				total += waiting
			}
			return float64(total)
		}),
	counter("kafka_controller_controllerstats_uncleanleaderelections_total", "Leaders elected from outside the in-sync replicas by this broker, as controller.",
		func(r *reading) float64 { return float64(r.controller.UncleanElections) }),

	gauge("kafka_server_replicamanager_leadercount", "Partitions that this broker leads.",
		func(r *reading) float64 { return float64(r.replicas.Leaders) }),
	gauge("kafka_server_replicamanager_partitioncount", "Partitions that this broker holds.",
		func(r *reading) float64 { return float64(r.replicas.Partitions) }),
	gauge("kafka_server_replicamanager_offlinereplicacount", "Partitions of this broker that lie in failed log directories.",
		func(r *reading) float64 { return float64(r.replicas.Offline) }),
	gauge("kafka_server_replicamanager_underreplicatedpartitions", "Led partitions with replicas that are not in sync.",
		func(r *reading) float64 { return float64(r.replicas.UnderReplicated) }),
	gauge("kafka_server_replicamanager_underminisrpartitioncount", "Led partitions with fewer replicas in sync than min.insync.replicas.",
		func(r *reading) float64 { return float64(r.replicas.UnderMinISR) }),
	gauge("kafka_server_replicamanager_atminisrpartitioncount", "Led partitions with just as many replicas in sync as min.insync.replicas.",
		func(r *reading) float64 { return float64(r.replicas.AtMinISR) }),
	gauge("kafka_server_replicamanager_reassigningpartitions", "Led partitions whose replicas are being reassigned.",
		func(r *reading) float64 { return float64(r.replicas.Reassigning) }),
	counter("kafka_server_replicamanager_isrexpands_total", "Replicas that came in sync with partitions that this broker leads.",
		func(r *reading) float64 { return float64(r.replicas.ISRExpands) }),
	counter("kafka_server_replicamanager_isrshrinks_total", "Changes by which replicas were found out of sync with partitions that this broker leads.",
		func(r *reading) float64 { return float64(r.replicas.ISRShrinks) }),
	counter("kafka_server_replicamanager_failedisrupdates_total", "Changes of in-sync replicas that the controller refused.",
		func(r *reading) float64 { return float64(r.replicas.ISRFailures) }),
	gauge("kafka_log_logmanager_offlinelogdirectorycount", "Log directories that failed.",
		func(r *reading) float64 { return float64(r.replicas.OfflineDirs) }),
}
