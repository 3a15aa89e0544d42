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
		if got, _ := o.fixACL(c.in, me, new(maxAuthACL)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if got, err := o.fixACL([]zk.ACL{auth}, me[:1], new(maxAuthACL)); err != zk.ErrInvalidACL {
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
	if got, _ := new(Options).fixACL(append(acl, acl...), nil, new(0)); !slices.Equal(got, acl) {
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

func TestIPACLs(t *testing.T) {
	f := func(acl, addr string, valid, match bool) {
		t.Helper()
		if got := (&Options{}).validID(zk.SchemeIP, acl); got != valid {
			t.Errorf("%q is valid: %v", acl, got)
		}
		got := Allowed([]zk.ACL{{Perms: zk.PermAll, Scheme: zk.SchemeIP, ID: acl}}, zk.PermRead, []Identity{{zk.SchemeIP, addr}})
		if got != match {
			t.Errorf("%q lets %s: %v", acl, addr, got)
		}
	}
	f("10.1.2.3", "10.1.2.3", true, true)
	f("10.1.2.3", "10.1.2.4", true, false)
	f("010.001.2.3", "10.1.2.3", true, true)
	f("10.1.0.0/16", "10.1.255.255", true, true)
	f("10.1.0.0/16", "10.2.0.0", true, false)
	f("10.1.9.9/16", "10.1.2.3", true, true) // bits behind the mask do not count
	f("10.1.2.0/23", "10.1.3.255", true, true)
	f("10.1.2.0/23", "10.1.4.0", true, false)
	f("0.0.0.0/0", "203.0.113.9", true, true)
	f("0.0.0.0/0", "::1", true, false)
	f("10.1.2.3/32", "10.1.2.3", true, true)
	f("10.1.2.3/33", "10.1.2.3", false, false)
	f("10.1.2.3/-1", "10.1.2.3", false, false)
	f("10.1.2.3/", "10.1.2.3", false, false)
	f("10.1.2/8", "10.1.2.3", false, false)
	f("10.1.2.256", "10.1.2.3", false, false)
	f("", "10.1.2.3", false, false)
	f("localhost", "127.0.0.1", false, false)
	f("2001:db8::/32", "2001:db8:1::9", true, true)
	f("2001:db8::/32", "2001:db9::", true, false)
	f("2001:DB8:0:0:0:0:0:1", "2001:db8::1", true, true)
	f("::1/128", "::1", true, true)
	f("::/0", "2001:db8::1", true, true)
	f("::1/129", "::1", false, false)
	f("::ffff:10.1.2.3", "10.1.2.3", false, false)
	f("fe80::1%eth0", "fe80::1", false, false)
	f("1::2::3", "1::2", false, false)
}

func TestIDsOfSchemes(t *testing.T) {
	on := Options{Schemes: []string{zk.SchemeX509, zk.SchemeSASL}}
	f := func(o Options, scheme, id string, want bool) {
		t.Helper()
		if got := o.validID(scheme, id); got != want {
			t.Errorf("%s:%s is valid: %v", scheme, id, got)
		}
	}
	f(on, zk.SchemeX509, "CN=alice,O=gregor", true)
	f(on, zk.SchemeX509, "alice", false)
	f(on, zk.SchemeX509, "CN="+string(make([]byte, maxName)), false)
	f(Options{}, zk.SchemeX509, "CN=alice", false)
	f(on, zk.SchemeSASL, "bob", true)
	f(on, zk.SchemeSASL, "kafka/host", true)
	f(on, zk.SchemeSASL, "kafka/host@REALM", true)
	f(on, zk.SchemeSASL, "kafka@REALM", true)
	f(on, zk.SchemeSASL, "a@b@c", false)
	f(on, zk.SchemeSASL, "a/b/c@d", false)
	f(on, zk.SchemeSASL, "a@b/c", false)
	f(Options{}, zk.SchemeSASL, "bob", false)
	f(Options{}, zk.SchemeDigest, "a:b", true)
	f(Options{NoDigest: true}, zk.SchemeDigest, "a:b", false)
	f(on, zk.SchemeSuper, "", false)
	f(on, "key", "x", false)
}

// TestSASLSuper: the user super has what any user of scheme sasl has, and no
// more.
func TestSASLSuper(t *testing.T) {
	super := []Identity{{zk.SchemeSASL, "super"}}
	bobs := []zk.ACL{{Perms: zk.PermRead, Scheme: zk.SchemeSASL, ID: "bob"}}
	if !Allowed(bobs, zk.PermRead, super) || Allowed(bobs, zk.PermWrite, super) {
		t.Error("super is not bob")
	}
	if Allowed([]zk.ACL{{Perms: zk.PermAll, Scheme: zk.SchemeDigest, ID: "bob:x"}}, zk.PermRead, super) {
		t.Error("super stands for an id of another scheme")
	}
	if Allowed(bobs, zk.PermRead, []Identity{{zk.SchemeDigest, "super"}, {zk.SchemeSASL, "mallory"}}) {
		t.Error("mallory is bob")
	}
}
