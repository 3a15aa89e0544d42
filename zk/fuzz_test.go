package zk

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzDecodeRequest: no input panics, and what decodes can be encoded and
// decoded to the same value.
func FuzzDecodeRequest(f *testing.F) {
	for _, r := range everyRequest() {
		f.Add(AppendRequest(nil, 1, r)[LengthSize:])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, r, err := DecodeRequest(frame)
		if err != nil {
			return
		}
		_, again, err := DecodeRequest(AppendRequest(nil, h.Xid, r)[LengthSize:])
		if err != nil || !reflect.DeepEqual(normal(r), normal(again)) {
			t.Fatalf("%#v became %#v, %v", r, again, err)
		}
	})
}

// normal replaces null vectors by what they are written as, through encoding.
func normal(r Record) []byte { return Marshal(nil, r) }

// FuzzDecodeResponse does the same for the bodies of replies.
func FuzzDecodeResponse(f *testing.F) {
	for op, r := range everyResponse() {
		f.Add(int32(op), Marshal(nil, r))
	}
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		r := NewResponse(Op(op))
		if r == nil || Unmarshal(body, r) != nil {
			return
		}
		out := Marshal(nil, r)
		again := NewResponse(Op(op))
		if err := Unmarshal(out, again); err != nil || !bytes.Equal(out, Marshal(nil, again)) {
			t.Fatalf("%#v became %#v, %v", r, again, err)
		}
	})
}

// FuzzConnect covers the packets without a header, and paths.
func FuzzConnect(f *testing.F) {
	f.Add(Marshal(nil, &ConnectRequest{Timeout: 18000, Password: make([]byte, 16)}))
	f.Add([]byte("/a/./b"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, p := range [][2]Record{{&ConnectRequest{}, &ConnectRequest{}}, {&ConnectResponse{}, &ConnectResponse{}}} {
			if Unmarshal(src, p[0]) == nil {
				if err := Unmarshal(Marshal(nil, p[0]), p[1]); err != nil || !reflect.DeepEqual(p[0], p[1]) {
					t.Fatalf("%+v became %+v, %v", p[0], p[1], err)
				}
			}
		}
		path := string(src)
		if ValidatePath(path) == nil && path[0] != '/' {
			t.Fatalf("%q accepted", path)
		}
	})
}

func BenchmarkDecodeCreate(b *testing.B) {
	frame := AppendRequest(nil, 1, everyRequest()[0])[LengthSize:]
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeRequest(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendGetDataReply(b *testing.B) {
	body := &GetDataResponse{Data: make([]byte, 100), Stat: someStat}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendReply(buf[:0], ReplyHeader{Xid: 1, Zxid: 2}, body)
	}
}
