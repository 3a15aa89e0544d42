package keeper

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

func someCalls() []*call {
	set := &zk.SetDataRequest{Path: "/a", Data: []byte("x"), Version: 3}
	return []*call{
		{seq: 1, kind: callConnect, timeout: 4000, process: 2, req: tree.Request{Session: 7}},
		{seq: 2, kind: callAttach, timeout: 4000, req: tree.Request{Session: -1}},
		{seq: 3, kind: callBorn},
		{seq: 4, kind: callSync, xid: 5, req: tree.Request{Session: 7, Cxid: 5}},
		{seq: 5, kind: callWrite, xid: -3, req: tree.Request{
			Session: 7, Cxid: -3, Body: set, IDs: []tree.Identity{{Scheme: "ip", ID: "10.0.0.1"}, {Scheme: "digest", ID: "a:b"}},
		}},
	}
}

func TestCallsComeAsTheyWere(t *testing.T) {
	for _, c := range someCalls() {
		term, first, got, err := decodeForward(appendForward(nil, 9, 1, c))
		if err != nil || term != 9 || first != 1 || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v, %v; want %+v", got, err, c)
		}
	}
}

// A call whose session went elsewhere is given on as one that changes nothing.
func TestMootCallOnlyCounts(t *testing.T) {
	c := someCalls()[4]
	c.moot = true
	_, _, got, err := decodeForward(appendForward(nil, 9, 5, c))
	if err != nil || got.kind != callSync || got.seq != 5 || got.req.Body != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzDecodeForward(f *testing.F) {
	for _, c := range someCalls() {
		b := appendForward(nil, 9, 1, c)
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(bytes.Clone(b), 0))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		term, first, c, err := decodeForward(src)
		if err != nil {
			return
		}
		if c.kind >= callRead || len(c.req.IDs) > maxIdentities || (c.kind == callWrite) != (c.req.Body != nil) {
			t.Fatalf("accepted: %+v", c)
		}
		again := appendForward(nil, term, first, c)
		term2, first2, c2, err := decodeForward(again)
		if err != nil || term2 != term || first2 != first || c2.seq != c.seq || c2.kind != c.kind || c2.req.Session != c.req.Session {
			t.Fatalf("%+v became %+v, %v", c, c2, err)
		}
	})
}
