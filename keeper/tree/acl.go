package tree

import (
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/keeper/x500"
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
	switch id.Scheme {
	case zk.SchemeIP:
		want, ok := parseIPACL(a.ID)
		addr, known := parseIP(id.ID)
		return ok && known && want.Contains(addr)
	case zk.SchemeSASL:
		return id.ID == saslSuper || id.ID == a.ID
	}
	return id.ID == a.ID
}

// saslSuper is the user whom every ACL entry of scheme sasl means too.
const saslSuper = "super"

// maxAuthACL bounds what "auth" becomes in one request, in bytes: no client could
// send so long a list itself, nor read it back.
const maxAuthACL = zk.MaxFrame

// fixACL checks an ACL that a client sent: duplicates go, "auth" becomes all
// authenticated ids of the client, which takes from room (bytes). An id that is
// null makes ZooKeeper fail as if it could not read the request.
func (o *Options) fixACL(acl []zk.ACL, ids []Identity, room *int) ([]zk.ACL, zk.Err) {
	if len(acl) == 0 {
		return nil, zk.ErrInvalidACL
	}
	if nullMeetsLike(acl) {
		return nil, zk.ErrMarshalling
	}
	var out []zk.ACL
	seen := make(map[zk.ACL]struct{}, len(acl)) // a request holds tens of thousands
	for _, a := range acl {
		if _, again := seen[a]; again {
			continue
		}
		seen[a] = struct{}{}
		switch {
		case a.ID == zk.Null && (a.Scheme == zk.SchemeWorld || o.provided(a.Scheme)):
			return nil, zk.ErrMarshalling
		case a.Scheme == zk.SchemeWorld && a.ID == zk.AnyoneID:
			out = append(out, a)
		case a.Scheme == zk.SchemeAuth:
			n := len(out)
			for _, id := range ids {
				if !o.authenticates(id.Scheme) {
					continue
				}
				if *room -= 3*zk.LengthSize + len(id.Scheme) + len(id.ID); *room < 0 {
					return nil, zk.ErrInvalidACL
				}
				out = append(out, zk.ACL{Perms: a.Perms, Scheme: id.Scheme, ID: id.ID})
			}
			if len(out) == n {
				return nil, zk.ErrInvalidACL
			}
		case o.validID(a.Scheme, a.ID):
			out = append(out, a)
		default:
			return nil, zk.ErrInvalidACL
		}
	}
	return out, zk.OK
}

// nullMeetsLike reports whether ZooKeeper, which compares entries to find those
// that recur, stumbles over a null.
func nullMeetsLike(acl []zk.ACL) bool {
	isNull := func(a zk.ACL) bool { return a.Scheme == zk.Null || a.ID == zk.Null }
	if !slices.ContainsFunc(acl, isNull) {
		return false
	}
	perms, schemes := map[int32]bool{}, map[zk.ACL]bool{} // of the entries before
	for _, a := range acl {
		scheme := zk.ACL{Perms: a.Perms, Scheme: a.Scheme}
		if a.Scheme == zk.Null && perms[a.Perms] || a.ID == zk.Null && schemes[scheme] {
			return true
		}
		perms[a.Perms], schemes[scheme] = true, true
	}
	return false
}

// provided reports whether a scheme has ids that are checked.
func (o *Options) provided(scheme string) bool {
	return scheme == zk.SchemeDigest && !o.NoDigest || scheme == zk.SchemeIP || slices.Contains(o.Schemes, scheme)
}

// authenticates reports whether a scheme proves who a client is: an address
// does not, and super stands for no id that an ACL could name.
func (o *Options) authenticates(scheme string) bool {
	return scheme == zk.SchemeDigest && !o.NoDigest || slices.Contains(o.Schemes, scheme)
}

func (o *Options) validID(scheme, id string) bool {
	switch scheme {
	case zk.SchemeDigest:
		// user:hash; Java's split drops empty parts at the end.
		return !o.NoDigest && strings.Count(strings.TrimRight(id, ":"), ":") == 1
	case zk.SchemeIP:
		p, ok := parseIPACL(id)
		return ok && (p.Addr().Is4() || !o.IPv4Only)
	case zk.SchemeX509:
		return slices.Contains(o.Schemes, scheme) && x509Name(id)
	case zk.SchemeSASL:
		return slices.Contains(o.Schemes, scheme) && principal(id)
	}
	return slices.Contains(o.Schemes, scheme)
}

// x509Name bounds what is read as a name: Java would take any length.
func x509Name(id string) bool { return len(id) <= maxName && x500.Valid(id) }

// maxName is far above any certificate's subject, in bytes.
const maxName = 64 << 10

// principal reports whether an id is a plain name, or service[/host]@realm.
func principal(id string) bool {
	name, realm, ok := strings.Cut(id, "@")
	return !ok || !strings.ContainsAny(realm, "/@") && strings.Count(name, "/") <= 1
}
