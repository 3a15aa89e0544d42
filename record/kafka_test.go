package record

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The fixtures of testdata/kafka were written by Kafka 3.9.1's own record
// classes, and dump.txt is what those read back (see Fixtures.java there).

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "kafka", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadsWhatKafkaWrote(t *testing.T) {
	files, err := filepath.Glob("testdata/kafka/*.bin")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	var got strings.Builder
	for _, f := range files {
		fmt.Fprintf(&got, "# %s\n", filepath.Base(f))
		dump(t, &got, fixture(t, filepath.Base(f)))
	}
	want := string(fixture(t, "dump.txt"))
	for g, w := range pairs(got.String(), want) {
		if g != w {
			t.Fatalf("\n got %s\nwant %s", g, w)
		}
	}
}

// pairs walks two texts line by line.
func pairs(a, b string) func(func(string, string) bool) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	return func(yield func(string, string) bool) {
		for i := range max(len(as), len(bs)) {
			var x, y string
			if i < len(as) {
				x = as[i]
			}
			if i < len(bs) {
				y = bs[i]
			}
			if !yield(x, y) {
				return
			}
		}
	}
}

// dump prints batches as Fixtures.java does.
func dump(t testing.TB, w *strings.Builder, src []byte) {
	t.Helper()
	for len(src) > 0 {
		size, magic, err := Peek(src)
		if err != nil {
			t.Fatal(err)
		}
		if magic == 2 {
			b, _, err := Next(src)
			if err == nil {
				err = b.Verify()
			}
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(w, "batch magic=2 last=%d codec=%s ts=%s max=%d ctl=%v txn=%v pid=%d count=%d\n", b.LastOffset(),
				b.Codec(), b.TimestampType(), b.MaxTimestamp(), b.IsControl(), b.IsTransactional(), b.ProducerID(), b.Count())
			dumpRecords(w, collect(t, b.Records()))
		} else {
			e, _, err := NextEntry(src)
			if err == nil {
				err = e.Verify()
			}
			if err != nil {
				t.Fatal(err)
			}
			kind := e.TimestampType().String()
			if magic == 0 {
				kind = "NoTimestampType"
			}
			fmt.Fprintf(w, "batch magic=%d last=%d codec=%s ts=%s max=%d ctl=false txn=false pid=-1 count=null\n",
				magic, e.Offset(), e.Codec(), kind, e.Timestamp())
			dumpRecords(w, collect(t, e.Records()))
		}
		src = src[size:]
	}
}

func dumpRecords(w *strings.Builder, records []msg) {
	for _, r := range records {
		fmt.Fprintf(w, "%d %d %s %s", r.Offset, r.Timestamp, digest(r.Key), digest(r.Value))
		for _, h := range r.Headers {
			fmt.Fprintf(w, " %s=%s", h.Key, digest(h.Value))
		}
		w.WriteByte('\n')
	}
}

func digest(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%d:%x", len(b), crc32.ChecksumIEEE(b))
}

func TestWritesKafkasBytes(t *testing.T) {
	f := func(name string, got []byte) {
		t.Helper()
		if want := fixture(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, got[:min(len(got), 200)], want[:min(len(want), 200)])
		}
	}
	rebuild := func(name string) Batch {
		var bl Builder
		b, err := Recompress(&bl, fixture(t, name), Target{Keep: true}, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return b
	}
	f("v2-none.bin", rebuild("v2-none.bin"))
	f("txn.bin", rebuild("txn.bin"))

	marker := func(typ ControlType) Batch {
		b := Batch(AppendEndTxnMarker(nil, 4711, 3, EndTxnMarker{Type: typ, CoordinatorEpoch: 21}, 1700000000123))
		b.SetBaseOffset(100)
		b.SetLeaderEpoch(9)
		return b
	}
	f("commit.bin", marker(ControlCommit))
	f("abort.bin", marker(ControlAbort))

	down := func(magic int8) []byte {
		out, err := Downconvert(nil, fixture(t, "v2-none.bin"), magic, 103, 0)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	f("down0-none.bin", down(0))
	f("down1-none.bin", down(1))
}

// Compressors differ, so a compressed conversion is compared as it reads.
func TestDownconvertsAsKafka(t *testing.T) {
	for magic := range int8(2) {
		out, err := Downconvert(nil, fixture(t, "v2-gzip.bin"), magic, 103, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got, want strings.Builder
		dump(t, &got, out)
		dump(t, &want, fixture(t, fmt.Sprintf("down%d-gzip.bin", magic)))
		for g, w := range pairs(got.String(), want.String()) {
			if g != w {
				t.Fatalf("magic %d:\n got %s\nwant %s", magic, g, w)
			}
		}
	}
}

func TestEndTxnMarker(t *testing.T) {
	f := func(name string, want ControlType) {
		t.Helper()
		m, err := Batch(fixture(t, name)).EndTxnMarker()
		if err != nil || m != (EndTxnMarker{Type: want, CoordinatorEpoch: 21}) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	f("commit.bin", ControlCommit)
	f("abort.bin", ControlAbort)

	refused := func(what string, b Batch) {
		t.Helper()
		if m, err := b.EndTxnMarker(); !isInvalid(err) {
			t.Errorf("%s: %+v, %v", what, m, err)
		}
	}
	refused("no control batch", fixture(t, "txn.bin"))
	refused("emptied", Batch(fixture(t, "commit.bin")).AppendEmpty(nil))
	control := func(key, value []byte) Batch {
		return build(t, Spec{Control: true}, []msg{{Key: key, Value: value}})
	}
	refused("KRaft's type", control([]byte{0, 0, 0, 2}, make([]byte, 6)))
	refused("negative key version", control([]byte{255, 0, 0, 1}, make([]byte, 6)))
	refused("short key", control([]byte{0, 0, 0}, make([]byte, 6)))
	refused("null key", control(nil, make([]byte, 6)))
	refused("short value", control([]byte{0, 0, 0, 1}, make([]byte, 5)))
	refused("negative value version", control([]byte{0, 0, 0, 1}, []byte{255, 0, 0, 0, 0, 0}))
	m, err := control([]byte{0, 1, 0, 1, 9}, []byte{0, 1, 0, 0, 0, 7, 9}).EndTxnMarker()
	if err != nil || m != (EndTxnMarker{Type: ControlCommit, CoordinatorEpoch: 7}) {
		t.Errorf("later versions: %+v, %v", m, err)
	}
	if typ, err := control([]byte{0, 0, 0, 2}, nil).ControlType(); err != nil || typ.String() != "UNKNOWN(2)" {
		t.Errorf("%v, %v", typ, err)
	}
}
