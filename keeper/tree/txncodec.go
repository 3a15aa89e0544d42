package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/gregor-mq/gregor/zk"
)

// The format of transactions inside log entries is described in
// docs/format/keeper-log.md. Numbers are varints, strings and byte slices have
// a length in front of them.

// errTxn is wrapped by every error of DecodeTxn.
var errTxn = errors.New("malformed transaction")

// maxSub bounds the operations of one multi; a request cannot hold more, since
// its frame is bounded and each takes some bytes.
const maxSub = 1 << 20

// AppendTxn appends a transaction to dst.
func AppendTxn(dst []byte, x *Txn) []byte {
	dst = binary.AppendVarint(dst, x.Zxid)
	dst = binary.AppendVarint(dst, x.Time)
	dst = binary.AppendUvarint(dst, uint64(x.Session))
	dst = binary.AppendVarint(dst, int64(x.Cxid))
	return appendBody(dst, x)
}

func appendBody(dst []byte, x *Txn) []byte {
	dst = binary.AppendVarint(dst, int64(x.Op))
	switch x.Op {
	case zk.OpError:
		return binary.AppendVarint(dst, int64(x.Err))
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		dst = appendString(dst, x.Path)
		dst = appendBytes(dst, x.Data)
		dst = appendACL(dst, x.ACL)
		dst = binary.AppendVarint(dst, int64(x.Version))
		return binary.AppendVarint(dst, x.Owner)
	case zk.OpDelete, zk.OpDeleteContainer, zk.OpCheck:
		return appendString(dst, x.Path)
	case zk.OpSetData:
		dst = appendString(dst, x.Path)
		dst = appendBytes(dst, x.Data)
		return binary.AppendVarint(dst, int64(x.Version))
	case zk.OpSetACL:
		dst = appendString(dst, x.Path)
		dst = appendACL(dst, x.ACL)
		return binary.AppendVarint(dst, int64(x.Version))
	case zk.OpMulti:
		return appendMulti(dst, x)
	case zk.OpCreateSession:
		dst = binary.AppendVarint(dst, int64(x.Timeout))
		return binary.AppendVarint(dst, x.Owner)
	case OpConfig:
		return binary.AppendVarint(appendBytes(dst, x.Data), x.Owner)
	case OpRestorePart:
		dst = binary.AppendVarint(appendBytes(dst, x.Data), x.Owner)
		return binary.AppendVarint(dst, int64(x.Version))
	case OpRestore:
		return binary.AppendVarint(dst, int64(x.Version))
	case OpAttach:
		dst = binary.AppendVarint(dst, int64(x.Err))
		return binary.AppendVarint(dst, int64(x.Timeout))
	case zk.OpCloseSession:
		dst = binary.AppendUvarint(dst, uint64(len(x.Paths)))
		for _, p := range x.Paths {
			dst = appendString(dst, p)
		}
	}
	return dst
}

func appendMulti(dst []byte, x *Txn) []byte {
	dst = binary.AppendVarint(dst, int64(x.Err))
	dst = binary.AppendUvarint(dst, uint64(len(x.Sub)))
	if x.Err != zk.OK {
		return binary.AppendVarint(dst, int64(x.Version))
	}
	for i := range x.Sub {
		dst = appendBody(dst, &x.Sub[i])
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendBytes writes the length plus one, 0 for nil.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b))+1)
	return append(dst, b...)
}

func appendACL(dst []byte, acl []zk.ACL) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(acl)))
	for i := range acl {
		dst = binary.AppendVarint(dst, int64(acl[i].Perms))
		dst = appendString(dst, acl[i].Scheme)
		dst = appendString(dst, acl[i].ID)
	}
	return dst
}

// DecodeTxn reads one transaction and returns what follows it. Data aliases
// src.
func DecodeTxn(src []byte) (x Txn, rest []byte, err error) {
	r := reader{src: src}
	x.Zxid = r.varint()
	x.Time = r.varint()
	x.Session = int64(r.uvarint())
	x.Cxid = r.int32()
	r.body(&x, true)
	if r.bad {
		return Txn{}, nil, fmt.Errorf("at byte %d of %d: %w", len(src)-len(r.src), len(src), errTxn)
	}
	return x, r.src, nil
}

// reader takes values off src; bad sticks.
type reader struct {
	src []byte
	bad bool
}

func (r *reader) fail() { r.bad, r.src = true, nil }

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *reader) int32() int32 {
	v := r.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		r.fail()
	}
	return int32(v)
}

// count reads how many elements follow, each of at least min bytes.
func (r *reader) count(min int) int {
	n := r.uvarint()
	if n > uint64(len(r.src)/min) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.src)) {
		r.fail()
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) string() string { return string(r.take(r.uvarint())) }

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	if b := r.take(n - 1); b != nil {
		return b
	}
	return []byte{}
}

func (r *reader) acl() []zk.ACL {
	const smallest = 3
	acl := make([]zk.ACL, r.count(smallest))
	for i := range acl {
		acl[i] = zk.ACL{Perms: r.int32(), Scheme: r.string(), ID: r.string()}
	}
	return acl
}

func (r *reader) body(x *Txn, top bool) {
	x.Op = zk.Op(r.int32())
	switch x.Op {
	case zk.OpError:
		x.Err = zk.Err(r.int32())
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL:
		x.Path, x.Data, x.ACL = r.string(), r.bytes(), r.acl()
		x.Version, x.Owner = r.int32(), r.varint()
	case zk.OpDelete, zk.OpDeleteContainer, zk.OpCheck:
		x.Path = r.string()
	case zk.OpSetData:
		x.Path, x.Data, x.Version = r.string(), r.bytes(), r.int32()
	case zk.OpSetACL:
		x.Path, x.ACL, x.Version = r.string(), r.acl(), r.int32()
	default:
		if !top {
			r.fail()
			return
		}
		r.topBody(x)
	}
}

// topBody reads what cannot be part of a multi.
func (r *reader) topBody(x *Txn) {
	switch x.Op {
	case zk.OpMulti:
		r.multi(x)
	case zk.OpCreateSession:
		x.Timeout, x.Owner = r.int32(), r.varint()
	case zk.OpCloseSession:
		if n := r.count(1); n > 0 {
			x.Paths = make([]string, n)
		}
		for i := range x.Paths {
			x.Paths[i] = r.string()
		}
	case OpConfig:
		x.Data, x.Owner = r.bytes(), r.varint()
	case OpAttach:
		x.Err, x.Timeout = zk.Err(r.int32()), r.int32()
	case OpRestorePart:
		x.Data, x.Owner, x.Version = r.bytes(), r.varint(), r.int32()
	case OpRestore:
		x.Version = r.int32()
	case OpEpoch, OpMark:
	default:
		r.fail()
	}
}

func (r *reader) multi(x *Txn) {
	x.Err = zk.Err(r.int32())
	if x.Err != zk.OK {
		n := r.uvarint()
		x.Version = r.int32()
		if n > maxSub || x.Version < 0 || uint64(x.Version) >= n {
			r.fail()
			return
		}
		x.Sub = make([]Txn, n)
		return
	}
	const smallest = 2
	n := r.count(smallest)
	for range n {
		var sub Txn
		if r.body(&sub, false); r.bad {
			return
		}
		x.Sub = append(x.Sub, sub)
	}
}
