package zk

import "strconv"

// EventType says what happened to a watched node.
type EventType int32

// The event types. The removed ones are made by clients for their own callers.
const (
	EventNone                   EventType = -1
	EventCreated                EventType = 1
	EventDeleted                EventType = 2
	EventDataChanged            EventType = 3
	EventChildrenChanged        EventType = 4
	EventDataWatchRemoved       EventType = 5
	EventChildWatchRemoved      EventType = 6
	EventPersistentWatchRemoved EventType = 7
)

// String returns Java's name of the type.
func (t EventType) String() string {
	switch t {
	case EventNone:
		return "None"
	case EventCreated:
		return "NodeCreated"
	case EventDeleted:
		return "NodeDeleted"
	case EventDataChanged:
		return "NodeDataChanged"
	case EventChildrenChanged:
		return "NodeChildrenChanged"
	case EventDataWatchRemoved:
		return "DataWatchRemoved"
	case EventChildWatchRemoved:
		return "ChildWatchRemoved"
	case EventPersistentWatchRemoved:
		return "PersistentWatchRemoved"
	}
	return "event(" + strconv.Itoa(int(t)) + ")"
}

// State is the state of a session as events carry it.
type State int32

// The states. Servers send only StateSyncConnected and StateConnectedReadOnly;
// the others are made by clients.
const (
	StateDisconnected      State = 0
	StateSyncConnected     State = 3
	StateAuthFailed        State = 4
	StateConnectedReadOnly State = 5
	StateSASLAuthenticated State = 6
	StateClosed            State = 7
	StateExpired           State = -112
)

// String returns Java's name of the state.
func (s State) String() string {
	switch s {
	case StateDisconnected:
		return "Disconnected"
	case StateSyncConnected:
		return "SyncConnected"
	case StateAuthFailed:
		return "AuthFailed"
	case StateConnectedReadOnly:
		return "ConnectedReadOnly"
	case StateSASLAuthenticated:
		return "SaslAuthenticated"
	case StateClosed:
		return "Closed"
	case StateExpired:
		return "Expired"
	}
	return "state(" + strconv.Itoa(int(s)) + ")"
}

// Event is a watch notification (WatcherEvent).
type Event struct {
	Type  EventType
	State State
	Path  string
}

// Encode implements Record.
func (ev *Event) Encode(e *Encoder) {
	e.Int(int32(ev.Type))
	e.Int(int32(ev.State))
	e.String(ev.Path)
}

// Decode implements Record.
func (ev *Event) Decode(d *Decoder) {
	ev.Type = EventType(d.Int())
	ev.State = State(d.Int())
	ev.Path = d.String()
}
