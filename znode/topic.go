package znode

import (
	"slices"

	"github.com/gregor-mq/gregor/wire"
)

// Replicas is the assignment of one partition.
type Replicas struct {
	// Replicas are broker ids, the preferred leader first. Adding and Removing
	// are those of them that a reassignment in progress brings and takes.
	Replicas, Adding, Removing []int32
}

// Topic is the assignment of a topic (TopicPath).
type Topic struct {
	// Version is what was read: 3, or 2 without id, or 1 without reassignments
	// either. Encode always writes 3.
	Version int32
	// ID is zero when missing: the controller then gives one.
	ID wire.UUID
	// Partitions are by number.
	Partitions map[int32]Replicas
}

// Encode writes the assignment in version 3, without an id that is zero.
func (t Topic) Encode() []byte {
	var w writer
	w.open()
	w.replicas("partitions", t, func(r Replicas) []int32 { return r.Replicas }, true)
	if t.ID != (wire.UUID{}) {
		w.text("topic_id", t.ID.String())
	}
	w.replicas("adding_replicas", t, func(r Replicas) []int32 { return r.Adding }, false)
	w.replicas("removing_replicas", t, func(r Replicas) []int32 { return r.Removing }, false)
	w.int("version", 3)
	w.close()
	return w.done()
}

// replicas writes one list per partition, empty ones only if all is set.
func (w *writer) replicas(key string, t Topic, list func(Replicas) []int32, all bool) {
	w.object(key)
	for _, p := range sortedKeys(t.Partitions) {
		if v := list(t.Partitions[p]); all || len(v) > 0 {
			w.ints(itoa(p), v)
		}
	}
	w.close()
}

// DecodeTopic reads an assignment of any version.
func DecodeTopic(path string, data []byte) (Topic, error) {
	o := readObject(path, data)
	t := Topic{Version: o.int32Or("version", 1), Partitions: make(map[int32]Replicas)}
	if o.has("topic_id") {
		id, err := wire.ParseUUID(o.text("topic_id"))
		if err != nil {
			o.failKey("topic_id", "22 characters of URL-safe base64")
		}
		t.ID = id
	}
	partitions, adding, removing := o.child("partitions"), o.child("adding_replicas"), o.child("removing_replicas")
	for key := range partitions.keys() {
		p, ok := number(key)
		if !ok {
			o.fail("partition %q: want a number", key)
			break
		}
		if !partitions.need(key) {
			break
		}
		t.Partitions[p] = Replicas{Replicas: partitions.int32s(key), Adding: adding.some(key), Removing: removing.some(key)}
	}
	if o.Err() != nil {
		return Topic{}, o.Err()
	}
	return t, nil
}

// some is int32s with an empty array read as a missing one.
func (o *object) some(key string) []int32 {
	if v := o.int32s(key); len(v) > 0 {
		return v
	}
	return nil
}

// PartitionState says who leads a partition (StatePath). The node's dataVersion
// is the partition epoch.
type PartitionState struct {
	// Leader is -1 when there is none.
	Leader      int32
	LeaderEpoch int32
	// ISR has no order that means anything, and always a member.
	ISR []int32
	// ControllerEpoch is that of the controller that wrote the state.
	ControllerEpoch int32
	// Recovering is set after an unclean election, until the next ISR change.
	Recovering bool
}

// Encode writes the state; leader_recovery_state is left out unless Recovering.
func (s PartitionState) Encode() []byte {
	var w writer
	w.open()
	w.int("controller_epoch", int64(s.ControllerEpoch))
	w.int("leader", int64(s.Leader))
	w.int("version", 1)
	w.int("leader_epoch", int64(s.LeaderEpoch))
	w.ints("isr", s.ISR)
	if s.Recovering {
		w.int("leader_recovery_state", 1)
	}
	w.close()
	return w.done()
}

// DecodePartitionState reads a state.
func DecodePartitionState(path string, data []byte) (PartitionState, error) {
	o := readObject(path, data)
	s := PartitionState{
		Leader: o.int32("leader"), LeaderEpoch: o.int32("leader_epoch"), ControllerEpoch: o.int32("controller_epoch"),
	}
	if o.need("isr") {
		s.ISR = o.int32s("isr")
	}
	switch r := o.int32Or("leader_recovery_state", 0); r {
	case 0, 1:
		s.Recovering = r == 1
	default:
		o.fail("leader_recovery_state is %d, want 0 (recovered) or 1 (recovering)", r)
	}
	if o.Err() != nil {
		return PartitionState{}, o.Err()
	}
	return s, nil
}

// TopicPartition names a partition in the nodes that list some.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Reassignment is one partition of ReassignPath.
type Reassignment struct {
	TopicPartition
	Replicas []int32
}

// EncodePartitions writes what ISRChangePrefix and PreferredElectionPath hold.
func EncodePartitions(list []TopicPartition) []byte {
	var w writer
	w.open()
	w.int("version", 1)
	w.array("partitions")
	for _, tp := range list {
		w.partition(tp)
		w.close()
	}
	w.end(']')
	w.close()
	return w.done()
}

// partition starts an object and leaves it open.
func (w *writer) partition(tp TopicPartition) {
	w.open()
	w.text("topic", tp.Topic)
	w.int("partition", int64(tp.Partition))
}

// DecodePartitions reads what EncodePartitions writes; a partition that comes
// twice is returned once.
func DecodePartitions(path string, data []byte) ([]TopicPartition, error) {
	o := readObject(path, data)
	var out []TopicPartition
	seen := make(map[TopicPartition]bool)
	for _, c := range o.children("partitions") {
		if tp := c.partition(); !seen[tp] {
			seen[tp] = true
			out = append(out, tp)
		}
	}
	if o.Err() != nil {
		return nil, o.Err()
	}
	return out, nil
}

func (o *object) partition() TopicPartition {
	return TopicPartition{Topic: o.text("topic"), Partition: o.int32("partition")}
}

// EncodeReassignments writes what ReassignPath holds.
func EncodeReassignments(list []Reassignment) []byte {
	var w writer
	w.open()
	w.int("version", 1)
	w.array("partitions")
	for _, r := range list {
		w.partition(r.TopicPartition)
		w.ints("replicas", r.Replicas)
		w.close()
	}
	w.end(']')
	w.close()
	return w.done()
}

// DecodeReassignments reads what EncodeReassignments writes. Of a partition
// that comes twice the last holds, as in Kafka.
func DecodeReassignments(path string, data []byte) ([]Reassignment, error) {
	o := readObject(path, data)
	var out []Reassignment
	at := make(map[TopicPartition]int)
	for _, c := range o.children("partitions") {
		r := Reassignment{TopicPartition: c.partition()}
		if c.need("replicas") {
			r.Replicas = c.int32s("replicas")
		}
		if i, ok := at[r.TopicPartition]; ok {
			out[i] = r
			continue
		}
		at[r.TopicPartition] = len(out)
		out = append(out, r)
	}
	if o.Err() != nil {
		return nil, o.Err()
	}
	return slices.Clip(out), nil
}
