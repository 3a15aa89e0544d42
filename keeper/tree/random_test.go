package tree

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/offheap"
	"github.com/gregor-mq/gregor/zk"
)

// churn does random writes over a few hundred paths and checks every result
// against a plain map.
type churn struct {
	t     *Tree
	p     *Preparer
	r     *rand.Rand
	zxid  int64
	model map[string][]byte
	queue []Txn // prepared, not applied
	small bool  // no long data
}

func newChurn(seed uint64, mem Memory) *churn {
	t := New(Options{Seed: seed, Memory: mem})
	c := &churn{t: t, p: NewPreparer(t), r: rand.New(rand.NewPCG(seed, 1)), model: map[string][]byte{}}
	x := c.p.CreateSession(1, 1, 1, 1000, 0)
	t.Apply(&x, &Result{})
	c.zxid = 1
	return c
}

func (c *churn) path() string {
	p := ""
	for range 1 + c.r.IntN(3) {
		p += fmt.Sprintf("/%c%s", 'a'+rune(c.r.IntN(6)), strings.Repeat("x", c.r.IntN(4)*c.r.IntN(9)))
	}
	return p
}

func (c *churn) data() []byte {
	switch k := c.r.IntN(10); {
	case k == 0:
		return nil
	case c.small:
		return []byte{byte(k)}
	case k == 1:
		return bytes.Repeat([]byte{7}, c.r.IntN(20_000)) // some beyond the largest block
	}
	return bytes.Repeat([]byte{byte(c.r.IntN(256))}, c.r.IntN(700))
}

// step prepares one write and tells what the model expects of it.
func (c *churn) step(t *testing.T) {
	path := c.path()
	parent, _ := splitPath(path)
	_, exists := c.model[path]
	_, parentExists := c.model[parent]
	hasKids := slices.ContainsFunc(c.paths(), func(p string) bool { return strings.HasPrefix(p, path+"/") })
	want := zk.OK
	var body zk.Request
	data := c.data()
	switch c.r.IntN(5) {
	case 0, 1:
		body = &zk.CreateRequest{Path: path, Data: data, ACL: zk.OpenACL()}
		if parent != "" && !parentExists {
			want = zk.ErrNoNode
		} else if exists {
			want = zk.ErrNodeExists
		} else {
			c.model[path] = data
		}
	case 2:
		body = &zk.DeleteRequest{Path: path, Version: -1}
		switch {
		case parent != "" && !parentExists, !exists:
			want = zk.ErrNoNode
		case hasKids:
			want = zk.ErrNotEmpty
		default:
			delete(c.model, path)
		}
	default:
		body = &zk.SetDataRequest{Path: path, Data: data, Version: -1}
		if !exists {
			want = zk.ErrNoNode
		} else {
			c.model[path] = data
		}
	}
	c.zxid++
	x := c.p.Prepare(c.zxid, c.zxid, &Request{Session: 1, Body: body})
	if x.Err != want {
		t.Fatalf("%v %s: %v, want %v", body.Op(), path, x.Err, want)
	}
	c.queue = append(c.queue, x)
	if c.r.IntN(8) == 0 {
		c.flush()
	}
}

func (c *churn) paths() []string {
	var paths []string
	for p := range c.model {
		paths = append(paths, p)
	}
	return paths
}

func (c *churn) flush() {
	for i := range c.queue {
		c.t.Apply(&c.queue[i], &Result{})
		c.p.Applied(&c.queue[i])
	}
	c.queue = c.queue[:0]
}

func (c *churn) check(t *testing.T) {
	t.Helper()
	if got, want := c.t.s.count, len(c.model)+4; got != want {
		t.Fatalf("%d nodes, want %d", got, want)
	}
	for path, data := range c.model {
		nd, ok := c.t.Find(path)
		if !ok || !bytes.Equal(nd.Data(), data) || (nd.Data() == nil) != (data == nil) {
			t.Fatalf("%s: found %v, %d bytes, want %d", path, ok, len(nd.Data()), len(data))
		}
		if got := c.t.path(nd.n); got != path {
			t.Fatalf("path of %s is %s", path, got)
		}
	}
}

func TestRandomWritesAgreeWithMap(t *testing.T) {
	for seed := range uint64(4) {
		mem := []Memory{nil, offheap.Memory{}}[seed%2]
		c := newChurn(seed, mem)
		for range 4000 {
			c.step(t)
		}
		c.flush()
		c.check(t)
		if len(c.p.changes)+len(c.p.queue)+len(c.p.owned) != 0 {
			t.Fatalf("%d changes are pending though all is applied", len(c.p.changes))
		}
		c.t.Close()
	}
}

// TestSnapshotShowsOneMoment changes the tree between the chunks of a snapshot
// and expects the state at its beginning.
func TestSnapshotShowsOneMoment(t *testing.T) {
	for seed := range uint64(6) {
		c := newChurn(seed, nil)
		for range 1500 {
			c.step(t)
		}
		c.flush()
		want := dump(c.t)
		snap := c.t.BeginSnapshot()
		var chunks [][]byte
		for more := true; more; {
			// A chunk of one node at a time: every order of changing and saving
			// comes up.
			var chunk []byte
			chunk, more = snap.nextLimit(nil, 1+c.r.IntN(4000))
			chunks = append(chunks, chunk)
			for range c.r.IntN(60) {
				c.step(t)
			}
			c.flush()
		}
		snap.End()
		got := load(t, Options{}, chunks)
		if g := dump(got); g != want {
			t.Fatalf("seed %d: snapshot shows\n%s\nwant\n%s", seed, g, want)
		}
		c.check(t)
		got.Close()
		c.t.Close()
	}
}

func TestArenaGivesSpansBack(t *testing.T) {
	a := newArena(heap{})
	r := rand.New(rand.NewPCG(1, 2))
	type held struct {
		r    ref
		b    []byte
		fill byte
	}
	var all []held
	for i := range 20_000 {
		if len(all) > 0 && r.IntN(3) == 0 {
			j := r.IntN(len(all))
			h := all[j]
			if len(h.b) > 0 && (h.b[0] != h.fill || h.b[len(h.b)-1] != h.fill) {
				t.Fatalf("block %d was overwritten", h.r)
			}
			a.release(h.r, len(h.b))
			all = slices.Delete(all, j, j+1)
			continue
		}
		size := r.IntN(600)
		if r.IntN(50) == 0 {
			size = r.IntN(3 * maxBlock)
		}
		rf, b := a.alloc(size)
		for k := range b {
			b[k] = byte(i)
		}
		all = append(all, held{rf, b, byte(i)})
	}
	for _, h := range all {
		a.release(h.r, len(h.b))
	}
	if a.bytes != 0 || len(a.idle) != len(a.spans)-1 || len(a.large) != 0 {
		t.Fatalf("%d bytes, %d of %d spans idle, %d large", a.bytes, len(a.idle), len(a.spans), len(a.large))
	}
	a.close()
}

func TestClassesCoverEverySize(t *testing.T) {
	for size := 1; size <= maxBlock; size++ {
		c := classOf(size)
		if c < 0 || c >= numClasses || classSize(c) < size || c > 0 && classSize(c-1) >= size {
			t.Fatalf("size %d goes to class %d of %d bytes", size, c, classSize(c))
		}
	}
}

// noMemory fails after some mappings, as a machine at its limit does.
type noMemory struct{ left int }

func (m *noMemory) Map(n int) []byte {
	if m.left--; m.left < 0 {
		return nil
	}
	return make([]byte, n)
}

func (*noMemory) Unmap([]byte) {}

func TestTreeLivesWithoutMappedMemory(t *testing.T) {
	for left := range 4 {
		c := newChurn(9, &noMemory{left})
		for range 500 {
			c.step(t)
		}
		c.flush()
		c.check(t)
		c.t.Close()
	}
}

// FuzzDecodeTxn feeds foreign bytes to the decoder and what it accepts to a
// tree.
func FuzzDecodeTxn(f *testing.F) {
	c := newChurn(3, nil)
	c.small = true
	for range 40 {
		c.step(&testing.T{})
	}
	for i := range c.queue {
		f.Add(AppendTxn(nil, &c.queue[i]))
	}
	multi := Txn{Zxid: 9, Op: zk.OpMulti, Sub: []Txn{{Op: zk.OpCreate, Path: "/a", ACL: zk.OpenACL(), Version: 1}, {Op: zk.OpCheck, Path: "/a"}}}
	f.Add(AppendTxn(nil, &multi))
	f.Add(AppendTxn(nil, &Txn{Zxid: 9, Op: zk.OpMulti, Err: -8, Version: 1, Sub: make([]Txn, 3)}))
	f.Add(AppendTxn(nil, &Txn{Zxid: 9, Op: zk.OpCloseSession, Session: 1, Paths: []string{"/a", "/b"}}))
	f.Fuzz(func(t *testing.T, src []byte) {
		x, rest, err := DecodeTxn(src)
		if err != nil {
			return
		}
		if len(rest) > len(src) {
			t.Fatal("more is left than there was")
		}
		again, _, err := DecodeTxn(AppendTxn(nil, &x))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(x) {
			t.Fatalf("%+v became %+v, %v", x, again, err)
		}
		tr := New(Options{})
		defer tr.Close()
		tr.Apply(&x, &Result{})
		dump(tr)
	})
}

// FuzzLoader feeds foreign bytes to the loader; what it accepts is a tree.
func FuzzLoader(f *testing.F) {
	c := newChurn(4, nil)
	c.small = true
	for range 30 {
		c.step(&testing.T{})
	}
	c.flush()
	f.Add(bytes.Join(snapshot(c.t), nil))
	f.Add([]byte("T\x02"))
	f.Fuzz(func(t *testing.T, src []byte) {
		l := NewLoader(Options{})
		_ = l.Load(src) // Finish says it too
		tr, err := l.Finish()
		if err != nil {
			return
		}
		want := dump(tr)
		if got := dump(load(t, Options{}, snapshot(tr))); got != want {
			t.Fatalf("%s\nbecame\n%s", want, got)
		}
		tr.Close()
	})
}

func BenchmarkApplySet(b *testing.B) {
	t := New(Options{Memory: offheap.Memory{}})
	defer t.Close()
	p := NewPreparer(t)
	s := p.CreateSession(1, 1, 1, 1000, 0)
	var res Result
	t.Apply(&s, &res)
	zxid := int64(1)
	do := func(body zk.Request) {
		zxid++
		x := p.Prepare(zxid, 1, &Request{Session: 1, Body: body})
		t.Apply(&x, &res)
		p.Applied(&x)
	}
	for i := range 1000 {
		do(&zk.CreateRequest{Path: fmt.Sprintf("/n%d", i), ACL: zk.OpenACL()})
	}
	data := make([]byte, 100)
	r := &zk.SetDataRequest{Data: data, Version: -1}
	paths := make([]string, 1000)
	for i := range paths {
		paths[i] = fmt.Sprintf("/n%d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Path = paths[i%1000]
		do(r)
	}
}
