package decide

import (
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// FromWatch returns the event that a fired watch stands for. ok is false for
// watches that mean nothing to a controller, such as the deletion of a broker's
// node: that one comes as BrokerChange too.
func FromWatch(ev zk.Event) (Event, bool) {
	switch ev.Type {
	case zk.EventChildrenChanged:
		return fromChildren(ev.Path)
	case zk.EventCreated:
		switch ev.Path {
		case pathPreferred:
			return PreferredElectionNode{}, true
		case pathReassign:
			return ReassignmentNode{}, true
		case pathController:
			return ControllerChange{}, true
		}
	case zk.EventDeleted:
		if ev.Path == pathController {
			return Reelect{}, true
		}
	case zk.EventDataChanged:
		return fromData(ev.Path)
	}
	return nil, false
}

func fromChildren(path string) (Event, bool) {
	switch path {
	case pathBrokers:
		return BrokerChange{}, true
	case pathTopics:
		return TopicChange{}, true
	case pathDeleteTopics:
		return TopicDeletion{}, true
	case pathISRChanges:
		return ISRChange{}, true
	case pathLogDirEvents:
		return LogDirChange{}, true
	}
	return nil, false
}

func fromData(path string) (Event, bool) {
	if path == pathController {
		return ControllerChange{}, true
	}
	if rest, ok := strings.CutPrefix(path, pathBrokers+"/"); ok {
		id, err := strconv.ParseInt(rest, 10, 32)
		return BrokerModified{ID: int32(id)}, err == nil
	}
	if rest, ok := strings.CutPrefix(path, pathTopics+"/"); ok && !strings.Contains(rest, "/") {
		return PartitionModified{Topic: rest}, true
	}
	return nil, false
}
