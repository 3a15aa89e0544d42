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
		if got := o.fixACL(c.in, me); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if got := o.fixACL([]zk.ACL{auth}, me[:1]); got != nil {
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
	if got := new(Options).fixACL(append(acl, acl...), nil); !slices.Equal(got, acl) {
		t.Errorf("%d entries, want %d", len(got), len(acl))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
