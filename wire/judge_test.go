package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rounds is how many random messages each version of each message sees.
const rounds = 24

// subject is one message with its judge.
type subject struct {
	name     string
	min, max int16
	ours     func() Body
	// judge returns kmsg's codec of one version: fill a message and encode
	// it, or decode and encode again. Nil where kmsg has no such message.
	judge func(version int16) judged
}

// judged is what kmsg's requests, responses and records have in common.
type judged interface {
	AppendTo([]byte) []byte
	ReadFrom([]byte) error
}

// record adapts kmsg's records, which carry their version in front.
type record struct {
	judged
	version int16
}

func (r record) AppendTo(dst []byte) []byte {
	return append(dst, r.judged.AppendTo(nil)[2:]...)
}

func (r record) ReadFrom(src []byte) error {
	return r.judged.ReadFrom(append(binary.BigEndian.AppendUint16(nil, uint16(r.version)), src...))
}

func subjects() []subject {
	var out []subject
	for k := range Key(len(apis)) {
		lo, hi, _ := Versions(k)
		out = append(out, subject{k.String() + "Request", lo, hi, func() Body { return NewRequest(k) }, func(v int16) judged {
			m := kmsg.RequestForKey(int16(k))
			if m == nil {
				return nil
			}
			m.SetVersion(v)
			return m
		}}, subject{k.String() + "Response", lo, hi, func() Body { return NewResponse(k) }, func(v int16) judged {
			m := kmsg.ResponseForKey(int16(k))
			if m == nil {
				return nil
			}
			m.SetVersion(v)
			return m
		}})
	}
	return append(out, records()...)
}

// data is a message outside of any API.
func data[T any, P interface {
	*T
	Body
}](name string, lo, hi int16, judge judged) subject {
	return subject{name, lo, hi, func() Body { return P(new(T)) }, func(v int16) judged {
		if judge == nil {
			return nil
		}
		fresh := reflect.New(reflect.TypeOf(judge).Elem()).Interface()
		return record{fresh.(judged), v}
	}}
}

func records() []subject {
	return []subject{
		data[ConsumerGroupCurrentMemberAssignmentKey]("ConsumerGroupCurrentMemberAssignmentKey", 8, 8, nil),
		data[ConsumerGroupCurrentMemberAssignmentValue]("ConsumerGroupCurrentMemberAssignmentValue", 0, 0, nil),
		data[ConsumerGroupMemberMetadataKey]("ConsumerGroupMemberMetadataKey", 5, 5, nil),
		data[ConsumerGroupMemberMetadataValue]("ConsumerGroupMemberMetadataValue", 0, 0, nil),
		data[ConsumerGroupMetadataKey]("ConsumerGroupMetadataKey", 3, 3, nil),
		data[ConsumerGroupMetadataValue]("ConsumerGroupMetadataValue", 0, 0, nil),
		data[ConsumerGroupPartitionMetadataKey]("ConsumerGroupPartitionMetadataKey", 4, 4, nil),
		data[ConsumerGroupPartitionMetadataValue]("ConsumerGroupPartitionMetadataValue", 0, 0, nil),
		data[ConsumerGroupTargetAssignmentMemberKey]("ConsumerGroupTargetAssignmentMemberKey", 7, 7, nil),
		data[ConsumerGroupTargetAssignmentMemberValue]("ConsumerGroupTargetAssignmentMemberValue", 0, 0, nil),
		data[ConsumerGroupTargetAssignmentMetadataKey]("ConsumerGroupTargetAssignmentMetadataKey", 6, 6, nil),
		data[ConsumerGroupTargetAssignmentMetadataValue]("ConsumerGroupTargetAssignmentMetadataValue", 0, 0, nil),
		data[ConsumerProtocolAssignment]("ConsumerProtocolAssignment", 0, 3, &kmsg.ConsumerMemberAssignment{}),
		data[ConsumerProtocolSubscription]("ConsumerProtocolSubscription", 0, 3, &kmsg.ConsumerMemberMetadata{}),
		data[DefaultPrincipalData]("DefaultPrincipalData", 0, 0, &kmsg.DefaultPrincipalData{}),
		data[GroupMetadataKey]("GroupMetadataKey", 2, 2, &kmsg.GroupMetadataKey{}),
		data[GroupMetadataValue]("GroupMetadataValue", 0, 4, &kmsg.GroupMetadataValue{}),
		data[KRaftVersionRecord]("KRaftVersionRecord", 0, 0, nil),
		data[LeaderChangeMessage]("LeaderChangeMessage", 0, 1, &kmsg.LeaderChangeMessage{}),
		data[OffsetCommitKey]("OffsetCommitKey", 0, 1, &kmsg.OffsetCommitKey{}),
		data[OffsetCommitValue]("OffsetCommitValue", 0, 4, &kmsg.OffsetCommitValue{}),
		data[ShareGroupMemberMetadataKey]("ShareGroupMemberMetadataKey", 10, 10, nil),
		data[ShareGroupMemberMetadataValue]("ShareGroupMemberMetadataValue", 0, 0, nil),
		data[ShareGroupMetadataKey]("ShareGroupMetadataKey", 11, 11, nil),
		data[ShareGroupMetadataValue]("ShareGroupMetadataValue", 0, 0, nil),
		data[ShareGroupPartitionMetadataKey]("ShareGroupPartitionMetadataKey", 9, 9, nil),
		data[ShareGroupPartitionMetadataValue]("ShareGroupPartitionMetadataValue", 0, 0, nil),
		data[SnapshotFooterRecord]("SnapshotFooterRecord", 0, 0, nil),
		data[SnapshotHeaderRecord]("SnapshotHeaderRecord", 0, 0, nil),
		data[TransactionLogKey]("TransactionLogKey", 0, 0, &kmsg.TxnMetadataKey{}),
		data[TransactionLogValue]("TransactionLogValue", 0, 1, &kmsg.TxnMetadataValue{}),
		data[VotersRecord]("VotersRecord", 0, 0, nil),
	}
}

// strays are fields that kmsg writes in versions where 3.9 has no such field.
// They are left unset in the judge's messages below the version given.
var strays = []struct {
	owner, field string
	below        int16
}{
	// kmsg writes a tag at every flexible version, the schema from the one
	// that introduced it.
	{"ProduceResponse", "Brokers", 10},
	{"ProduceResponseTopicPartition", "CurrentLeader", 10},
	{"FetchRequest", "ReplicaState", 15},
	{"FetchRequestTopicPartition", "ReplicaDirectoryID", 17},
	{"FetchResponse", "Brokers", 16},
	{"VoteResponse", "NodeEndpoints", 1},
	{"FetchSnapshotRequestTopicPartition", "ReplicaDirectoryID", 1},
	{"FetchSnapshotResponse", "NodeEndpoints", 1},
	{"BrokerHeartbeatRequest", "OfflineLogDirs", 1},
	// Tags that releases after 3.9 added to existing versions.
	{"FetchRequestTopicPartition", "HighWatermark", never},
	{"BrokerHeartbeatRequest", "CordonedLogDirs", never},
	{"OffsetCommitValue", "TopicID", never},
	{"TxnMetadataValue", "PreviousProducerID", never},
	{"TxnMetadataValue", "NextProducerID", never},
	{"TxnMetadataValue", "ClientTransactionVersion", never},
	{"TxnMetadataValue", "NextProducerEpoch", never},
}

// never is above every version.
const never = 1<<15 - 1

// unfit are versions in which kmsg disagrees with the schemas of 3.9.1; they
// are judged by decoding what was encoded, and by what the reason names.
var unfit = map[string]map[int16]string{
	"StopReplicaRequest":                 {4: "kmsg has IsKRaftController behind ControllerEpoch; see TestStopReplica"},
	"ReadShareGroupStateSummaryResponse": {0: "unstable in 3.9: kmsg has a field of later releases"},
	"LeaderChangeMessage":                {0: "kmsg takes the field Version for the version", 1: "as v0"},
}

// TestJudge compares every version of every message with kmsg, both ways. A
// message that kmsg disagrees on must be listed with its reason.
func TestJudge(t *testing.T) {
	for i, s := range subjects() {
		t.Run(s.name, func(t *testing.T) {
			for v := s.min; v <= s.max; v++ {
				if s.judge(v) == nil || unfit[s.name][v] != "" {
					judgeAlone(t, s, v)
					continue
				}
				for round := range uint64(rounds) {
					judgeTheirs(t, s, v, newFiller(uint64(i), uint64(v), round, 1))
					judgeOurs(t, s, v, newFiller(uint64(i), uint64(v), round, 2))
				}
			}
		})
	}
}

// judgeTheirs decodes what kmsg encoded. Encoded again it must be the same.
func judgeTheirs(t *testing.T, s subject, v int16, f *filler) {
	theirs := s.judge(v)
	inner := theirs
	if r, ok := theirs.(record); ok {
		inner = r.judged
	}
	f.fill(inner)
	reflect.ValueOf(inner).Elem().FieldByName("Version").SetInt(int64(v))
	for _, stray := range strays {
		if v < stray.below {
			unset(reflect.ValueOf(inner), stray.owner, stray.field)
		}
	}
	want := theirs.AppendTo(nil)
	ours := s.ours()
	if err := ours.Decode(want, v); err != nil {
		t.Fatalf("v%d: %v\nkmsg's bytes: %x\nof %+v", v, err, want, theirs)
	}
	got, err := Append(nil, ours, v)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("v%d: encoded again: %v\n got %x\nwant %x\nours %+v\ntheirs %+v", v, err, got, want, ours, theirs)
	}
}

// judgeOurs has kmsg decode what we encode, and encode it again.
func judgeOurs(t *testing.T, s subject, v int16, f *filler) {
	ours := s.ours()
	f.fill(ours)
	want := encodeSettled(t, ours, v)
	theirs := s.judge(v)
	if err := theirs.ReadFrom(want); err != nil {
		t.Fatalf("v%d: kmsg: %v\nour bytes: %x\nof %+v", v, err, want, ours)
	}
	if got := theirs.AppendTo(nil); !bytes.Equal(got, want) {
		t.Fatalf("v%d: encoded again by kmsg:\n got %x\nwant %x\nours %+v\ntheirs %+v", v, got, want, ours, theirs)
	}
}

// judgeAlone is for messages without a judge: decoding must undo encoding.
func judgeAlone(t *testing.T, s subject, v int16) {
	for round := range uint64(rounds) {
		m := s.ours()
		newFiller(uint64(v), round, 3).fill(m)
		want := encodeSettled(t, m, v)
		again := s.ours()
		if err := again.Decode(want, v); err != nil {
			t.Fatalf("v%d: %v\nbytes: %x\nof %+v", v, err, want, m)
		}
		got, err := Append(nil, again, v)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("v%d: encoded again: %v\n got %x\nwant %x", v, err, got, want)
		}
	}
}

// encodeSettled encodes m, giving way on each field that the version cannot
// carry.
func encodeSettled(t testing.TB, m Body, v int16) []byte {
	t.Helper()
	for try := range 1000 {
		b, err := Append(nil, m, v)
		if err == nil {
			return b
		}
		refused, ok := errors.AsType[*FieldError](err)
		if !ok {
			t.Fatalf("v%d: %v", v, err)
		}
		settle(reflect.ValueOf(m), refused, try)
	}
	t.Fatalf("v%d: still refused", v)
	return nil
}
