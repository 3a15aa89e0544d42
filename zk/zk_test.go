package zk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var someStat = Stat{
	Czxid: 0x100000001, Mzxid: 0x100000002, Ctime: 1795174269035, Mtime: 1795174269036,
	Version: 3, Cversion: -1, Aversion: 2, EphemeralOwner: -0x7fffffffffffffff,
	DataLength: 5, NumChildren: 7, Pzxid: 0x100000009,
}

var someACL = []ACL{{PermAll, SchemeWorld, AnyoneID}, {PermRead, SchemeDigest, "u:h"}}

// everyRequest has one request of each operation with every field set.
func everyRequest() []Request {
	create := func(kind Op, mode CreateMode) *CreateRequest {
		return &CreateRequest{Kind: kind, Path: "/a", Data: []byte("x"), ACL: someACL, Flags: mode}
	}
	ttl := create(OpCreateTTL, PersistentTTL)
	ttl.TTL = 5000
	set1 := SetWatchesRequest{RelativeZxid: 9, Data: []string{"/d"}, Exist: []string{"/e", "/f"}, Child: []string{}}
	return []Request{
		create(OpCreate, Ephemeral), create(OpCreate2, PersistentSequential), create(OpCreateContainer, Container), ttl,
		&DeleteRequest{"/a", -1}, &ExistsRequest{"/a", true}, &GetDataRequest{"/a", false},
		&SetDataRequest{"/a", []byte{}, 4}, &GetACLRequest{"/a"}, &SetACLRequest{"/a", someACL, 1},
		&GetChildrenRequest{"/a", true}, &GetChildren2Request{"/a", false}, &SyncRequest{"/"},
		PingRequest{}, CloseRequest{}, WhoAmIRequest{}, &DeleteContainerRequest{"/a"}, &CheckRequest{"/a", 2},
		&MultiRequest{Kind: OpMulti, Ops: []Request{create(OpCreate, Persistent), ttl, &DeleteRequest{"/b", 1}, &SetDataRequest{"/c", nil, 0}, &CheckRequest{"/d", 5}}},
		&MultiRequest{Kind: OpMultiRead, Ops: []Request{&GetDataRequest{Path: "/a"}, &GetChildrenRequest{Path: "/b"}}},
		&ReconfigRequest{Joining: new("server.2=h:1:2"), NewMembers: new(""), ConfigID: -1},
		&CheckWatchesRequest{"/a", WatcherAny}, &RemoveWatchesRequest{"/a", WatcherData},
		&AuthRequest{Scheme: SchemeDigest, Auth: []byte("u:p")}, &set1,
		&SetWatches2Request{SetWatchesRequest: set1, Persistent: []string{"/p"}, Recursive: []string{"/r"}},
		&SASLRequest{[]byte("t")}, &GetEphemeralsRequest{"/"}, &GetAllChildrenNumberRequest{"/a"},
		&AddWatchRequest{"/a", WatchRecursive},
	}
}

// everyResponse has the body of one reply per operation that has one.
func everyResponse() map[Op]Record {
	return map[Op]Record{
		OpCreate: &CreateResponse{"/a"}, OpCreate2: &Create2Response{"/a", someStat},
		OpCreateContainer: &Create2Response{"/a", someStat}, OpCreateTTL: &Create2Response{"/a", someStat},
		OpExists: &StatResponse{someStat}, OpSetData: &StatResponse{someStat}, OpSetACL: &StatResponse{someStat},
		OpGetData: &GetDataResponse{[]byte("d"), someStat}, OpReconfig: &GetDataResponse{[]byte("c"), someStat},
		OpGetACL: &GetACLResponse{someACL, someStat}, OpGetChildren: &GetChildrenResponse{[]string{"b", ""}},
		OpGetChildren2: &GetChildren2Response{[]string{}, someStat}, OpSync: &SyncResponse{"/"},
		OpMulti: &MultiResponse{Results: []OpResult{
			{Op: OpCreate, Path: "/a"}, {Op: OpCreate2, Path: "/b", Stat: someStat}, {Op: OpDelete},
			{Op: OpSetData, Stat: someStat}, {Op: OpCheck},
		}},
		OpMultiRead: &MultiResponse{Results: []OpResult{
			{Op: OpGetData, Data: []byte("d"), Stat: someStat}, {Op: OpGetChildren, Children: []string{"x"}}, {Op: OpError, Err: ErrNoNode},
		}},
		OpSASL: &SASLResponse{}, OpGetEphemerals: &GetEphemeralsResponse{[]string{"/e"}},
		OpGetAllChildrenNumber: &GetAllChildrenNumberResponse{12}, OpAddWatch: &ErrorResponse{OK},
		OpWhoAmI: &WhoAmIResponse{[]ClientInfo{{"ip", "127.0.0.1"}, {"digest", "u"}}},
	}
}

func TestEveryOperationHasARequestAndRoundTrips(t *testing.T) {
	seen := map[Op]bool{}
	for _, want := range everyRequest() {
		op := want.Op()
		seen[op] = true
		frame := AppendRequest(nil, 7, want)
		if op == OpCheck { // has no header of its own
			got := &CheckRequest{}
			if err := Unmarshal(frame[LengthSize+8:], got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("check: got %+v, %v; want %+v", got, err, want)
			}
			continue
		}
		h, got, err := DecodeRequest(frame[LengthSize:])
		if err != nil || h != (RequestHeader{7, op}) || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v %+v, %v; want %+v", op, h, got, err, want)
		}
	}
	for op := range opNames {
		internal := op == OpNotification || op == OpCreateSession || op == OpError
		if got := NewRequest(op) != nil; got == internal || got != seen[op] {
			t.Errorf("%v: request known %v, tested %v, internal %v", op, got, seen[op], internal)
		}
	}
}

func TestEveryResponseRoundTrips(t *testing.T) {
	all := everyResponse()
	for op := range opNames {
		want, got := all[op], NewResponse(op)
		if want == nil && got == nil {
			continue
		}
		if want == nil || got == nil {
			t.Errorf("%v: have response %v, test %v", op, got, want)
			continue
		}
		if err := Unmarshal(Marshal(nil, want), got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v, %v; want %+v", op, got, err, want)
		}
	}
}

// TestTruncatedBodiesFail cuts every message at every byte: a shorter one must
// be refused as a marshalling error, and a whole one accepted.
func TestTruncatedBodiesFail(t *testing.T) {
	for _, r := range everyRequest() {
		body := Marshal(nil, r)
		for n := range body {
			if err := Unmarshal(body[:n], NewRequest(r.Op())); !errors.Is(err, ErrMarshalling) {
				t.Errorf("%v request cut to %d of %d bytes: %v", r.Op(), n, len(body), err)
			}
		}
	}
	for op, r := range everyResponse() {
		body := Marshal(nil, r)
		for n := range body {
			if err := Unmarshal(body[:n], NewResponse(op)); !errors.Is(err, ErrMarshalling) {
				t.Errorf("%v response cut to %d of %d bytes: %v", op, n, len(body), err)
			}
		}
	}
}

// TestKnownBytes pins encodings as a ZooKeeper 3.9 server and its Java client
// write them.
func TestKnownBytes(t *testing.T) {
	pass := bytes.Repeat([]byte{0xab}, PasswordSize)
	fail := &MultiResponse{}
	fail.Fail(3, 1, ErrBadVersion)
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"connect request", Marshal(nil, &ConnectRequest{Timeout: 18000, Password: make([]byte, 16)}),
			"00000000 0000000000000000 00004650 0000000000000000 00000010 00000000000000000000000000000000 00"},
		{"connect response", Marshal(nil, &ConnectResponse{Timeout: 4000, SessionID: 0x100000000000001, Password: pass}),
			"00000000 00000fa0 0100000000000001 00000010 abababababababababababababababab 00"},
		{"old connect response", Marshal(nil, &ConnectResponse{Timeout: 4000, SessionID: 1, Password: pass, Old: true}),
			"00000000 00000fa0 0000000000000001 00000010 abababababababababababababababab"},
		{"create with null data", AppendRequest(nil, 1, &CreateRequest{Path: "/a", ACL: OpenACL(), Flags: Ephemeral}),
			"00000031 00000001 00000001 00000002 2f61 ffffffff 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000001"},
		{"set with empty data", Marshal(nil, &SetDataRequest{Path: "/a", Data: []byte{}, Version: -1}),
			"00000002 2f61 00000000 ffffffff"},
		{"ping", AppendRequest(nil, XidPing, PingRequest{}), "00000008 fffffffe 0000000b"},
		{"multi", Marshal(nil, &MultiRequest{Ops: []Request{&CheckRequest{"/c", 3}}}),
			"0000000d 00 ffffffff 00000002 2f63 00000003 ffffffff 01 ffffffff"},
		{"failed multi", Marshal(nil, fail),
			"ffffffff 00 00000000 00000000" + "ffffffff 00 ffffff99 ffffff99" + "ffffffff 00 fffffffe fffffffe" + "ffffffff 01 ffffffff"},
		{"event", AppendEvent(nil, -1, Event{EventDeleted, StateSyncConnected, "/a"}),
			"0000001e ffffffff ffffffffffffffff 00000000 00000002 00000003 00000002 2f61"},
		{"container result says create2", Marshal(nil, &MultiResponse{Results: []OpResult{{Op: OpCreateContainer, Path: "/"}}})[:9],
			"0000000f 00 00000000"},
		{"no children", Marshal(nil, &GetChildrenResponse{}), "00000000"},
		{"reply without body", AppendReply(nil, ReplyHeader{4, 5, ErrNoNode}, nil), "00000010 00000004 0000000000000005 ffffff9b"},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.got, want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, c.got, want)
		}
	}
	if n := len(Marshal(nil, &someStat)); n != StatSize {
		t.Errorf("Stat takes %d bytes", n)
	}
}

func TestNullAndEmptyDataDiffer(t *testing.T) {
	for _, data := range [][]byte{nil, {}, {1}} {
		var got GetDataResponse
		if err := Unmarshal(Marshal(nil, &GetDataResponse{Data: data}), &got); err != nil {
			t.Fatal(err)
		}
		if (got.Data == nil) != (data == nil) || !bytes.Equal(got.Data, data) {
			t.Errorf("%#v came back as %#v", data, got.Data)
		}
	}
}

func TestConnectWithoutReadOnlyByte(t *testing.T) {
	for _, old := range []bool{false, true} {
		want := ConnectRequest{Timeout: 1, SessionID: 2, Password: []byte("p"), ReadOnly: !old, Old: old}
		var got ConnectRequest
		if err := Unmarshal(Marshal(nil, &want), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		resp := ConnectResponse{Timeout: 1, SessionID: 2, Password: []byte("p"), Old: old}
		var back ConnectResponse
		if err := Unmarshal(Marshal(nil, &resp), &back); err != nil || !reflect.DeepEqual(back, resp) {
			t.Errorf("got %+v, %v; want %+v", back, err, resp)
		}
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	frame := func(xid int32, op Op, body string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return append(Marshal(nil, &RequestHeader{xid, op}), b...)
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  error
	}{
		{"short header", []byte{0, 0, 0}, ErrMarshalling},
		{"unknown operation", frame(1, 999, ""), ErrUnimplemented},
		{"internal operation", frame(1, OpCreateSession, ""), ErrUnimplemented},
		{"string beyond the end", frame(1, OpSync, "7fffffff 2f"), ErrMarshalling},
		{"negative length", frame(1, OpSync, "fffffffe"), ErrMarshalling},
		{"vector that claims too much", frame(1, OpSetWatches, "0000000000000000 10000000 00000000"), ErrMarshalling},
		{"negative vector", frame(1, OpSetWatches, "0000000000000000 80000000"), ErrMarshalling},
		{"check alone", frame(1, OpCheck, "00000002 2f61 00000000"), ErrUnimplemented},
		{"multi inside multi", frame(1, OpMulti, "0000000e 00 ffffffff ffffffff 01 ffffffff"), ErrMarshalling},
		{"bad create flags in multi", frame(1, OpMulti, "00000001 00 ffffffff 00000002 2f61 ffffffff 00000000 00000007 ffffffff 01 ffffffff"), ErrMarshalling},
		{"multi without end", frame(1, OpMulti, ""), ErrMarshalling},
	} {
		h, r, err := DecodeRequest(c.frame)
		if !errors.Is(err, c.want) || r != nil {
			t.Errorf("%s: got %v, %v; want %v", c.name, r, err, c.want)
		}
		if code, ok := errors.AsType[Err](err); !ok || !errors.Is(c.want, code) {
			t.Errorf("%s: reply code %v", c.name, code)
		}
		if len(c.frame) >= 8 && h.Xid != 1 {
			t.Errorf("%s: header lost: %+v", c.name, h)
		}
	}
	// Bytes after the body are nobody's business, as with ZooKeeper.
	if _, r, err := DecodeRequest(frame(1, OpSync, "00000001 2f dead")); err != nil || r.(*SyncRequest).Path != "/" {
		t.Errorf("trailing bytes: %v, %v", r, err)
	}
}

func TestNamesOfCodes(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{OpSetWatches2.String(), "setWatches2"}, {Op(55).String(), "op(55)"},
		{ErrNoNode.Name(), "NoNode"}, {Err(-7777).Name(), "Err(-7777)"}, {ErrNodeExists.Error(), "zookeeper: NodeExists"},
		{EphemeralSequential.String(), "EPHEMERAL_SEQUENTIAL"}, {CreateMode(7).String(), "mode(7)"},
		{EventChildrenChanged.String(), "NodeChildrenChanged"}, {EventType(9).String(), "event(9)"},
		{StateExpired.String(), "Expired"}, {State(99).String(), "state(99)"},
		{WatcherPersistentRecursive.String(), "PersistentRecursive"}, {WatcherType(0).String(), "watcher(0)"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if OK.OrNil() != nil || !errors.Is(ErrNoNode.OrNil(), error(ErrNoNode)) {
		t.Error("OrNil")
	}
	for code := range errNames {
		if s := code.Name(); s == "" || strings.Contains(s, "(") {
			t.Errorf("code %d has name %q", code, s)
		}
	}
}

func TestCreateModes(t *testing.T) {
	for m := CreateMode(-1); m <= 7; m++ {
		f := func(b bool) string {
			if b {
				return "x"
			}
			return "-"
		}
		got := f(m.Valid()) + f(m.Ephemeral()) + f(m.Sequential()) + f(m.TTL()) + m.Op().String()
		want := [...]string{
			"----create2", "x---create2", "xx--create2", "x-x-create2", "xxx-create2",
			"x---createContainer", "x--xcreateTTL", "x-xxcreateTTL", "----create2",
		}[m+1]
		if got != want {
			t.Errorf("mode %d: %s, want %s", m, got, want)
		}
	}
}

func TestMultiFault(t *testing.T) {
	var m MultiResponse
	if i, err := m.Fault(); i != -1 || err != nil {
		t.Errorf("empty: %d, %v", i, err)
	}
	m.Fail(4, 2, ErrNodeExists)
	if i, err := m.Fault(); i != 2 || !errors.Is(err, error(ErrNodeExists)) || m.Results[1].Err != OK || m.Results[3].Err != ErrRuntimeInconsistency {
		t.Errorf("%d, %v, %+v", i, err, m.Results)
	}
}
