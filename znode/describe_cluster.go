package znode

import (
	"maps"
	"slices"
)

// tellCluster tells of brokers, the controller and what is the cluster's own.
func (n Node) tellCluster(f *facts, path string, data []byte) (known bool, err error) {
	switch n.Kind {
	case BrokerNode:
		var b Broker
		if b, err = DecodeBroker(path, data); err == nil {
			b.tell(f)
		}
	case ControllerNode:
		var c Controller
		if c, err = DecodeController(path, data); err == nil {
			f.add("broker", "%d", c.BrokerID)
			f.add("elected", "%s", moment(c.Timestamp))
			if c.KRaftEpoch > 0 {
				f.add("KRaft epoch", "%d: a KRaft controller migrates the cluster", c.KRaftEpoch)
			}
		}
	case ControllerEpochNode:
		var epoch int32
		if epoch, err = DecodeControllerEpoch(path, data); err == nil {
			f.add("epoch", "%d", epoch)
		}
	case ClusterIDNode:
		var id string
		if id, err = DecodeClusterID(path, data); err == nil {
			f.add("id", "%s", id)
		}
	case FeatureNode:
		var features Features
		if features, err = DecodeFeatures(path, data); err == nil {
			f.add("enabled", "%t", features.Enabled)
			for _, name := range slices.Sorted(maps.Keys(features.Levels)) {
				f.add("level of "+name, "%d", features.Levels[name])
			}
		}
	case MigrationNode:
		var m Migration
		if m, err = DecodeMigration(path, data); err == nil {
			f.add("KRaft controller", "%d in epoch %d", m.ControllerID, m.ControllerEpoch)
			f.add("metadata offset", "%d in epoch %d", m.MetadataOffset, m.MetadataEpoch)
		}
	case ProducerIDNode:
		var ids ProducerIDs
		if ids, err = DecodeProducerIDs(path, data); err == nil {
			f.add("ids", "%d to %d", ids.Start, ids.End)
			f.add("given to broker", "%d", ids.Broker)
		}
	case LogDirEventNode:
		var broker int32
		if broker, err = DecodeLogDirEvent(path, data); err == nil {
			f.add("broker", "%d", broker)
		}
	default:
		return false, nil
	}
	return true, err
}

func (b Broker) tell(f *facts) {
	for _, e := range b.Endpoints {
		f.add("endpoint", "%s (%s)", e, e.Protocol)
	}
	if b.Rack != nil {
		f.add("rack", "%s", *b.Rack)
	}
	if b.JMXPort >= 0 {
		f.add("JMX port", "%d", b.JMXPort)
	}
	f.add("registered", "%s", moment(b.Timestamp))
	for _, name := range slices.Sorted(maps.Keys(b.Features)) {
		f.add("feature "+name, "%d to %d", b.Features[name].Min, b.Features[name].Max)
	}
	f.add("version", "%d", b.Version)
}
