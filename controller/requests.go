package controller

import (
	"slices"

	"github.com/gregor-mq/gregor/controller/decide"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
)

// message is a control request in a version, and the channel it leaves through.
type message struct {
	body    wire.Body
	version int16
	channel decide.Channel
}

// protocolIDs are Kafka's numbers of the security protocols.
var protocolIDs = map[string]int16{"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}

// messages turns a machine's request into what goes over the wire: one message,
// or two for a StopReplica older than version 3, which deletes all or none.
func (v versions) messages(s decide.Send, listener string) []message {
	through := func(controllerEpoch int32) decide.Channel {
		return decide.Channel{Broker: s.Broker, BrokerEpoch: s.BrokerEpoch, ControllerEpoch: controllerEpoch}
	}
	switch r := s.Request.(type) {
	case *decide.LeaderAndISR:
		return []message{{leaderAndISR(r, s.BrokerEpoch, v.leaderAndISR, listener), v.leaderAndISR, through(r.ControllerEpoch)}}
	case *decide.UpdateMetadata:
		return []message{{updateMetadata(r, s.BrokerEpoch, v.updateMetadata), v.updateMetadata, through(r.ControllerEpoch)}}
	case *decide.StopReplica:
		return stopReplica(r, through(r.ControllerEpoch), v.stopReplica)
	}
	return nil
}

func leaderAndISR(r *decide.LeaderAndISR, epoch int64, version int16, listener string) *wire.LeaderAndIsrRequest {
	req := wire.NewLeaderAndIsrRequest()
	req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = r.ControllerID, r.ControllerEpoch, epoch
	for _, p := range r.Partitions {
		ps := wire.LeaderAndIsrRequestPartitionState{
			TopicName: p.Topic, PartitionIndex: p.Partition, ControllerEpoch: p.Leadership.ControllerEpoch,
			Leader: p.Leadership.Leader, LeaderEpoch: p.Leadership.LeaderEpoch, Isr: p.Leadership.ISR,
			PartitionEpoch: p.Leadership.PartitionEpoch, Replicas: p.Assignment.Replicas,
			AddingReplicas: p.Assignment.Adding, RemovingReplicas: p.Assignment.Removing, IsNew: p.IsNew,
		}
		if p.Leadership.Recovering && version >= 6 {
			ps.LeaderRecoveryState = 1
		}
		if version < 2 {
			req.UngroupedPartitionStates = append(req.UngroupedPartitionStates, ps)
			continue
		}
		n := len(req.TopicStates)
		if n == 0 || req.TopicStates[n-1].TopicName != p.Topic {
			req.TopicStates = append(req.TopicStates, wire.LeaderAndIsrRequestTopicState{TopicName: p.Topic, TopicID: p.TopicID})
			n++
		}
		ts := &req.TopicStates[n-1]
		ts.PartitionStates = append(ts.PartitionStates, ps)
	}
	for _, b := range r.LiveLeaders {
		if e, ok := endpoint(b, listener); ok {
			req.LiveLeaders = append(req.LiveLeaders, wire.LeaderAndIsrRequestLiveLeader{BrokerID: b.ID, HostName: e.Host, Port: e.Port})
		}
	}
	return req
}

func endpoint(b decide.Broker, listener string) (znode.Endpoint, bool) {
	i := slices.IndexFunc(b.Endpoints, func(e znode.Endpoint) bool { return e.Listener == listener })
	if i < 0 {
		return znode.Endpoint{}, false
	}
	return b.Endpoints[i], true
}

func updateMetadata(r *decide.UpdateMetadata, epoch int64, version int16) *wire.UpdateMetadataRequest {
	req := wire.NewUpdateMetadataRequest()
	req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = r.ControllerID, r.ControllerEpoch, epoch
	for _, p := range r.Partitions {
		ps := wire.UpdateMetadataRequestPartitionState{
			TopicName: p.Topic, PartitionIndex: p.Partition, ControllerEpoch: p.Leadership.ControllerEpoch,
			Leader: p.Leadership.Leader, LeaderEpoch: p.Leadership.LeaderEpoch, Isr: p.Leadership.ISR,
			ZkVersion: p.Leadership.PartitionEpoch, Replicas: p.Replicas, OfflineReplicas: p.Offline,
		}
		if version < 5 {
			req.UngroupedPartitionStates = append(req.UngroupedPartitionStates, ps)
			continue
		}
		n := len(req.TopicStates)
		if n == 0 || req.TopicStates[n-1].TopicName != p.Topic {
			req.TopicStates = append(req.TopicStates, wire.UpdateMetadataRequestTopicState{TopicName: p.Topic, TopicID: p.TopicID})
			n++
		}
		ts := &req.TopicStates[n-1]
		ts.PartitionStates = append(ts.PartitionStates, ps)
	}
	for _, b := range r.Brokers {
		req.LiveBrokers = append(req.LiveBrokers, liveBroker(b, version))
	}
	return req
}

func liveBroker(b decide.Broker, version int16) wire.UpdateMetadataRequestBroker {
	out := wire.UpdateMetadataRequestBroker{ID: b.ID, Rack: b.Rack}
	for _, e := range b.Endpoints {
		if version == 0 && e.Protocol == "PLAINTEXT" {
			out.V0Host, out.V0Port = e.Host, e.Port
		}
		out.Endpoints = append(out.Endpoints, wire.UpdateMetadataRequestEndpoint{
			Port: e.Port, Host: e.Host, Listener: e.Listener, SecurityProtocol: protocolIDs[e.Protocol],
		})
	}
	return out
}

func stopReplica(r *decide.StopReplica, to decide.Channel, version int16) []message {
	if version >= 3 {
		return []message{{stopReplicaNew(r, to.BrokerEpoch), version, to}}
	}
	var out []message
	for _, del := range []bool{true, false} {
		req := wire.NewStopReplicaRequest()
		req.ControllerID, req.ControllerEpoch, req.BrokerEpoch, req.DeletePartitions = r.ControllerID, r.ControllerEpoch, to.BrokerEpoch, del
		for _, p := range r.Partitions {
			switch n := len(req.Topics); {
			case p.Delete != del:
			case version == 0:
				req.UngroupedPartitions = append(req.UngroupedPartitions,
					wire.StopReplicaRequestPartitionV0{TopicName: p.Topic, PartitionIndex: p.Partition})
			case n > 0 && req.Topics[n-1].Name == p.Topic:
				req.Topics[n-1].PartitionIndexes = append(req.Topics[n-1].PartitionIndexes, p.Partition)
			default:
				req.Topics = append(req.Topics, wire.StopReplicaRequestTopicV1{Name: p.Topic, PartitionIndexes: []int32{p.Partition}})
			}
		}
		if len(req.Topics)+len(req.UngroupedPartitions) > 0 {
			out = append(out, message{req, version, to})
		}
	}
	return out
}

func stopReplicaNew(r *decide.StopReplica, epoch int64) *wire.StopReplicaRequest {
	req := wire.NewStopReplicaRequest()
	req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = r.ControllerID, r.ControllerEpoch, epoch
	for _, p := range r.Partitions {
		n := len(req.TopicStates)
		if n == 0 || req.TopicStates[n-1].TopicName != p.Topic {
			req.TopicStates = append(req.TopicStates, wire.StopReplicaRequestTopicState{TopicName: p.Topic})
			n++
		}
		ts := &req.TopicStates[n-1]
		ts.PartitionStates = append(ts.PartitionStates, wire.StopReplicaRequestPartitionState{
			PartitionIndex: p.Partition, LeaderEpoch: p.LeaderEpoch, DeletePartition: p.Delete,
		})
	}
	return req
}

// event turns a broker's answer into the machine's event.
func (m message) event(answer wire.Body) decide.Event {
	switch a := answer.(type) {
	case *wire.LeaderAndIsrResponse:
		return leaderAndISRDone(m.channel, m.body.(*wire.LeaderAndIsrRequest), a)
	case *wire.UpdateMetadataResponse:
		return decide.UpdateMetadataDone{Channel: m.channel, Err: a.ErrorCode}
	case *wire.StopReplicaResponse:
		return stopReplicaDone(m.channel, m.body.(*wire.StopReplicaRequest), a)
	}
	return nil
}

// leaderAndISRDone finds the names that answers from version 5 on leave out.
func leaderAndISRDone(from decide.Channel, req *wire.LeaderAndIsrRequest, a *wire.LeaderAndIsrResponse) decide.Event {
	ev := decide.LeaderAndISRDone{Channel: from, Err: a.ErrorCode}
	for _, e := range a.PartitionErrors {
		ev.Partitions = append(ev.Partitions, code(e.TopicName, e.PartitionIndex, e.ErrorCode))
	}
	names := map[wire.UUID]string{}
	for _, t := range req.TopicStates {
		names[t.TopicID] = t.TopicName
	}
	for _, t := range a.Topics {
		for _, e := range t.PartitionErrors {
			ev.Partitions = append(ev.Partitions, code(names[t.TopicID], e.PartitionIndex, e.ErrorCode))
		}
	}
	return ev
}

func code(topic string, partition int32, c wire.Code) decide.PartitionCode {
	return decide.PartitionCode{TopicPartition: decide.TopicPartition{Topic: topic, Partition: partition}, Err: c}
}

// stopReplicaDone keeps the partitions that were to be deleted. What the broker
// does not mention failed with the request as a whole, or not at all.
func stopReplicaDone(from decide.Channel, req *wire.StopReplicaRequest, a *wire.StopReplicaResponse) decide.Event {
	ev := decide.StopReplicaDone{Channel: from, Err: a.ErrorCode}
	said := map[decide.TopicPartition]wire.Code{}
	for _, e := range a.PartitionErrors {
		said[decide.TopicPartition{Topic: e.TopicName, Partition: e.PartitionIndex}] = e.ErrorCode
	}
	add := func(topic string, partition int32) {
		tp := decide.TopicPartition{Topic: topic, Partition: partition}
		c := a.ErrorCode
		if c == wire.CodeNone {
			c = said[tp]
		}
		ev.Partitions = append(ev.Partitions, decide.PartitionCode{TopicPartition: tp, Err: c})
	}
	for _, t := range req.TopicStates {
		for _, p := range t.PartitionStates {
			if p.DeletePartition {
				add(t.TopicName, p.PartitionIndex)
			}
		}
	}
	if req.DeletePartitions {
		for _, p := range req.UngroupedPartitions {
			add(p.TopicName, p.PartitionIndex)
		}
		for _, t := range req.Topics {
			for _, p := range t.PartitionIndexes {
				add(t.Name, p)
			}
		}
	}
	return ev
}
