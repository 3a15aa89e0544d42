package tree

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/zk"
)

func TestFixACL(t *testing.T) {
	var o Options
	me := []Identity{{zk.SchemeIP, "10.0.0.1"}, {zk.SchemeDigest, "me:hash"}}
	anyone := zk.ACL{Perms: zk.PermAll, Scheme: zk.SchemeWorld, ID: zk.AnyoneID}
	read := zk.ACL{Perms: zk.PermRead, Scheme: zk.SchemeWorld, ID: zk.AnyoneID}
	mine := zk.ACL{Perms: zk.PermAll, Scheme: zk.SchemeDigest, ID: "me:hash"}
	auth := zk.ACL{Perms: zk.PermAll, Scheme: zk.SchemeAuth}
	for name, c := range map[string]struct{ in, want []zk.ACL }{
		"empty":                    {nil, nil},
		"order stays":              {[]zk.ACL{read, mine, anyone}, []zk.ACL{read, mine, anyone}},
		"duplicates go":            {[]zk.ACL{read, anyone, read, mine, anyone, read}, []zk.ACL{read, anyone, mine}},
		"auth is who is proven":    {[]zk.ACL{auth, read, auth}, []zk.ACL{mine, read}},
		"what auth gave may recur": {[]zk.ACL{auth, mine}, []zk.ACL{mine, mine}},
		"wrong behind a duplicate": {[]zk.ACL{read, read, {Perms: 1, Scheme: "none"}}, nil},
	} {
		if got := o.fixACL(c.in, me, new(maxAuthACL)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if got := o.fixACL([]zk.ACL{auth}, me[:1], new(maxAuthACL)); got != nil {
		t.Errorf("auth without a proof: %+v", got)
	}
}

// A request of 1 MB holds tens of thousands of entries; the loop checks it and
// serves nobody else meanwhile. Comparing all with all takes ten seconds.
func TestFixACLOfALargeRequest(t *testing.T) {
	acl := make([]zk.ACL, 100_000)
	for i := range acl {
		acl[i] = zk.ACL{Perms: zk.PermRead, Scheme: zk.SchemeDigest, ID: fmt.Sprintf("u%06d:h", i)}
	}
	began := time.Now()
	if got := new(Options).fixACL(append(acl, acl...), nil, new(0)); !slices.Equal(got, acl) {
		t.Errorf("%d entries, want %d", len(got), len(acl))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// Who proved to be many asks in a small request for a huge list, in one entry
// after another or one operation after another.
func TestAuthDoesNotMultiply(t *testing.T) {
	var ids []Identity
	for i := range 64 {
		ids = append(ids, Identity{zk.SchemeDigest, fmt.Sprintf("%01000d:hash", i)})
	}
	auth := func(perms int32) zk.ACL { return zk.ACL{Perms: perms, Scheme: zk.SchemeAuth} }
	tr := New(Options{})
	p := NewPreparer(tr)
	s := p.CreateSession(1, 1, 1, 1000, 0)
	tr.Apply(&s, &Result{})
	ask := func(zxid int64, body zk.Request) Txn {
		return p.Prepare(zxid, 1, &Request{Session: 1, IDs: ids, Body: body})
	}
	make1 := func(path string, acl ...zk.ACL) *zk.CreateRequest { return &zk.CreateRequest{Path: path, ACL: acl} }
	if x := ask(2, make1("/a", auth(1), auth(2), auth(3))); x.Err != zk.OK || len(x.ACL) != 3*64 {
		t.Errorf("a list of some length: %v, %d entries", x.Err, len(x.ACL))
	}
	var long []zk.ACL
	for i := range int32(50_000) {
		long = append(long, auth(i+1))
	}
	if x := ask(3, make1("/b", long...)); x.Err != zk.ErrInvalidACL {
		t.Errorf("entry after entry: %v, %d entries", x.Err, len(x.ACL))
	}
	multi := &zk.MultiRequest{}
	for i := range 10_000 {
		multi.Ops = append(multi.Ops, make1(fmt.Sprint("/c", i), auth(31)))
	}
	if x := ask(4, multi); x.Err != zk.ErrInvalidACL {
		t.Errorf("operation after operation: %v", x.Err)
	}
	multi.Ops = multi.Ops[:10]
	if x := ask(5, multi); x.Err != zk.OK {
		t.Errorf("a few operations: %v", x.Err)
	}
}
