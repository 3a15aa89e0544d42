package zkfile

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

func readAll(d *memfs.FS, f File) (txns []tree.Txn, torn *Torn, err error) {
	torn, err = readLog(d, f, func(x *tree.Txn, _ *Digest) string {
		txns = append(txns, *x)
		return ""
	})
	return txns, torn, err
}

func TestLogComesBack(t *testing.T) {
	want := story()
	_, log := told(want)
	d := disk(t)
	got, torn, err := readAll(d, put(t, d, "log.1", append(logBytes(log...), make([]byte, 5000)...)))
	if err != nil || torn != nil {
		t.Fatal(torn, err)
	}
	for i := range want {
		for j := range want[i].Sub {
			if want[i].Sub[j].Op == zk.OpCheck {
				want[i].Sub[j].Version = 0
			}
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got\n%+v\nwant\n%+v", got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d transactions, want %d", len(got), len(want))
	}
}

func TestTransactionsOfAllVersions(t *testing.T) {
	f := func(what string, b []byte, want string) {
		t.Helper()
		x, dg, reason := decodeTxn(b)
		got := fmt.Sprintf("%v %q owner %x version %d paths %q err %d digest %v %s", x.Op, x.Path, x.Owner, x.Version, x.Paths, x.Err, dg != nil, reason)
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	e := header(zk.OpCreate, 1, 5)
	e.String("/a")
	e.Buffer(nil)
	e.ACLs(nil)
	e.Bool(true)
	f("create before 3.4", e.Bytes(), `create "/a" owner 5 version -1 paths [] err 0 digest false `)
	e.Int(3)
	f("create", e.Bytes(), `create "/a" owner 5 version 3 paths [] err 0 digest false `)
	f("create with digest", withDigest(e.Bytes(), 1), `create "/a" owner 5 version 3 paths [] err 0 digest true `)
	bare := header(zk.OpCloseSession, 1, 5).Bytes()
	f("closeSession before 3.6", bare, `closeSession "" owner 0 version 0 paths [] err 0 digest false `)
	f("closeSession with digest alone", withDigest(bytes.Clone(bare), 3), `closeSession "" owner 0 version 0 paths [] err 0 digest true `)
	f("closeSession with digest alone", withDigest(bytes.Clone(bare), 0), `closeSession "" owner 0 version 0 paths [] err 0 digest true `)
	f("closeSession with a digest like paths", withDigest(bytes.Clone(bare), 1<<32|'/'<<24), `closeSession "" owner 0 version 0 paths [] err 0 digest true `)
	list := encode(&tree.Txn{Op: zk.OpCloseSession, Zxid: 1, Session: 5, Paths: []string{"/abc"}})
	f("closeSession with list alone", list, `closeSession "" owner 0 version 0 paths ["/abc"] err 0 digest false `)
	f("closeSession with both", withDigest(list, 3), `closeSession "" owner 0 version 0 paths ["/abc"] err 0 digest true `)
	none := encode(&tree.Txn{Op: zk.OpCloseSession, Zxid: 1, Session: 5, Paths: []string{}})
	f("closeSession with an empty list", none, `closeSession "" owner 0 version 0 paths [] err 0 digest false `)
	f("closeSession with an empty list and digest", withDigest(none, 3), `closeSession "" owner 0 version 0 paths [] err 0 digest true `)
	e = header(zk.OpReconfig, 1, 5)
	e.String("/zookeeper/config")
	e.Buffer([]byte("server.1=…"))
	e.Int(-1)
	f("reconfig", e.Bytes(), `setData "/zookeeper/config" owner 0 version -1 paths [] err 0 digest false `)
	refused := encode(&tree.Txn{Op: zk.OpMulti, Zxid: 1, Session: 5, Sub: []tree.Txn{
		{Op: zk.OpError}, {Op: zk.OpError, Err: zk.ErrNoNode}, {Op: zk.OpError, Err: zk.ErrRuntimeInconsistency},
	}})
	f("refused multi", refused, `error "" owner 0 version 0 paths [] err 0 digest false `)
	f("unknown", header(77, 9, 5).Bytes(), `op(77) "" owner 0 version 0 paths [] err 0 digest false transaction 0x9 is of unknown type 77`)
	f("too long", append(encode(&tree.Txn{Op: zk.OpDelete, Zxid: 9, Path: "/a"}), 1),
		`delete "/a" owner 0 version 0 paths [] err 0 digest false transaction 0x9 (delete) is malformed`)
	e = header(zk.OpCreateTTL, 9, 5)
	e.String("/a")
	e.Buffer(nil)
	e.ACLs(nil)
	e.Int(3)
	e.Long(1 << 40)
	f("too long a life", e.Bytes(), `createTTL "/a" owner 0 version 3 paths [] err 0 digest false transaction 0x9 creates a node with a time to live of 1099511627776 ms`)
	f("multi in multi", encode(&tree.Txn{Op: zk.OpMulti, Zxid: 9, Sub: []tree.Txn{{Op: zk.OpMulti}}}),
		`multi "" owner 0 version 0 paths [] err 0 digest false transaction 0x9 has an operation of type 14 within a multi`)
}

// TestLogCutAnywhereEnds: what a crash cut off ends the log, with or without the
// zeros behind it.
func TestLogCutAnywhereEnds(t *testing.T) {
	txns := story()
	_, log := told(txns)
	whole := logBytes(log...)
	var ends []int // of the header, of each transaction
	for i := range len(log) + 1 {
		ends = append(ends, len(logBytes(log[:i]...)))
	}
	d := disk(t)
	for _, zeros := range []int{0, 1, 13, 4096} {
		for cut := range len(whole) + 1 {
			b := append(bytes.Clone(whole[:cut]), make([]byte, zeros)...)
			got, torn, err := readAll(d, put(t, d, "log.1", b))
			n := 0
			for n < len(log) && ends[n+1] <= cut {
				n++
			}
			if err != nil || len(got) != n {
				t.Fatalf("cut at %d, %d zeros: %d transactions, want %d, %v", cut, zeros, len(got), n, err)
			}
			if cut > ends[0] && cut == ends[n] && torn != nil {
				t.Fatalf("cut at %d, %d zeros: %+v", cut, zeros, torn)
			}
		}
	}
}

// TestFlippedLogLosesNothing: a log is whole, or damaged.
func TestFlippedLogLosesNothing(t *testing.T) {
	txns := story()
	_, log := told(txns)
	whole := logBytes(log...)
	d := disk(t)
	for _, zeros := range []int{0, 64} {
		for bit := range 8 * (len(whole) + zeros) {
			b := append(bytes.Clone(whole), make([]byte, zeros)...)
			b[bit/8] ^= 1 << (bit % 8)
			got, _, err := readAll(d, put(t, d, "log.1", b))
			if err == nil && len(got) == len(txns) {
				continue // the number of a database, or behind the end
			}
			damaged(t, fmt.Sprintf("bit %d of byte %d, %d transactions", bit%8, bit/8, len(got)), err)
		}
	}
}

func TestDamageOfLogsIsNamed(t *testing.T) {
	_, log := told(story())
	f := func(want string, name string, b []byte) {
		t.Helper()
		d := disk(t)
		_, _, err := readAll(d, put(t, d, name, b))
		damaged(t, want, err)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	whole := logBytes(log...)
	second := len(logBytes(log[:1]...))
	hole := bytes.Clone(whole)
	clear(hole[second-20 : second])
	f("at byte 16: the mark behind a transaction is missing", "log.1", hole)
	long := bytes.Clone(whole)
	long[second+9] = 0xff
	f(fmt.Sprintf("at byte %d: the end of a transaction is missing, though a whole one is at byte", second), "log.1", long)
	f("at byte 16: it begins with transaction 0x1, which is not what its name says", "log.2", whole)
	f("at byte 0: it does not begin like a log", "log.1", append([]byte("ZKSN"), whole[4:]...))
	f("at byte 0: it does not begin like a log", "log.1", append([]byte("ZKLG\x00\x00\x00\x03"), whole[8:]...))
}
