package checkpoint

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/storage/epoch"
)

func TestOffsetsBytes(t *testing.T) {
	in := []Offset{{"a", 0, 5}, {"a.b_c-d", 12, 1 << 40}}
	want := "0\n2\na 0 5\na.b_c-d 12 1099511627776\n"
	if got := string(AppendOffsets(nil, in)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if out, err := DecodeOffsets([]byte(want)); err != nil || !reflect.DeepEqual(out, in) {
		t.Errorf("got %v, %v", out, err)
	}
	for _, empty := range []string{"", "0\n", "0\n0\n"} {
		if out, err := DecodeOffsets([]byte(empty)); err != nil || len(out) != 0 {
			t.Errorf("%q: %v, %v", empty, out, err)
		}
	}
}

func TestOffsetsRefused(t *testing.T) {
	for _, src := range []string{
		"1\n0\n", "x", "0\nx\n", "0\n1\n", "0\n0\na 0 1\n", "0\n1\na 0\n", "0\n1\na b 1\n", "0\n1\na 0 1 2\n",
		"0\n2\na 0 1\n", "0\n1\na -1 1\n", "0\n1\na 0 99999999999999999999\n", "0\n99999999999\na 0 1\n", "0\n1\n\n",
	} {
		if out, err := DecodeOffsets([]byte(src)); !errors.Is(err, ErrMalformed) || out != nil {
			t.Errorf("%q: %v, %v", src, out, err)
		}
	}
}

func TestEpochsBytes(t *testing.T) {
	in := []epoch.Entry{{Epoch: 0, Start: 0}, {Epoch: 3, Start: 77}}
	want := "0\n2\n0 0\n3 77\n"
	if got := string(AppendEpochs(nil, in)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if out, err := DecodeEpochs([]byte(want)); err != nil || !reflect.DeepEqual(out, in) {
		t.Errorf("got %v, %v", out, err)
	}
	for _, bad := range []string{"0\n1\n-1 5\n", "0\n1\n5\n", "0\n1\n5 x\n"} {
		if _, err := DecodeEpochs([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestMetaBytes(t *testing.T) {
	m := Meta{BrokerID: 1, ClusterID: "vPeOCWypqUOSepEvx0cbog"}
	at := time.Date(2025, 3, 1, 12, 30, 5, 0, time.UTC)
	want := "#\n#Sat Mar 01 12:30:05 UTC 2025\nbroker.id=1\nversion=0\ncluster.id=vPeOCWypqUOSepEvx0cbog\n"
	if got := string(m.Encode(at)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if out, ok, err := DecodeMeta([]byte(want)); err != nil || !ok || out != m {
		t.Errorf("got %+v %v %v", out, ok, err)
	}
}

func TestMetaReading(t *testing.T) {
	f := func(src string, want Meta, ok bool, bad bool) {
		t.Helper()
		m, found, err := DecodeMeta([]byte(src))
		if (err != nil) != bad || found != ok || m != want {
			t.Errorf("%q: %+v %v %v", src, m, found, err)
		}
		if bad && !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", src, err)
		}
	}
	f("", Meta{BrokerID: -1}, false, false)
	f("# only a comment\n", Meta{BrokerID: -1}, false, false)
	f("broker.id=3", Meta{BrokerID: 3}, true, false)
	f("  cluster.id = a\\=b\r\n! comment\r\n", Meta{BrokerID: -1, ClusterID: "a=b"}, true, false)
	f("broker.id=0\nunknown=x\n", Meta{BrokerID: 0}, true, false)
	f("version=1\nnode.id=3\n", Meta{}, false, true)
	f("broker.id=x\n", Meta{}, false, true)
	f("broker.id=-4\n", Meta{}, false, true)
	f("garbage\n", Meta{}, false, true)
	f("a=\x00\n", Meta{}, false, true)
}

func TestMetaKeepsOddClusterIDs(t *testing.T) {
	for _, id := range []string{"plain", "a=b:c#d!e", `back\slash`, "tab\tin"} {
		m, ok, err := DecodeMeta(Meta{BrokerID: 2, ClusterID: id}.Encode(time.Unix(0, 0)))
		if err != nil || !ok || m.ClusterID != id {
			t.Errorf("%q became %q (%v)", id, m.ClusterID, err)
		}
	}
}

func TestPartitionMetadataBytes(t *testing.T) {
	id := TopicID{0x12, 0x34, 15: 0xff}
	src := EncodePartition(id)
	if want := "version: 0\ntopic_id: EjQAAAAAAAAAAAAAAAAA_w"; string(src) != want || len(src) != 43 {
		t.Errorf("got %q, %d bytes", src, len(src))
	}
	for _, good := range []string{string(src), string(src) + "\n", "version:0\ntopic_id:EjQAAAAAAAAAAAAAAAAA_w"} {
		if got, err := DecodePartition([]byte(good)); err != nil || got != id {
			t.Errorf("%q: %v %v", good, got, err)
		}
	}
	for i := range src {
		if got, err := DecodePartition(src[:i]); err == nil {
			t.Errorf("cut at %d: %v", i, got)
		}
	}
	for _, bad := range []string{"", "version: 1\ntopic_id: EjQAAAAAAAAAAAAAAAAA_w", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := DecodePartition([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCleanMarkBytes(t *testing.T) {
	if got := string(EncodeClean(-1)); got != `{"version":0,"brokerEpoch":-1}` || len(got) != 30 {
		t.Errorf("got %q", got)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("0\n1\ntopic 0 5\n"))
	f.Add([]byte("0\n1\n3 5\n"))
	f.Add([]byte("#\nbroker.id=1\nversion=0\ncluster.id=x\n"))
	f.Add([]byte("version: 0\ntopic_id: EjQAAAAAAAAAAAAAAAAA_w"))
	f.Add([]byte(`{"version":0,"brokerEpoch":-1}`))
	f.Add([]byte("0\n2000000000\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if out, err := DecodeOffsets(src); err == nil {
			again, err := DecodeOffsets(AppendOffsets(nil, out))
			if err != nil || fmt.Sprint(again) != fmt.Sprint(out) {
				t.Fatalf("%v became %v (%v)", out, again, err)
			}
		}
		if out, err := DecodeEpochs(src); err == nil {
			again, err := DecodeEpochs(AppendEpochs(nil, out))
			if err != nil || fmt.Sprint(again) != fmt.Sprint(out) {
				t.Fatalf("%v became %v (%v)", out, again, err)
			}
		}
		if id, err := DecodePartition(src); err == nil {
			if again, err := DecodePartition(EncodePartition(id)); err != nil || again != id {
				t.Fatalf("%v became %v (%v)", id, again, err)
			}
		}
		if m, ok, err := DecodeMeta(src); err == nil && ok && m.BrokerID >= 0 {
			again, _, err := DecodeMeta(m.Encode(time.Unix(0, 0)))
			if err != nil || again.BrokerID != m.BrokerID {
				t.Fatalf("%+v became %+v (%v)", m, again, err)
			}
		}
	})
}
