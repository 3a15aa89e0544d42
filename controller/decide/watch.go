package decide

import (
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// FromWatch returns the event that a fired watch stands for. ok is false for
// watches that mean nothing to a controller, such as the deletion of a broker's
// node: that one comes as BrokerChange too.
func FromWatch(ev zk.Event) (Event, bool) {
	switch ev.Type {
	case zk.EventChildrenChanged:
		return fromChildren(ev.Path)
	case zk.EventCreated, zk.EventDeleted:
		switch ev.Path {
		case znode.PreferredElectionPath:
			return PreferredElectionNode{}, true
		case znode.ReassignPath:
			return ReassignmentNode{}, true
		case znode.ControllerPath:
			if ev.Type == zk.EventDeleted {
				return Reelect{}, true
			}
			return ControllerChange{}, true
		}
	case zk.EventDataChanged:
		return fromData(ev.Path)
	}
	return nil, false
}

func fromChildren(path string) (Event, bool) {
	switch path {
	case znode.BrokerIDsPath:
		return BrokerChange{}, true
	case znode.TopicsPath:
		return TopicChange{}, true
	case znode.DeleteTopicsPath:
		return TopicDeletion{}, true
	case znode.ISRChangesPath:
		return ISRChange{}, true
	case znode.LogDirEventsPath:
		return LogDirChange{}, true
	}
	return nil, false
}

func fromData(path string) (Event, bool) {
	switch path {
	case znode.ControllerPath:
		return ControllerChange{}, true
	case znode.ReassignPath:
		// Kafka looks away, and hears nothing of the node from then on: the watch
		// that was armed by reading it is spent.
		return ReassignmentNode{}, true
	}
	if rest, ok := strings.CutPrefix(path, znode.BrokerIDsPath+"/"); ok {
		id, err := strconv.ParseInt(rest, 10, 32)
		return BrokerModified{ID: int32(id)}, err == nil
	}
	if rest, ok := strings.CutPrefix(path, znode.TopicsPath+"/"); ok && !strings.Contains(rest, "/") {
		return PartitionModified{Topic: rest}, true
	}
	return nil, false
}
