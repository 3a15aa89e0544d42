package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequestHeader(t *testing.T) {
	for _, c := range []struct {
		name string
		h    RequestHeader
		want string
	}{
		{"v0: ControlledShutdown v0 alone", RequestHeader{KeyControlledShutdown, 0, 7, nil}, "0007 0000 00000007"},
		{"v1 from its v1 on", RequestHeader{KeyControlledShutdown, 1, 7, new("0")}, "0007 0001 00000007 0001 30"},
		{"v1", RequestHeader{KeyProduce, 8, -1, new("ab")}, "0000 0008 ffffffff 0002 6162"},
		{"v1, null client id", RequestHeader{KeyProduce, 8, 1, nil}, "0000 0008 00000001 ffff"},
		{"v2: client id not compact", RequestHeader{KeyProduce, 9, 1, new("ab")}, "0000 0009 00000001 0002 6162 00"},
		{"v2, null client id", RequestHeader{KeyProduce, 9, 1, nil}, "0000 0009 00000001 ffff 00"},
		{"ApiVersions above its schema", RequestHeader{KeyApiVersions, 99, 1, new("")}, "0012 0063 00000001 0000 00"},
		{"unknown key", RequestHeader{900, 3, 1, new("x")}, "0384 0003 00000001 0001 78"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := unhex(t, c.want)
			if got := AppendRequestHeader(nil, c.h); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
			h, body, err := DecodeRequestHeader(append(want, 0xaa, 0xbb))
			if err != nil || !bytes.Equal(body, []byte{0xaa, 0xbb}) {
				t.Fatalf("body %x, %v", body, err)
			}
			same := h.ClientID == nil && c.h.ClientID == nil || h.ClientID != nil && c.h.ClientID != nil && *h.ClientID == *c.h.ClientID
			h.ClientID, c.h.ClientID = nil, nil
			if h != c.h || !same {
				t.Errorf("got %+v", h)
			}
			for n := range len(want) {
				if _, _, err := DecodeRequestHeader(want[:n]); !errors.Is(err, ErrShort) {
					t.Errorf("cut at %d: %v", n, err)
				}
			}
		})
	}
}

func TestRequestHeaderSkipsTags(t *testing.T) {
	frame := unhex(t, "0000 0009 00000001 0001 61 02 05 02 abcd 8101 00 ff")
	_, body, err := DecodeRequestHeader(frame)
	if err != nil || !bytes.Equal(body, []byte{0xff}) {
		t.Errorf("body %x, %v", body, err)
	}
}

func TestResponseHeader(t *testing.T) {
	for _, c := range []struct {
		key     Key
		version int16
		want    string
	}{
		{KeyProduce, 8, "00000005"},
		{KeyProduce, 9, "00000005 00"},
		{KeyApiVersions, 2, "00000005"},
		{KeyApiVersions, 3, "00000005"},
		{KeyApiVersions, 4, "00000005"},
		{KeySaslHandshake, 1, "00000005"},
		{KeyAlterPartition, 0, "00000005 00"},
	} {
		want := unhex(t, c.want)
		if got := AppendResponseHeader(nil, c.key, c.version, 5); !bytes.Equal(got, want) {
			t.Errorf("%s v%d: got %x, want %x", c.key, c.version, got, want)
		}
		id, body, err := DecodeResponseHeader(append(want, 9), c.key, c.version)
		if id != 5 || len(body) != 1 || err != nil {
			t.Errorf("%s v%d: id %d, body %x, %v", c.key, c.version, id, body, err)
		}
		if _, _, err := DecodeResponseHeader(want[:len(want)-1], c.key, c.version); !errors.Is(err, ErrShort) {
			t.Errorf("%s v%d cut: %v", c.key, c.version, err)
		}
	}
}

// TestUnsupportedApiVersions is the answer every client can read, as a real
// broker gives it.
func TestUnsupportedApiVersions(t *testing.T) {
	var w Writer
	m := &ApiVersionsResponse{ErrorCode: CodeUnsupportedVersion, ApiKeys: []ApiVersionsResponseApiVersion{{ApiKey: 18, MaxVersion: 4}},
		FinalizedFeaturesEpoch: -1}
	if err := EncodeResponse(&w, 0, 3, m); err != nil {
		t.Fatal(err)
	}
	if want := unhex(t, "00000010 00000003 0023 00000001 0012 0000 0004"); !bytes.Equal(w.Bytes(), want) {
		t.Errorf("got %x, want %x", w.Bytes(), want)
	}
}

func TestFramesRewind(t *testing.T) {
	var w Writer
	w.Write([]byte("kept"))
	if err := EncodeResponse(&w, 99, 1, NewFetchResponse()); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v", err)
	}
	bad := NewFetchRequest()
	bad.ReplicaState.ReplicaID = 4
	if err := EncodeRequest(&w, RequestHeader{Key: KeyFetch, Version: 14}, bad); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
	if string(w.Bytes()) != "kept" {
		t.Errorf("left %q", w.Bytes())
	}
}
