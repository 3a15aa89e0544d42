package zk

import "strconv"

// CreateMode is the flags field of a create request.
type CreateMode int32

// The create modes of ZooKeeper 3.9.
const (
	Persistent              CreateMode = 0
	Ephemeral               CreateMode = 1
	PersistentSequential    CreateMode = 2
	EphemeralSequential     CreateMode = 3
	Container               CreateMode = 4
	PersistentTTL           CreateMode = 5
	PersistentSequentialTTL CreateMode = 6
)

// Valid reports whether m is one of the modes above.
func (m CreateMode) Valid() bool { return m >= Persistent && m <= PersistentSequentialTTL }

// Ephemeral reports whether the node ends with its session.
func (m CreateMode) Ephemeral() bool { return m == Ephemeral || m == EphemeralSequential }

// Sequential reports whether the server appends a number to the name.
func (m CreateMode) Sequential() bool {
	return m == PersistentSequential || m == EphemeralSequential || m == PersistentSequentialTTL
}

// TTL reports whether the node is removed after a time without change.
func (m CreateMode) TTL() bool { return m == PersistentTTL || m == PersistentSequentialTTL }

// Op returns the operation that carries m, with a Stat in its reply.
func (m CreateMode) Op() Op {
	switch {
	case m.TTL():
		return OpCreateTTL
	case m == Container:
		return OpCreateContainer
	}
	return OpCreate2
}

// String returns Java's name of the mode.
func (m CreateMode) String() string {
	names := [...]string{
		"PERSISTENT", "EPHEMERAL", "PERSISTENT_SEQUENTIAL", "EPHEMERAL_SEQUENTIAL",
		"CONTAINER", "PERSISTENT_WITH_TTL", "PERSISTENT_SEQUENTIAL_WITH_TTL",
	}
	if m.Valid() {
		return names[m]
	}
	return "mode(" + strconv.Itoa(int(m)) + ")"
}
