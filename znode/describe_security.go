package znode

import "strings"

// tellSecurity tells of ACLs and delegation tokens.
func (n Node) tellSecurity(f *facts, path string, data []byte) (known bool, err error) {
	var changed Resource
	switch n.Kind {
	case ACLNode:
		var acls []ACLEntry
		acls, err = DecodeACLs(path, data)
		for _, a := range acls {
			f.add(a.Principal, "%s %s from host %s", a.Permission, a.Operation, a.Host)
		}
	case ACLChangeNode:
		if changed, err = DecodeACLChange(path, data); err == nil {
			f.add("of", "%s %s (%s)", changed.Type, changed.Name, changed.Pattern)
		}
	case ExtendedChangeNode:
		if changed, err = DecodeExtendedACLChange(path, data); err == nil {
			f.add("of", "%s %s (%s)", changed.Type, changed.Name, changed.Pattern)
		}
	case TokenNode:
		var t Token
		if t, err = DecodeToken(path, data); err == nil {
			f.add("owner", "%s", t.Owner)
			f.add("requester", "%s", t.Requester)
			if len(t.Renewers) > 0 {
				f.add("renewers", "%s", strings.Join(t.Renewers, ", "))
			}
			f.add("issued", "%s", moment(t.Issued))
			f.add("expires", "%s", moment(t.Expiry))
			f.add("expires at the latest", "%s", moment(t.MaxExpiry))
		}
	case TokenChangeNode:
		var id string
		if id, err = plainText(path, data); err == nil {
			f.add("token", "%s", id)
		}
	default:
		return false, nil
	}
	return true, err
}
