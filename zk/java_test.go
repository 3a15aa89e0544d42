package zk

import (
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestStringsAsJavaReadsThem compares with what a Java program printed.
func TestStringsAsJavaReadsThem(t *testing.T) {
	table, err := os.ReadFile("testdata/java_text.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(table)) {
		in, want, ok := strings.Cut(strings.TrimSpace(line), " ")
		if line[0] == '#' || !ok {
			continue
		}
		lines++
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString([]byte(Text(b))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if lines < 40 {
		t.Errorf("%d lines", lines)
	}
}

func TestDecodeRequestReadsAsAServer(t *testing.T) {
	for _, c := range []struct {
		frame []byte // without its length
		want  Request
	}{
		{[]byte("\x00\x00\x00\x01\x00\x00\x00\x09\xff\xff\xff\xff"), &SyncRequest{Path: Null}},
		{[]byte("\x00\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00"), &SyncRequest{Path: ""}},
		{[]byte("\x00\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x02/\xff"), &SyncRequest{Path: "/\ufffd"}},
		{[]byte("\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x02/a\x00\x00\x00\x01\x00\x00\x00\x1f\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x01"),
			&SetACLRequest{Path: "/a", ACL: []ACL{{PermAll, Null, Null}}, Version: 1}},
		{[]byte("\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x02/a\xff\xff\xff\xfe\x00\x00\x00\x01"), &SetACLRequest{Path: "/a", ACL: []ACL{}, Version: 1}},
		{[]byte("\x00\x00\x00\x01\x00\x00\x00\x65\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x01\xff\xff\xff\xff\x80\x00\x00\x00"),
			&SetWatchesRequest{Exist: []string{Null}, Child: []string{}}},
	} {
		if _, got, err := DecodeRequest(c.frame); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %#v, %v; want %#v", c.frame, got, err, c.want)
		}
	}
	if got := AppendReply(nil, ReplyHeader{}, &SyncResponse{Path: Null}); string(got[20:]) != "\xff\xff\xff\xff" {
		t.Errorf("null is written as %x", got)
	}
}

// TestMultiIsReadAsZooKeeperTakesIt sends operations that are not what they look
// like.
func TestMultiIsReadAsZooKeeperTakesIt(t *testing.T) {
	create := func(kind Op, flags CreateMode) *CreateRequest {
		return &CreateRequest{Kind: kind, Path: "/a", ACL: OpenACL(), Flags: flags}
	}
	ttl := func(flags CreateMode) *CreateRequest {
		r := create(OpCreateTTL, flags)
		r.TTL = 7
		return r
	}
	decode := func(kind Op, ops ...Request) (*MultiRequest, error) {
		frame := AppendRequest(nil, 1, &MultiRequest{Kind: kind, Ops: ops})
		_, r, err := DecodeRequest(frame[LengthSize:])
		m, _ := r.(*MultiRequest)
		return m, err
	}
	for _, c := range []struct{ sent, want Request }{
		{create(OpCreate, Container), create(OpCreateContainer, Container)},
		{create(OpCreate2, Container), create(OpCreateContainer, Container)},
		{create(OpCreateContainer, Ephemeral), create(OpCreateContainer, Ephemeral)},
		{ttl(Ephemeral), create(OpCreate, Ephemeral)},
		{ttl(Container), create(OpCreateContainer, Container)},
		{ttl(9), create(OpCreate, 9)},
		{ttl(PersistentTTL), ttl(PersistentTTL)},
	} {
		if m, err := decode(OpMulti, c.sent); err != nil || !reflect.DeepEqual(m.Ops[0], c.want) {
			t.Errorf("%+v: got %+v, %v", c.sent, m, err)
		}
	}
	if m, err := decode(OpMultiRead, &GetDataRequest{"/a", true}, &GetChildrenRequest{"/a", true}); err != nil ||
		!reflect.DeepEqual(m.Ops, []Request{&GetDataRequest{Path: "/a"}, &GetChildrenRequest{Path: "/a"}}) {
		t.Errorf("reads: %+v, %v", m, err)
	}
	for _, ops := range [][]Request{
		{create(OpCreate, PersistentTTL)}, {create(OpCreate2, 7)},
		{&CheckRequest{Path: "/a"}, &GetDataRequest{Path: "/a"}}, {&GetDataRequest{Path: "/a"}, &CheckRequest{Path: "/a"}},
	} {
		if m, err := decode(OpMulti, ops...); !errors.Is(err, ErrMarshalling) || errors.Is(err, ErrNull) {
			t.Errorf("%+v: got %+v, %v", ops, m, err)
		}
	}
	// A null ACL is written as -1, which no encoder here does.
	frame := AppendRequest(nil, 1, &MultiRequest{Ops: []Request{create(OpCreate, Persistent)}})[LengthSize:]
	const acl = 8 + 9 + 4 + 2 + 4
	null := append(append(frame[:acl:acl], 0xff, 0xff, 0xff, 0xff), frame[len(frame)-4-9:]...)
	if _, _, err := DecodeRequest(null); !errors.Is(err, ErrNull) || !errors.Is(err, ErrMarshalling) {
		t.Errorf("null ACL: %v", err)
	}
}

// TestForwardedRequestsStayAsTheyAre: another server takes a request as the one
// that read it did, whatever a client made of it.
func TestForwardedRequestsStayAsTheyAre(t *testing.T) {
	odd := &CreateRequest{Kind: OpCreateTTL, Path: "/a", ACL: []ACL{{1, Null, Null}, {1, SchemeDigest, "\U0001f600:\xffx"}}, Flags: 9, TTL: 7}
	named := &CreateRequest{Kind: OpCreateTTL, Path: "/\xfe", ACL: OpenACL(), Flags: Container}
	for _, sent := range []Request{
		&MultiRequest{Ops: []Request{odd, named, &DeleteRequest{Path: Null}}}, odd, named, &DeleteContainerRequest{Path: Null},
		&MultiRequest{Ops: []Request{&GetDataRequest{Path: "/a"}}},
	} {
		_, read, err := DecodeRequest(AppendRequest(nil, 1, sent)[LengthSize:])
		if err != nil {
			t.Fatalf("%+v: %v", sent, err)
		}
		if _, got, err := DecodeForwarded(AppendRequest(nil, 1, read)[LengthSize:]); err != nil || !reflect.DeepEqual(got, read) {
			t.Errorf("got %+v, %v; want %+v", got, err, read)
		}
	}
}
