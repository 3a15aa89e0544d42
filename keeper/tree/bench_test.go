package tree

import (
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/internal/offheap"
	"github.com/gregor-mq/gregor/zk"
)

// filler makes nodes of 100 bytes, a thousand below each parent.
type filler struct {
	t    *Tree
	p    *Preparer
	zxid int64
	made int
	res  Result
}

const perParent = 1000

func newFiller(nodes int) *filler {
	t := New(Options{Memory: offheap.Memory{}})
	f := &filler{t: t, p: NewPreparer(t), zxid: 1}
	x := f.p.CreateSession(f.zxid, 1, 1, 1000, 0)
	t.Apply(&x, &f.res)
	for range nodes {
		f.create()
	}
	return f
}

func (f *filler) do(body zk.Request) {
	f.zxid++
	x := f.p.Prepare(f.zxid, 1, &Request{Session: 1, Body: body})
	f.t.Apply(&x, &f.res)
	f.p.Applied(&x)
	if f.res.Err != zk.OK {
		panic(f.res.Err)
	}
}

var hundred = make([]byte, 100)

func (f *filler) create() {
	parent := f.made / perParent
	if f.made%perParent == 0 {
		f.do(&zk.CreateRequest{Path: fmt.Sprintf("/p%d", parent), ACL: zk.OpenACL()})
	}
	f.do(&zk.CreateRequest{Path: fmt.Sprintf("/p%d/node-%07d", parent, f.made), Data: hundred, ACL: zk.OpenACL()})
	f.made++
}

func BenchmarkApplyCreate(b *testing.B) {
	f := newFiller(0)
	defer f.t.Close()
	b.ReportAllocs()
	for b.Loop() {
		f.create()
	}
}

// benchNodes are enough for the caches to be of no help.
const benchNodes = 100_000

// BenchmarkSnapshot gives out a tree of benchNodes.
func BenchmarkSnapshot(b *testing.B) {
	f := newFiller(benchNodes)
	defer f.t.Close()
	var buf []byte
	for b.Loop() {
		s := f.t.BeginSnapshot()
		size := 0
		for more := true; more; size += len(buf) {
			buf, more = s.Next(buf[:0])
		}
		s.End()
		b.SetBytes(int64(size))
	}
}

// BenchmarkLoad makes the tree of benchNodes from what a snapshot gave out.
func BenchmarkLoad(b *testing.B) {
	f := newFiller(benchNodes)
	defer f.t.Close()
	s := f.t.BeginSnapshot()
	var chunks [][]byte
	size := int64(0)
	for more := true; more; {
		var c []byte
		c, more = s.Next(nil)
		chunks = append(chunks, c)
		size += int64(len(c))
	}
	s.End()
	b.SetBytes(size)
	for b.Loop() {
		l := NewLoader(Options{Memory: offheap.Memory{}})
		for _, c := range chunks {
			if err := l.Load(c); err != nil {
				b.Fatal(err)
			}
		}
		t, err := l.Finish()
		if err != nil {
			b.Fatal(err)
		}
		t.Close()
	}
}
