package group

import (
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/wire"
)

// op is one write under way, or a marker that waits for its place among them.
type op struct {
	id       uint64
	group    *group
	records  []Record
	producer int64            // of a transactional commit, else -1
	touched  []topicPartition // offsets it commits
	// then hears the result, after the records were replayed.
	then     func(wire.Code)
	resolved bool
	base     int64
	code     wire.Code
}

// enqueue hands a batch to the shell.
func (m *Machine) enqueue(o *op, producerEpoch int16, baseSequence int32) {
	m.lastID++
	o.id = m.lastID
	m.queue = append(m.queue, o)
	m.out.Writes = append(m.out.Writes, Write{
		ID: o.id, Timestamp: m.now.UnixMilli(), Records: o.records,
		ProducerID: o.producer, ProducerEpoch: producerEpoch, BaseSequence: baseSequence,
	})
}

// writeGroup writes a group's metadata with the given assignments.
func (m *Machine) writeGroup(g *group, assigned map[string][]byte, then func(wire.Code)) {
	r, err := groupRecord(g, assigned)
	if err != nil {
		// Names were checked when members joined: only a group id that no
		// record can carry gets here.
		m.note(g, err.Error())
		then(wire.CodeUnknownServerError)
		return
	}
	m.enqueue(&op{group: g, records: []Record{r}, producer: -1, then: then}, -1, -1)
}

// writeDone notes a result and takes the results that are complete from the
// front, so that memory follows the order of the log even when results arrive
// in another one.
func (m *Machine) writeDone(e *WriteDone) {
	must.Hold(len(m.queue) > 0 && e.ID >= m.queue[0].id && e.ID <= m.lastID, "a write is done once, after it began")
	o := m.queue[e.ID-m.queue[0].id]
	must.Hold(!o.resolved, "a write is done once")
	o.resolved, o.base, o.code = true, e.Base, e.Code
	m.settle()
}

func (m *Machine) settle() {
	for len(m.queue) > 0 && m.queue[0].resolved {
		o := m.pop()
		if inLog(o.code) {
			for _, r := range o.records {
				err := m.Replay(o.base, o.producer, r.Key, r.Value)
				must.Hold(err == nil, "a machine can replay what it wrote")
			}
		}
		o.then(o.code)
	}
}

func (m *Machine) pop() *op {
	o := m.queue[0]
	m.queue[0] = nil
	if m.queue = m.queue[1:]; len(m.queue) == 0 {
		m.queue = nil
	}
	return o
}

// inLog reports whether a write with this result is in the leader's log, where
// a later load finds it whether or not it was acknowledged in time.
func inLog(code wire.Code) bool {
	return code == wire.CodeNone || code == wire.CodeRequestTimedOut || code == wire.CodeNotEnoughReplicasAfterAppend
}

// groupCode turns the result of an append into that of a join or sync.
func groupCode(code wire.Code) wire.Code {
	switch code {
	case wire.CodeUnknownTopicOrPartition, wire.CodeNotEnoughReplicas, wire.CodeNotEnoughReplicasAfterAppend:
		return wire.CodeCoordinatorNotAvailable
	case wire.CodeNotLeaderOrFollower, wire.CodeKafkaStorageError:
		return wire.CodeNotCoordinator
	case wire.CodeRequestTimedOut:
		return wire.CodeRebalanceInProgress
	case wire.CodeMessageTooLarge, wire.CodeRecordListTooLarge, wire.CodeInvalidFetchSize:
		return wire.CodeUnknownServerError
	}
	return code
}

// commitCode turns the result of an append into that of a commit or deletion.
func commitCode(code wire.Code) wire.Code {
	switch code {
	case wire.CodeNetworkException: // of a transaction's verification
		return wire.CodeCoordinatorLoadInProgress
	case wire.CodeUnknownTopicOrPartition, wire.CodeNotEnoughReplicas, wire.CodeNotEnoughReplicasAfterAppend:
		return wire.CodeCoordinatorNotAvailable
	case wire.CodeNotLeaderOrFollower, wire.CodeKafkaStorageError:
		return wire.CodeNotCoordinator
	case wire.CodeMessageTooLarge, wire.CodeRecordListTooLarge, wire.CodeInvalidFetchSize:
		return wire.CodeInvalidCommitOffsetSize
	}
	return code
}
