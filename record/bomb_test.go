package record

import (
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// allocated is how many bytes do allocates, freed ones included.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// bomb is a batch of one record with a value of n zeros, compressed.
func bomb(t testing.TB, c Codec, n int) Batch {
	t.Helper()
	return build(t, Spec{Codec: c}, []msg{{Value: make([]byte, n)}})
}

func TestValidationStreamsBombs(t *testing.T) {
	const size, most = 32 << 20, 8 << 20 // zstd's window is 2 MiB, lz4's blocks 64 KiB
	for _, c := range codecs[1:] {
		b := bomb(t, c, size)
		var sum Summary
		var err error
		used := allocated(func() { sum, err = b.ValidateRecords(openRules()) })
		if err != nil || sum.RecordBytes < size {
			t.Fatalf("%s: %+v, %v", c, sum, err)
		}
		if used > most {
			t.Errorf("%s: a batch of %d bytes that inflates to %d makes validation allocate %d", c, len(b), size, used)
		}
	}
}

func TestConversionStreamsBombs(t *testing.T) {
	const record, count, most = 512 << 10, 64, 16 << 20
	var bl Builder
	bl.Reset(Spec{Codec: Gzip})
	for range count {
		bl.Append(0, nil, make([]byte, record))
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	var other Builder
	var set []byte
	used := allocated(func() {
		if _, err = Recompress(&other, b, Target{Codec: LZ4}, nil); err == nil {
			set, err = Downconvert(nil, b, 1, 0, 0)
		}
		if err == nil {
			_, _, err = Upconvert(&other, set, Target{Keep: true}, openRules())
		}
	})
	if err != nil || used > most {
		t.Errorf("allocated %d for %d bytes, %v", used, record*count, err)
	}
	// Where the result would be large, the caller's limit ends it.
	used = allocated(func() { _, err = Recompress(&other, b, Target{Codec: None, MaxBytes: 1 << 20}, nil) })
	if !errors.Is(err, ErrTooLarge) || used > most {
		t.Errorf("allocated %d, %v", used, err)
	}
	_, _, err = Upconvert(&other, set, Target{Codec: None, MaxBytes: 1 << 20}, openRules())
	if !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	plain, err := Recompress(&other, b, Target{Codec: None}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Downconvert([]byte("kept"), plain, 1, 0, 1<<20)
	if !errors.Is(err, ErrTooLarge) || string(out) != "kept" {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func TestInflatedBytesAndRecordsAreBounded(t *testing.T) {
	for _, c := range codecs[1:] {
		b := bomb(t, c, 1<<20)
		f := func(set func(*stream), use func(*stream) error) {
			t.Helper()
			s, err := openStream(c, b.RecordBytes(), 2)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			set(s)
			if err := use(s); !isInvalid(err) {
				t.Errorf("%s: %v", c, err)
			}
		}
		measured := func(s *stream) error { _, err := s.measure(); return err }
		walked := func(s *stream) error { _, err := s.next(); return err }
		f(func(s *stream) { s.left = 1 << 19 }, measured)
		f(func(s *stream) { s.left = 1 << 19 }, walked)
		f(func(s *stream) { s.most = 1 << 19 }, measured)
		f(func(s *stream) { s.most = 1 << 19 }, walked)
	}
}

// A record that claims more than arrives must not make the buffer grow to the claim.
func TestClaimedLengthsAllocateNothing(t *testing.T) {
	lie := append(appendVarint(nil, MaxRecordBytes), make([]byte, 100)...)
	for _, c := range codecs[1:] {
		b := frameRecords(t, c, 1, lie)
		_, _ = b.ValidateRecords(openRules()) // warms the pools
		used := allocated(func() {
			for _, err := range b.Records() {
				if !isInvalid(err) {
					t.Errorf("%s: %v", c, err)
				}
			}
			if _, err := b.ValidateRecords(openRules()); !isInvalid(err) {
				t.Errorf("%s: %v", c, err)
			}
		})
		if used > 8<<20 {
			t.Errorf("%s: allocated %d", c, used)
		}
	}
}

func TestZstdWindows(t *testing.T) {
	payload := build(t, Spec{}, sample(3, 10)).RecordBytes()
	// frame is a raw block in a frame that claims a window of 2^log bytes.
	frame := func(log byte) Batch {
		z := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3}
		head := uint32(len(payload))<<3 | 1 // raw, last
		z = append(z, byte(head), byte(head>>8), byte(head>>16))
		z = append(z, payload...)
		b := Batch(append(make([]byte, HeaderSize), z...))
		putHeader(b, uint16(Zstd), 2, 0, 0, -1, -1, -1, 3)
		return b
	}
	for log := byte(10); log <= 31; log++ {
		// Twice as often as places for large windows: each must come back.
		for range 2 * zstdLargeReaders {
			_, err := frame(log).ValidateRecords(openRules())
			_, inflate := errors.AsType[*DecompressError](err)
			if ok := log <= 27; ok != (err == nil) || !ok && !inflate {
				t.Fatalf("window of 2^%d: %v", log, err)
			}
		}
	}
	single := zstdSingle(t, 1<<20)
	if _, err := single.ValidateRecords(openRules()); err != nil {
		t.Errorf("frame of known size: %v", err)
	}
}

// zstdSingle is a batch whose frame states its size, as one-shot encoders write it.
func zstdSingle(t testing.TB, n int) Batch {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	raw := build(t, Spec{}, []msg{{Value: make([]byte, n)}}).RecordBytes()
	b := Batch(enc.EncodeAll(raw, make([]byte, HeaderSize)))
	putHeader(b, uint16(Zstd), 0, 0, 0, -1, -1, -1, 1)
	return b
}

func TestSnappyFramings(t *testing.T) {
	raw := build(t, Spec{}, sample(50, 50)).RecordBytes()
	f := func(what string, section []byte, ok bool) {
		t.Helper()
		b := Batch(append(make([]byte, HeaderSize), section...))
		putHeader(b, uint16(Snappy), 49, 0, 0, -1, -1, -1, 50)
		_, err := b.ValidateRecords(openRules())
		if _, inflate := errors.AsType[*DecompressError](err); ok != (err == nil) || !ok && !inflate {
			t.Errorf("%s: %v", what, err)
		}
	}
	header := append([]byte(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	chunk := func(b []byte) []byte {
		z := s2.EncodeSnappy(nil, b)
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(z))), z...)
	}
	join := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	f("plain block", s2.EncodeSnappy(nil, raw), true)
	f("one chunk", join(header, chunk(raw)), true)
	f("joined streams", join(header, chunk(raw[:500]), header, chunk(raw[500:])), true)
	f("later version, same compatibility", join([]byte(xerialMagic), []byte{0, 0, 0, 9, 0, 0, 0, 1}, chunk(raw)), true)
	f("incompatible version", join([]byte(xerialMagic), []byte{0, 0, 0, 1, 0, 0, 0, 0}, chunk(raw)), false)
	f("cut header", header[:12], false)
	f("cut chunk length", join(header, []byte{0, 0}), false)
	f("chunk length beyond", join(header, []byte{255, 255, 255, 255, 0}), false)
	f("library's own extension", s2.EncodeBest(nil, join(raw, raw, raw, make([]byte, 1000))), false)
	f("claim of 4 GiB", []byte{255, 255, 255, 255, 15, 0, 0}, false)
	if n, err := snappyLen([]byte{4, 1, 0}); !errors.Is(err, errSnappyRepeat) {
		t.Errorf("repeat: %d, %v", n, err)
	}
}

func TestLZ4Frames(t *testing.T) {
	raw := build(t, Spec{}, sample(50, 50)).RecordBytes()
	f := func(what string, flags, bd byte, tail func(stored []byte) []byte, ok bool) {
		t.Helper()
		h := []byte{0x04, 0x22, 0x4d, 0x18, flags, bd}
		if flags&lz4ContentSize != 0 {
			h = binary.LittleEndian.AppendUint64(h, uint64(len(raw)))
		}
		h = append(h, byte(xxh32(h[4:])>>8))
		block := binary.LittleEndian.AppendUint32(nil, uint32(len(raw))|lz4Stored)
		block = append(block, raw...)
		b := Batch(append(append(make([]byte, HeaderSize), h...), tail(block)...))
		putHeader(b, uint16(LZ4), 49, 0, 0, -1, -1, -1, 50)
		_, err := b.ValidateRecords(openRules())
		if _, inflate := errors.AsType[*DecompressError](err); ok != (err == nil) || !ok && !inflate {
			t.Errorf("%s: %v", what, err)
		}
	}
	const plain = lz4Version | lz4Independent
	end := func(b []byte) []byte { return append(b, 0, 0, 0, 0) }
	f("plain", plain, 0x40, end, true)
	f("content size", plain|lz4ContentSize, 0x70, end, true)
	f("content checksum, not looked at", plain|lz4ContentChecksum, 0x40, func(b []byte) []byte { return append(end(b), 1, 2, 3, 4) }, true)
	f("content checksum missing", plain|lz4ContentChecksum, 0x40, end, false)
	sum := binary.LittleEndian.AppendUint32(nil, xxh32(raw))
	f("block checksum", plain|lz4BlockChecksum, 0x40, func(b []byte) []byte { return end(append(b, sum...)) }, true)
	f("wrong block checksum", plain|lz4BlockChecksum, 0x40, func(b []byte) []byte { return end(append(b, 1, 2, 3, 4)) }, false)
	f("no end mark", plain, 0x40, func(b []byte) []byte { return b }, false)
	f("linked blocks", lz4Version, 0x40, end, false)
	f("version", 0x80|lz4Independent, 0x40, end, false)
	f("dictionary", plain|1, 0x40, end, false)
	f("block size", plain, 0x30, end, false)
	f("reserved", plain, 0x41, end, false)
	f("block above its size", plain, 0x40, func([]byte) []byte { return []byte{1, 0, 1, 0, 0} }, false)
	f("block beyond the end", plain, 0x40, func([]byte) []byte { return []byte{0, 1, 0, 0, 0} }, false)
}

func TestXXH32(t *testing.T) {
	f := func(in string, want uint32) { // from the reference implementation
		t.Helper()
		if got := xxh32([]byte(in)); got != want {
			t.Errorf("%q: %#x, want %#x", in, got, want)
		}
	}
	f("", 0x02cc5d05)
	f("a", 0x550d7456)
	f("abc", 0x32d153ff)
	f("Nobody inspects the spammish repetition", 0xe2293b2f)
}
