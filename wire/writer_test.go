package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// span stands for record bytes in a file.
type span string

func (s span) Size() int { return len(s) }

// fetched is a response whose partitions carry what the arguments say.
func fetched(records ...Records) *FetchResponse {
	m := NewFetchResponse()
	topic := FetchResponseFetchableTopicResponse{Topic: "t"}
	for i, r := range records {
		p := NewFetchResponsePartitionData()
		p.PartitionIndex, p.Records = int32(i), r
		topic.Partitions = append(topic.Partitions, p)
	}
	m.Responses = append(m.Responses, topic)
	return m
}

// TestHoles writes a response whose records are partly in files. Filled in,
// its parts must be what the same response gives from memory.
func TestHoles(t *testing.T) {
	for _, version := range []int16{4, 11, 12} {
		whole := fetched(Records{Bytes: []byte("aaa")}, Records{Bytes: []byte("bb")}, Records{}, Records{Bytes: []byte{}}, Records{Bytes: []byte("c")})
		holed := fetched(Records{Hole: span("aaa")}, Records{Bytes: []byte("bb")}, Records{}, Records{Hole: span("")}, Records{Hole: span("c")})
		var w Writer
		for range 2 { // a Writer used again gives the same
			w.Reset(nil)
			w.Write([]byte("before"))
			if err := EncodeResponse(&w, version, 1, holed); err != nil {
				t.Fatal(err)
			}
		}
		var got []byte
		for _, p := range w.Parts() {
			got = append(got, p.Bytes...)
			if p.Hole != nil {
				got = append(got, p.Hole.(span)...)
			}
		}
		frame := got[len("before"):]
		if size := binary.BigEndian.Uint32(frame); int(size) != len(frame)-4 {
			t.Errorf("v%d: frame of %d bytes says %d", version, len(frame)-4, size)
		}
		want, err := Append(AppendResponseHeader(nil, KeyFetch, version, 1), whole, version)
		if err != nil || !bytes.Equal(frame[4:], want) || w.Size() != len(got) {
			t.Errorf("v%d: %v, size %d of %d\n got %x\nwant %x", version, err, w.Size(), len(got), frame[4:], want)
		}
		if _, err := Append(nil, holed, version); err == nil {
			t.Errorf("v%d: Append took a message with holes", version)
		}
	}
}

func TestRecordsInBothPlaces(t *testing.T) {
	if _, err := Append(nil, fetched(Records{Bytes: []byte("a"), Hole: span("a")}), 12); err == nil {
		t.Error("accepted")
	}
}

// TestLongTag writes a tagged field whose size takes one to three bytes.
func TestLongTag(t *testing.T) {
	for _, n := range []int{0, 1, 60, 125, 126, 127, 128, 200, 16379, 16380, 16381, 16382, 20000} {
		m := NewFetchRequest()
		m.ClusterID = new(strings.Repeat("x", n))
		m.ReplicaState.ReplicaEpoch = 5
		b, err := Append(nil, m, 15)
		if err != nil {
			t.Fatal(err)
		}
		again := NewFetchRequest()
		if err := again.Decode(b, 15); err != nil || *again.ClusterID != *m.ClusterID || again.ReplicaState.ReplicaEpoch != 5 {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestVersionedRecord(t *testing.T) {
	b, err := AppendVersioned([]byte("k"), &OffsetCommitKey{Group: "g", Topic: "t", Partition: 2}, 1)
	if want := "k\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x02"; string(b) != want || err != nil {
		t.Fatalf("got %q, %v", b, err)
	}
	v, body, err := CutVersion(b[1:])
	var key OffsetCommitKey
	if err != nil || v != 1 || key.Decode(body, v) != nil || key.Partition != 2 {
		t.Errorf("v%d, %+v, %v", v, key, err)
	}
	if _, err := AppendVersioned(nil, &key, 2); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v", err)
	}
	if _, _, err := CutVersion([]byte{0}); !errors.Is(err, ErrShort) {
		t.Errorf("got %v", err)
	}
}

func TestUUID(t *testing.T) {
	u := UUID{0xfb, 0xff, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	if got, want := u.String(), "-_8CAwQFBgcICQoLDA0ODw"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if back, err := ParseUUID(u.String()); back != u || err != nil {
		t.Errorf("got %v, %v", back, err)
	}
	for _, bad := range []string{"", "AAAA", "-_8CAwQFBgcICQoLDA0ODw==", "+/8CAwQFBgcICQoLDA0ODw"} {
		if _, err := ParseUUID(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}
