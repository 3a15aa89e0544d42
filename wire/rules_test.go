package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestRefusals are fields that a version cannot carry.
func TestRefusals(t *testing.T) {
	topics := func(t ...MetadataRequestTopic) *MetadataRequest {
		return &MetadataRequest{Topics: t, AllowAutoTopicCreation: true}
	}
	for _, c := range []struct {
		name    string
		m       Body
		version int16
		rule    error
		field   string
	}{
		{"set before the version that has it", &ProduceRequest{TransactionalID: new("x")}, 2, ErrAbsent, "ProduceRequest.TransactionalID"},
		{"null where not yet allowed", topics(), 0, ErrNull, "MetadataRequest.Topics"},
		{"null where allowed", topics(), 1, nil, ""},
		{"null string where not yet allowed", topics(MetadataRequestTopic{TopicID: UUID{1}}), 9, ErrNull, "MetadataRequestTopic.Name"},
		{"null string where allowed", topics(MetadataRequestTopic{TopicID: UUID{1}}), 12, nil, ""},
		{"a default that is not zero", &FetchRequest{ReplicaID: 0}, 15, ErrAbsent, "FetchRequest.ReplicaID"},
		{"the default", NewFetchRequest(), 15, nil, ""},
		{"a nil slice counts as empty", &OffsetFetchRequest{Groups: []OffsetFetchRequestGroup{}}, 8, nil, ""},
		{"ignorable", &FetchRequest{ReplicaID: -1, ReplicaState: NewFetchRequestReplicaState(), MaxBytes: 9, SessionEpoch: 3, RackID: "r"}, 2, nil, ""},
		{"tagged, not ignorable", &FetchRequest{ReplicaID: -1}, 14, ErrAbsent, "FetchRequest.ReplicaState"},
		{"below the schema", &OffsetCommitKey{}, -1, ErrVersion, ""},
		{"above the schema", &OffsetCommitKey{}, 2, ErrVersion, ""},
		{"string too long", &OffsetCommitKey{Group: strings.Repeat("x", MaxString+1)}, 1, ErrStringSize, ""},
		{"compact string too long", topics(MetadataRequestTopic{Name: new(strings.Repeat("x", MaxString+1))}), 9, ErrStringSize, ""},
		{"string just short enough", topics(MetadataRequestTopic{Name: new(strings.Repeat("x", MaxString))}), 9, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Writer{}
			w.Write([]byte("kept"))
			err := c.m.Encode(&w, c.version)
			if c.rule == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, c.rule) || string(w.Bytes()) != "kept" {
				t.Fatalf("got %v, left %q", err, w.Bytes())
			}
			if fe, ok := errors.AsType[*FieldError](err); c.field != "" && (!ok || fe.Field != c.field) {
				t.Errorf("got %v, want field %s", err, c.field)
			}
			if err := NewOffsetCommitKey().Encode(&w, 1); err != nil {
				t.Errorf("the writer did not recover: %v", err)
			}
		})
	}
}

// TestDecodeErrors feeds one malformed body each.
func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		m       Body
		version int16
		src     string
		want    error
	}{
		{"empty", NewOffsetCommitKey(), 1, "", ErrShort},
		{"null string", NewOffsetCommitKey(), 1, "ffff 0000 00000000", ErrNull},
		{"any negative length is null", NewOffsetCommitKey(), 1, "fffe 0000 00000000", ErrNull},
		{"string beyond the end", NewOffsetCommitKey(), 1, "0005 41", ErrShort},
		{"left over", NewOffsetCommitKey(), 1, "0000 0000 00000000 00", ErrTrailing},
		{"no such version", NewOffsetCommitKey(), 2, "0000 0000 00000000", ErrVersion},
		{"null array", NewMetadataRequest(), 0, "ffffffff", ErrNull},
		{"null array where allowed", NewMetadataRequest(), 1, "ffffffff", nil},
		{"array beyond the end", NewMetadataRequest(), 0, "7fffffff 0000", ErrShort},
		{"compact null array", NewMetadataRequest(), 9, "00 00 00 00 00", nil},
		{"compact array beyond the end", NewMetadataRequest(), 9, "ffffffff0f 00", ErrShort},
		{"varint of six bytes", NewMetadataRequest(), 9, "808080808001 00", ErrVarint},
		{"varint with idle zeroes", NewMetadataRequest(), 9, "8080808000 00 00 00 00", nil},
		{"compact string too long", NewMetadataRequest(), 9, "02 818002" + strings.Repeat("78", MaxString+1) + "00 00 00 00 00", ErrStringSize},
		{"tag beyond the end", NewMetadataRequest(), 9, "00 00 00 00 01 07 05 00", ErrShort},
		{"unknown tag", NewMetadataRequest(), 9, "00 00 00 00 01 07 02 abcd", nil},
		{"four billion tags", NewMetadataRequest(), 9, "00 00 00 00 ffffffff0f", ErrShort},
		{"known tag with bytes left over", NewUpdateMetadataRequest(), 8, "00000001 00 00000001 0000000000000001 01 01 01 00 02 0000", ErrTrailing},
		{"known tag cut short", NewUpdateMetadataRequest(), 8, "00000001 00 00000001 0000000000000001 01 01 01 00 00", ErrShort},
		{"known tag", NewUpdateMetadataRequest(), 8, "00000001 00 00000001 0000000000000001 01 01 01 00 01 02", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.m.Decode(unhex(t, c.src), c.version); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestTrailingIsComplete lets a reader of newer records accept what follows.
func TestTrailingIsComplete(t *testing.T) {
	var key OffsetCommitKey
	err := key.Decode([]byte("\x00\x01g\x00\x01t\x00\x00\x00\x02more"), 1)
	if !errors.Is(err, ErrTrailing) || key.Group != "g" || key.Topic != "t" || key.Partition != 2 {
		t.Errorf("%v, %+v", err, key)
	}
}

// TestDecodeOverwrites decodes into a message that was used before.
func TestDecodeOverwrites(t *testing.T) {
	used := NewFetchRequest()
	newFiller(1).fill(used)
	b, err := Append(nil, NewFetchRequest(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := used.Decode(b, 0); err != nil {
		t.Fatal(err)
	}
	fresh := NewFetchRequest()
	fresh.Topics = used.Topics // empty either way
	if used.MaxBytes != fresh.MaxBytes || used.SessionEpoch != -1 || used.RackID != "" || used.ClusterID != nil || used.ReplicaState != fresh.ReplicaState {
		t.Errorf("got %+v", used)
	}
}

func TestDecodeAliases(t *testing.T) {
	m := &ProduceRequest{TopicData: []ProduceRequestTopicData{{Name: "t", PartitionData: []ProduceRequestPartitionData{{Records: Records{Bytes: []byte("records")}}}}}}
	for _, version := range []int16{3, 9} {
		src, err := Append(nil, m, version)
		if err != nil {
			t.Fatal(err)
		}
		var got ProduceRequest
		if err := got.Decode(src, version); err != nil {
			t.Fatal(err)
		}
		r := got.TopicData[0].PartitionData[0].Records.Bytes
		at := bytes.Index(src, []byte("records"))
		if &r[0] != &src[at] || cap(r) != len(r) {
			t.Errorf("v%d: records were copied, or can grow into the frame", version)
		}
		clear(src)
		if got.TopicData[0].Name != "t" {
			t.Errorf("v%d: the name changed with the frame", version)
		}
	}
}

// TestStopReplica holds v4, which kmsg writes in another order: the flag
// stands between the controller's id and its epoch.
func TestStopReplica(t *testing.T) {
	m := NewStopReplicaRequest()
	m.ControllerID, m.IsKRaftController, m.ControllerEpoch, m.BrokerEpoch = 1, true, 2, 3
	m.TopicStates = []StopReplicaRequestTopicState{{TopicName: "t", PartitionStates: []StopReplicaRequestPartitionState{{PartitionIndex: 4, LeaderEpoch: 5, DeletePartition: true}}}}
	got, err := Append(nil, m, 4)
	if want := unhex(t, "00000001 01 00000002 0000000000000003 02 0274 02 00000004 00000005 01 00 00 00"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n got %x\nwant %x", err, got, want)
	}
}

// TestNullStruct holds both forms of a struct that may be null: a sign in
// front of it, or a presence number in its tag.
func TestNullStruct(t *testing.T) {
	plain := &ConsumerGroupHeartbeatResponse{}
	got, err := Append(nil, plain, 0)
	if want := unhex(t, "00000000 0000 00 00 00000000 00000000 ff 00"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n got %x\nwant %x", err, got, want)
	}
	tagged := NewConsumerGroupMemberMetadataValue()
	for _, c := range []struct {
		set  func()
		tail string
	}{
		{func() {}, "00"},
		{func() { tagged.ClassicMemberMetadata = nil }, "01 00 01 00"},
		{func() {
			tagged.ClassicMemberMetadata = &ConsumerGroupMemberMetadataValueClassicMemberMetadata{SessionTimeoutMs: 1}
		}, "01 00 07 01 00000001 01 00"},
	} {
		c.set()
		got, err := Append(nil, tagged, 0)
		if err != nil || !bytes.HasSuffix(got, unhex(t, "ffffffff 01"+c.tail)) {
			t.Errorf("%v, got %x, want the end %s", err, got, c.tail)
		}
		again := NewConsumerGroupMemberMetadataValue()
		if err := again.Decode(got, 0); err != nil || (again.ClassicMemberMetadata == nil) != (tagged.ClassicMemberMetadata == nil) {
			t.Errorf("%s: %v, %+v", c.tail, err, again)
		}
	}
}
