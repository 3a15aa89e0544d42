package zk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestFramesComeBackWhole(t *testing.T) {
	var stream []byte
	var want [][]byte
	for _, n := range []int{0, 1, frameStep - 1, frameStep, frameStep + 1, 10*frameStep + 3, 5} {
		body := bytes.Repeat([]byte{byte(n)}, n)
		stream = binary.BigEndian.AppendUint32(stream, uint32(n))
		stream = append(stream, body...)
		want = append(want, body)
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytewise": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		var buf []byte
		for i, w := range want {
			var err error
			if buf, err = ReadFrame(r, buf, MaxFrame); err != nil || !bytes.Equal(buf, w) {
				t.Fatalf("%s, frame %d: %d bytes, %v", name, i, len(buf), err)
			}
		}
		if _, err := ReadFrame(r, buf, MaxFrame); !errors.Is(err, io.EOF) {
			t.Errorf("%s: end is %v", name, err)
		}
	}
}

func TestFrameLimits(t *testing.T) {
	for _, n := range []int32{-1, -1 << 31, 101, 1<<31 - 1} {
		_, err := ReadFrame(bytes.NewReader(binary.BigEndian.AppendUint32(nil, uint32(n))), nil, 100)
		fe, ok := errors.AsType[*FrameError](err)
		if !ok || fe.Length != int(n) || fe.Limit != 100 {
			t.Errorf("length %d: %v", n, err)
		}
	}
	full := AppendFrame(nil, &SyncRequest{Path: "/abc"})
	for n := range full {
		_, err := ReadFrame(bytes.NewReader(full[:n]), nil, 100)
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if !errors.Is(err, want) {
			t.Errorf("cut to %d bytes: %v, want %v", n, err, want)
		}
	}
}

// TestLyingLengthCostsLittle: a stranger who announces a megabyte and sends ten
// bytes makes us hold a few kilobytes.
func TestLyingLengthCostsLittle(t *testing.T) {
	src := append(binary.BigEndian.AppendUint32(nil, MaxFrame), make([]byte, 10)...)
	buf, err := ReadFrame(bytes.NewReader(src), nil, MaxFrame)
	if !errors.Is(err, io.ErrUnexpectedEOF) || cap(buf) > 2*frameStep {
		t.Errorf("%v, capacity %d", err, cap(buf))
	}
}

func TestReadFrameReusesItsBuffer(t *testing.T) {
	frame := AppendFrame(nil, &SyncRequest{Path: "/abc"})
	buf := make([]byte, 0, 256)
	r := bytes.NewReader(nil)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(frame)
		if _, err := ReadFrame(r, buf, MaxFrame); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
