package tree

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// Identity is one thing a connection proved to be, as schemes name it.
type Identity struct{ Scheme, ID string }

// aclID numbers a distinct ACL; 0 is none.
type aclID uint32

// aclTable keeps every distinct ACL once.
type aclTable struct {
	byKey   map[string]aclID
	entries []aclEntry // entries[0] is unused
	free    []aclID
}

type aclEntry struct {
	list []zk.ACL // never changed once here
	key  string
	refs int
}

func newACLTable() *aclTable {
	return &aclTable{byKey: map[string]aclID{}, entries: make([]aclEntry, 1)}
}

func aclKey(list []zk.ACL) string {
	e := zk.NewEncoder(nil)
	e.ACLs(list)
	return string(e.Bytes())
}

// hold returns the number of an ACL and counts one more user of it.
func (t *aclTable) hold(list []zk.ACL) aclID {
	key := aclKey(list)
	id, ok := t.byKey[key]
	if !ok {
		id = t.add(key, slices.Clone(list))
	}
	t.entries[id].refs++
	return id
}

func (t *aclTable) add(key string, list []zk.ACL) aclID {
	var id aclID
	if n := len(t.free); n > 0 {
		id, t.free = t.free[n-1], t.free[:n-1]
	} else {
		id = aclID(len(t.entries))
		t.entries = append(t.entries, aclEntry{})
	}
	t.entries[id] = aclEntry{list: list, key: key}
	t.byKey[key] = id
	return id
}

// drop takes one user away.
func (t *aclTable) drop(id aclID) {
	e := &t.entries[id]
	if e.refs--; e.refs == 0 {
		delete(t.byKey, e.key)
		*e = aclEntry{}
		t.free = append(t.free, id)
	}
}

func (t *aclTable) list(id aclID) []zk.ACL { return t.entries[id].list }

// Allowed reports whether ids have any of the permissions in perm under acl, by
// ZooKeeper's rules: an empty list lets everybody, super does everything.
func Allowed(acl []zk.ACL, perm int32, ids []Identity) bool {
	if len(acl) == 0 {
		return true
	}
	for i := range acl {
		if a := &acl[i]; a.Perms&perm != 0 && a.Scheme == zk.SchemeWorld && a.ID == zk.AnyoneID {
			return true
		}
	}
	for _, id := range ids {
		if id.Scheme == zk.SchemeSuper {
			return true
		}
		for i := range acl {
			if a := &acl[i]; a.Perms&perm != 0 && matches(id, a) {
				return true
			}
		}
	}
	return false
}

func matches(id Identity, a *zk.ACL) bool {
	if id.Scheme != a.Scheme {
		return false
	}
	if id.Scheme == zk.SchemeIP {
		want, ok := parseIPACL(a.ID)
		addr, err := netip.ParseAddr(id.ID)
		return ok && err == nil && want.Contains(addr)
	}
	return id.ID == a.ID
}

// parseIPACL reads an address, or a prefix in bits.
func parseIPACL(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p, err == nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// maxAuthACL bounds what "auth" becomes in one request, in bytes: no client could
// send so long a list itself, nor read it back.
const maxAuthACL = zk.MaxFrame

// fixACL checks an ACL that a client sent: duplicates go, "auth" becomes all
// authenticated ids of the client, which takes from room (bytes). nil means
// ErrInvalidACL.
func (o *Options) fixACL(acl []zk.ACL, ids []Identity, room *int) []zk.ACL {
	var out []zk.ACL
	seen := make(map[zk.ACL]struct{}, len(acl)) // a request holds tens of thousands
	for _, a := range acl {
		if _, again := seen[a]; again {
			continue
		}
		seen[a] = struct{}{}
		switch a.Scheme {
		case zk.SchemeWorld:
			if a.ID != zk.AnyoneID {
				return nil
			}
			out = append(out, a)
		case zk.SchemeAuth:
			n := len(out)
			for _, id := range ids {
				if !o.authenticates(id.Scheme) {
					continue
				}
				if *room -= 3*zk.LengthSize + len(id.Scheme) + len(id.ID); *room < 0 {
					return nil
				}
				out = append(out, zk.ACL{Perms: a.Perms, Scheme: id.Scheme, ID: id.ID})
			}
			if len(out) == n {
				return nil
			}
		default:
			if !o.validID(a.Scheme, a.ID) {
				return nil
			}
			out = append(out, a)
		}
	}
	return out
}

// authenticates reports whether a scheme proves who a client is: an address
// does not, and super stands for no id that an ACL could name.
func (o *Options) authenticates(scheme string) bool {
	return scheme == zk.SchemeDigest || slices.Contains(o.Schemes, scheme)
}

func (o *Options) validID(scheme, id string) bool {
	switch scheme {
	case zk.SchemeDigest:
		// user:hash; Java's split drops empty parts at the end.
		return strings.Count(strings.TrimRight(id, ":"), ":") == 1
	case zk.SchemeIP:
		_, ok := parseIPACL(id)
		return ok
	}
	return slices.Contains(o.Schemes, scheme)
}
