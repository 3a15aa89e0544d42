package record

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func seed(f *testing.F, add func([]byte)) {
	files, err := filepath.Glob("testdata/kafka/*.bin")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 2<<10 {
			add(b)
		}
	}
}

// FuzzBatches reads bytes as a log of v2 batches, as they are and behind
// checksums put right.
func FuzzBatches(f *testing.F) {
	seed(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, src []byte) {
		read := 0
		for b, err := range All(src) {
			if err != nil {
				if !typed(err) {
					t.Fatalf("untyped %v", err)
				}
				break
			}
			read += len(b)
			if err := b.Verify(); err != nil && !typed(err) {
				t.Fatalf("untyped %v", err)
			}
			b.SetCRC()
			exercise(t, b)
		}
		if read > len(src) {
			t.Fatalf("read %d of %d bytes", read, len(src))
		}
	})
}

// FuzzRecords puts bytes into the records section of a batch with any codec.
func FuzzRecords(f *testing.F) {
	for _, c := range codecs {
		b := build(f, Spec{Codec: c}, sample(5, 20))
		f.Add(byte(c), int32(5), []byte(b.RecordBytes()))
	}
	f.Fuzz(func(t *testing.T, codec byte, count int32, section []byte) {
		b := Batch(append(make([]byte, HeaderSize), section...))
		putHeader(b, uint16(codec&attrCodec), count-1, 0, 0, -1, -1, -1, count)
		b.SetCRC()
		exercise(t, b)
	})
}

// FuzzOldSet reads bytes as a message set of magic 0 or 1, as they are and with
// the first checksum put right.
func FuzzOldSet(f *testing.F) {
	seed(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, set []byte) {
		_ = exerciseSet(t, set)
		if e, _, err := NextEntry(set); err == nil {
			finishEntry(e)
			_ = exerciseSet(t, set)
		}
	})
}

// FuzzWrapper puts bytes into the value of a wrapper, so that the fuzzer gets
// past the outer checksum.
func FuzzWrapper(f *testing.F) {
	for _, c := range codecs[1:4] {
		for magic := range int8(2) {
			out, err := Downconvert(nil, build(f, Spec{Codec: c}, sample(5, 20)), magic, 0, 0)
			if err != nil {
				f.Fatal(err)
			}
			_, value, _ := Entry(out).fields()
			f.Add(byte(magic), byte(c), int64(4), value)
		}
	}
	f.Fuzz(func(t *testing.T, magic, codec byte, offset int64, value []byte) {
		e := appendEntryHeader(nil, int8(magic&1), offset, CreateTime, Codec(codec&attrCodec), 0)
		e = appendEntryField(appendEntryField(e, nil), value)
		finishEntry(e)
		_ = exerciseSet(t, e)
	})
}

// FuzzSnappyLen holds our walk of a block against the library's length.
func FuzzSnappyLen(f *testing.F) {
	f.Add([]byte{4, 12, 'a', 'b', 'c', 'd'})
	f.Fuzz(func(t *testing.T, block []byte) {
		n, err := snappyLen(block)
		if claimed, _ := binary.Uvarint(block); err == nil && uint64(n) != claimed {
			t.Fatalf("%d, block says %d", n, claimed)
		}
		if n > 64*len(block) {
			t.Fatalf("%d bytes out of %d", n, len(block))
		}
	})
}
