package tree

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

// images tells all that a tree gives out.
func images(t *testing.T, tr *Tree) string {
	t.Helper()
	var b strings.Builder
	err := tr.Images(func(im *Image) error {
		fmt.Fprintf(&b, "%+v null=%t\n", *im, im.Data == nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestImagesMakeTheSameTree(t *testing.T) {
	c := newChurn(5, nil)
	for range 3000 {
		c.step(t)
	}
	c.flush()
	apply := func(x Txn) {
		t.Helper()
		c.zxid++
		x.Zxid, x.Time, x.Session = c.zxid, c.zxid, 1
		var res Result
		if c.t.Apply(&x, &res); res.Err != zk.OK {
			t.Fatalf("%v %s: %v", x.Op, x.Path, res.Err)
		}
	}
	apply(Txn{Op: zk.OpCreateSession, Timeout: 9})
	for i, x := range []Txn{
		{Path: "/0e", Owner: 1, ACL: zk.ReadACL()}, {Path: "/0c", Owner: containerOwner, Data: []byte{}},
		{Path: "/0t", Owner: ttlMark | 7}, {Path: quotaPath + "/0q"}, {Path: "/0q"},
		{Path: quotaPath + "/0q/" + limitsName, Data: []byte("count=5,bytes=9")}, {Path: quotaPath + "/0q/" + statsName, Data: []byte("count=1,bytes=0")},
	} {
		x.Op, x.Version = zk.OpCreate, int32(1000+i)
		apply(x)
	}
	apply(Txn{Op: zk.OpSetACL, Path: "/0q", ACL: zk.ReadACL(), Version: 4})
	b := NewBuilder(Options{ExtendedTypes: true})
	for _, id := range c.t.Sessions() {
		s, _ := c.t.Session(id)
		b.Session(id, s)
	}
	if err := c.t.Images(b.Add); err != nil {
		t.Fatal(err)
	}
	got, err := b.Finish(c.zxid)
	if err != nil {
		t.Fatal(err)
	}
	if images(t, got) != images(t, c.t) {
		t.Errorf("got\n%s\nwant\n%s", images(t, got), images(t, c.t))
	}
	if got.NodeCount() != c.t.NodeCount() || got.ApproximateSize() != c.t.ApproximateSize() || got.LastZxid() != c.t.LastZxid() ||
		got.EphemeralCount() != 1 || got.SessionCount() != c.t.SessionCount() || len(got.quotas) != 1 {
		t.Errorf("%d nodes of %d bytes up to %d, %d ephemerals, %d sessions, %d quotas", got.NodeCount(), got.ApproximateSize(),
			got.LastZxid(), got.EphemeralCount(), got.SessionCount(), len(got.quotas))
	}
	if paths := got.Ephemerals(1, ""); len(paths) != 1 || paths[0] != "/0e" {
		t.Errorf("ephemerals %q", paths)
	}
	stop := errors.New("enough")
	if err := got.Images(func(*Image) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestBuilderAddsWhatEveryTreeHas(t *testing.T) {
	b := NewBuilder(Options{})
	if err := b.Add(&Image{Path: "/", Data: []byte{}, ACL: zk.OpenACL()}); err != nil {
		t.Fatal(err)
	}
	got, err := b.Finish(0)
	if err != nil || images(t, got) != images(t, New(Options{})) {
		t.Errorf("%v, %s", err, images(t, got))
	}
}

func TestBuilderRefusesWhatFitsNowhere(t *testing.T) {
	f := func(want string, paths ...string) {
		t.Helper()
		b := NewBuilder(Options{})
		var err error
		for _, p := range paths {
			err = errors.Join(err, b.Add(&Image{Path: p}))
		}
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, errImage) {
			t.Errorf("%q: %v, want %q", paths, err, want)
		}
		b.Close()
	}
	f(`"/a" has no parent`, "/a")
	f(`"/a/b" has no parent`, "/", "/a/b")
	f(`"a" has no parent`, "/", "a")
	f(`"" has no parent`, "/", "")
	f(`"/a/" has no parent`, "/", "/a", "/a/")
	f(`"/a" is there twice`, "/", "/a", "/a")
	f(`"/" is there twice`, "/", "/")
	if _, err := NewBuilder(Options{}).Finish(1); err == nil {
		t.Error("a tree without a root was finished")
	}
}
