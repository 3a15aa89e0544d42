package zkfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"os"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

const dir = "/zk/version-2"

func disk(t testing.TB) *memfs.FS {
	t.Helper()
	f := memfs.New(0, time.Now)
	if err := f.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t testing.TB, f *memfs.FS, name string, b []byte) File {
	t.Helper()
	h, err := f.Open(dir+"/"+name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{snapPrefix, logPrefix} {
		if zxid, ok := zxidOf(name, prefix); ok {
			return File{dir + "/" + name, zxid}
		}
	}
	t.Fatalf("%s is no name of ZooKeeper's", name)
	return File{}
}

func find(t testing.TB, f *memfs.FS) *Dir {
	t.Helper()
	d, err := Find(f, "/zk", "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// header begins a transaction of a log.
func header(op zk.Op, zxid, session int64) *zk.Encoder {
	e := zk.NewEncoder(nil)
	e.Long(session)
	e.Int(7)
	e.Long(zxid)
	e.Long(1000 + zxid&counterBits)
	e.Int(int32(op))
	return e
}

// body writes what stands behind the header in versions since 3.4.
func body(e *zk.Encoder, x *tree.Txn) {
	switch x.Op {
	case zk.OpCreate, zk.OpCreate2:
		e.String(x.Path)
		e.Buffer(x.Data)
		e.ACLs(x.ACL)
		e.Bool(x.Owner != 0)
		e.Int(x.Version)
	case zk.OpCreateContainer, zk.OpCreateTTL:
		e.String(x.Path)
		e.Buffer(x.Data)
		e.ACLs(x.ACL)
		e.Int(x.Version)
		if x.Op == zk.OpCreateTTL {
			e.Long(x.Owner & maxTTL)
		}
	case zk.OpDelete, zk.OpDeleteContainer:
		e.String(x.Path)
	case zk.OpSetData:
		e.String(x.Path)
		e.Buffer(x.Data)
		e.Int(x.Version)
	case zk.OpCheck:
		e.String(x.Path)
		e.Int(3)
	case zk.OpSetACL:
		e.String(x.Path)
		e.ACLs(x.ACL)
		e.Int(x.Version)
	case zk.OpCreateSession:
		e.Int(x.Timeout)
	case zk.OpError:
		e.Int(int32(x.Err))
	case zk.OpCloseSession:
		if x.Paths != nil {
			e.Strings(x.Paths)
		}
	case zk.OpMulti:
		e.Int(int32(len(x.Sub)))
		for i := range x.Sub {
			sub := zk.NewEncoder(nil)
			body(sub, &x.Sub[i])
			e.Int(int32(x.Sub[i].Op))
			e.Buffer(sub.Bytes())
		}
	}
}

// encode is a transaction as a log holds it.
func encode(x *tree.Txn) []byte {
	e := header(x.Op, x.Zxid, x.Session)
	body(e, x)
	return e.Bytes()
}

func withDigest(b []byte, sum uint64) []byte {
	b = binary.BigEndian.AppendUint32(b, digestVersion)
	return binary.BigEndian.AppendUint64(b, sum)
}

// logBytes is a log of transactions, without the zeros behind it.
func logBytes(txns ...[]byte) []byte {
	e := zk.NewEncoder(nil)
	e.Int('Z'<<24 | 'K'<<16 | 'L'<<8 | 'G')
	e.Int(fileVersion)
	e.Long(0)
	for _, b := range txns {
		e.Long(int64(adler32.Checksum(b)))
		e.Buffer(b)
		e.Byte(recordEnd)
	}
	return e.Bytes()
}

// snapBytes is a snapshot of a state, without a tail.
func snapBytes(s *State) []byte {
	e := zk.NewEncoder(nil)
	e.Int(snapMagic)
	e.Int(fileVersion)
	e.Long(-1)
	e.Int(int32(len(s.Sessions)))
	for id, timeout := range s.Sessions {
		e.Long(id)
		e.Int(timeout)
	}
	lists := map[string]int64{aclKey(zk.OpenACL()): openACLID}
	acls, n := zk.NewEncoder(nil), int32(0)
	for _, nd := range s.nodes {
		if key := aclKey(nd.ACL); lists[key] == 0 && nd.ACL != nil {
			n++
			lists[key] = int64(n)
			acls.Long(int64(n))
			acls.ACLs(nd.ACL)
		}
	}
	e.Int(n)
	b := append(e.Bytes(), acls.Bytes()...)
	_ = s.Images(func(im *tree.Image) error {
		w := snapWriter{e: zk.NewEncoder(nil)}
		id := lists[aclKey(im.ACL)]
		if im.ACL == nil {
			id = 99 // it is in no list
		}
		if err := w.node(im, id); err != nil {
			return err
		}
		b = append(b, w.e.Bytes()...)
		return nil
	})
	e = zk.NewEncoder(b)
	e.String(endPath)
	return seal(e.Bytes())
}

func seal(b []byte) []byte {
	e := zk.NewEncoder(b)
	e.Long(int64(adler32.Checksum(b)))
	e.String(endPath)
	return e.Bytes()
}

func tailDigest(b []byte, zxid int64, sum uint64) []byte {
	b = binary.BigEndian.AppendUint64(bytes.Clone(b), uint64(zxid))
	return seal(withDigest(b, sum))
}

func tailLast(b []byte, zxid int64) []byte {
	return seal(binary.BigEndian.AppendUint64(bytes.Clone(b), uint64(zxid)))
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// snapped is what the Java library writes, in blocks of 100 bytes.
func snapped(b []byte) []byte {
	out := append(bytes.Clone(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(b) > 0 {
		n := min(len(b), 100)
		block := snappy.Encode(nil, b[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(block)))
		out = append(out, block...)
		b = b[n:]
	}
	return out
}

// story is a small history with everything in it.
func story() []tree.Txn {
	const a, b = 0x1000000000000aa, 0x1000000000000bb
	read := zk.ReadACL()
	open := zk.OpenACL()
	txns := []tree.Txn{
		{Op: zk.OpCreateSession, Session: a, Timeout: 4000},
		{Op: zk.OpCreate, Session: a, Path: "/x", Data: []byte("one"), ACL: open, Version: 1},
		{Op: zk.OpCreate, Session: a, Path: "/x/e", ACL: read, Version: 1, Owner: a},
		{Op: zk.OpCreateSession, Session: b, Timeout: 6000},
		{Op: zk.OpCreate2, Session: b, Path: "/x/f", Data: []byte{}, ACL: read, Version: 2, Owner: b},
		{Op: zk.OpSetData, Session: a, Path: "/x", Data: []byte("two"), Version: 1},
		{Op: zk.OpError, Session: a, Err: zk.ErrNodeExists},
		{Op: zk.OpCreateContainer, Session: a, Path: "/c", ACL: open, Version: 2, Owner: containerOwner},
		{Op: zk.OpCreateTTL, Session: a, Path: "/t", ACL: open, Version: 3, Owner: ttlMark | 5000},
		{Op: zk.OpSetACL, Session: a, Path: "/x", ACL: read, Version: 1},
		{Op: zk.OpMulti, Session: a, Sub: []tree.Txn{
			{Op: zk.OpCreate, Path: "/m", Data: []byte("m"), ACL: open, Version: 4},
			{Op: zk.OpCheck, Path: "/m"},
			{Op: zk.OpSetData, Path: "/m", Data: []byte("n"), Version: 1},
			{Op: zk.OpDelete, Path: "/x/e"},
		}},
		{Op: zk.OpDelete, Session: a, Path: "/m"},
		{Op: zk.OpCloseSession, Session: b, Paths: []string{"/x/f"}},
		{Op: zk.OpCreate, Session: a, Path: "/x/g", ACL: open, Version: 3, Owner: a},
	}
	for i := range txns {
		x := &txns[i]
		x.Zxid, x.Time, x.Cxid = int64(i+1), 1000+int64(i+1), 7
		for j := range x.Sub {
			s := &x.Sub[j]
			s.Zxid, s.Time, s.Cxid, s.Session = x.Zxid, x.Time, x.Cxid, x.Session
		}
	}
	return txns
}

// told is the state after a history, and its log, each transaction with a digest.
func told(txns []tree.Txn) (*State, [][]byte) {
	s := New()
	var log [][]byte
	for i := range txns {
		s.Apply(&txns[i])
		log = append(log, withDigest(encode(&txns[i]), s.Sum()))
	}
	return s, log
}

// describe tells all that is in a state.
func describe(s *State) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, s.Zxid, s.Sessions)
	_ = s.Images(func(im *tree.Image) error {
		fmt.Fprintf(&b, "%+v null=%t\n", *im, im.Data == nil)
		return nil
	})
	return b.String()
}

// damaged checks that an error names a file and a byte.
func damaged(t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*CorruptError](err); !ok {
		t.Fatalf("%s: %v", what, err)
	}
}
