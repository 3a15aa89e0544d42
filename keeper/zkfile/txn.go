package zkfile

import (
	"fmt"
	"strings"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

const (
	// digestSize is a version and a sum, behind transactions since 3.6.
	digestSize = 4 + 8
	// unknownCreates is a parent's count in the creates of versions before 3.4,
	// which did not tell it.
	unknownCreates = -1
	// minSub is a type and a length: the least that an operation of a multi takes.
	minSub = 4 + 4
)

// decodeTxn reads one transaction as a log holds it; the digest is nil where
// there is none. The transaction's data aliases b.
func decodeTxn(b []byte) (x tree.Txn, dg *Digest, reason string) {
	d := zk.NewDecoder(b)
	x.Session, x.Cxid, x.Zxid, x.Time = d.Long(), d.Int(), d.Long(), d.Long()
	x.Op = zk.Op(d.Int())
	switch {
	case d.Err() != nil:
	case x.Op == zk.OpCloseSession:
		x.Paths = closePaths(d.Rest())
		if x.Paths != nil {
			d.Strings()
		}
	case x.Op == zk.OpMulti:
		reason = decodeMulti(d, &x)
	default:
		reason = decodeBody(d, &x)
	}
	if reason != "" {
		return x, nil, reason
	}
	if d.Len() == digestSize {
		dg = &Digest{Zxid: x.Zxid, Version: d.Int(), Sum: uint64(d.Long())}
	}
	if d.Err() != nil || d.Len() != 0 {
		return x, nil, fmt.Sprintf("transaction 0x%x (%v) is malformed", x.Zxid, x.Op)
	}
	return x, dg, ""
}

// closePaths reads the list of a closeSession, nil where there is none. Before
// 3.6 there is nothing, later a list, a digest, both or none: a path begins with
// a slash, which no digest looks like.
func closePaths(b []byte) []string {
	d := zk.NewDecoder(b)
	paths := d.Strings()
	if d.Err() != nil || d.Len() != 0 && d.Len() != digestSize {
		return nil
	}
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") {
			return nil
		}
	}
	return paths
}

// decodeBody reads an operation that may be part of a multi.
func decodeBody(d *zk.Decoder, x *tree.Txn) (reason string) {
	switch x.Op {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		return decodeCreate(d, x)
	case zk.OpDelete, zk.OpDeleteContainer:
		x.Path = d.String()
	case zk.OpSetData, zk.OpReconfig:
		x.Path, x.Data, x.Version = d.String(), d.Buffer(), d.Int()
		x.Op = zk.OpSetData
	case zk.OpCheck:
		x.Path = d.String()
		d.Int()
	case zk.OpSetACL:
		x.Path, x.ACL, x.Version = d.String(), orOpen(d.ACLs()), d.Int()
	case zk.OpCreateSession:
		x.Timeout = d.Int()
	case zk.OpError:
		x.Err = zk.Err(d.Int())
	default:
		return fmt.Sprintf("transaction 0x%x is of unknown type %d", x.Zxid, int32(x.Op))
	}
	return ""
}

func decodeCreate(d *zk.Decoder, x *tree.Txn) (reason string) {
	x.Path, x.Data, x.ACL = d.String(), d.Buffer(), orOpen(d.ACLs())
	if !strings.HasPrefix(x.Path, "/") || strings.HasSuffix(x.Path, "/") {
		return fmt.Sprintf("transaction 0x%x creates %q, which is no path", x.Zxid, x.Path)
	}
	switch x.Op {
	case zk.OpCreateContainer:
		x.Version, x.Owner = d.Int(), containerOwner
	case zk.OpCreateTTL:
		x.Version = d.Int()
		ttl := d.Long()
		if ttl <= 0 || ttl > maxTTL {
			return fmt.Sprintf("transaction 0x%x creates a node with a time to live of %d ms", x.Zxid, ttl)
		}
		x.Owner = ttlMark | ttl
	default:
		if d.Bool() {
			x.Owner = x.Session
		}
		x.Version = unknownCreates
		if d.Len() > 0 {
			x.Version = d.Int()
		}
	}
	return ""
}

// orOpen: no list at all lets everybody do everything.
func orOpen(acl []zk.ACL) []zk.ACL {
	if acl == nil {
		return zk.OpenACL()
	}
	return acl
}

// decodeMulti reads the operations of a multi. One that was refused holds errors
// alone, and becomes such an error.
func decodeMulti(d *zk.Decoder, x *tree.Txn) (reason string) {
	n, _ := d.Vector(minSub)
	for range n {
		sub := tree.Txn{Zxid: x.Zxid, Time: x.Time, Session: x.Session, Cxid: x.Cxid, Op: zk.Op(d.Int())}
		body := zk.NewDecoder(d.Buffer())
		if d.Err() != nil {
			return "" // the caller says so
		}
		if sub.Op == zk.OpMulti || sub.Op == zk.OpCreateSession || sub.Op == zk.OpCloseSession {
			return fmt.Sprintf("transaction 0x%x has an operation of type %d within a multi", x.Zxid, int32(sub.Op))
		}
		if reason := decodeBody(body, &sub); reason != "" {
			return reason
		}
		if body.Err() != nil || body.Len() != 0 {
			return fmt.Sprintf("transaction 0x%x has a malformed %v within a multi", x.Zxid, sub.Op)
		}
		x.Sub = append(x.Sub, sub)
	}
	for i := range x.Sub {
		if x.Sub[i].Op == zk.OpError {
			x.Op, x.Err, x.Sub = zk.OpError, x.Sub[i].Err, nil
			break
		}
	}
	return ""
}
