package tree

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/internal/offheap"
	"github.com/gregor-mq/gregor/zk"
)

// restoreParts cuts a tree's snapshot into transactions.
func restoreParts(p *Preparer, t *Tree, size int) (out []Txn) {
	s := t.BeginSnapshot()
	defer s.End()
	for more := true; more; {
		var chunk []byte
		chunk, more = s.nextLimit(nil, 1000)
		for first := true; first || len(chunk) > 0; first = false {
			part := chunk[:min(len(chunk), size)]
			chunk = chunk[len(part):]
			out = append(out, p.RestorePart(p.t.lastZxid, 1, int32(len(out)), part, len(chunk) == 0))
		}
	}
	return out
}

// through applies a transaction as it comes out of the log.
func through(t *testing.T, tr *Tree, x Txn) zk.Err {
	t.Helper()
	y, rest, err := DecodeTxn(AppendTxn(nil, &x))
	if err != nil || len(rest) > 0 {
		t.Fatalf("%v: %v, %d bytes left", x.Op, err, len(rest))
	}
	var res Result
	tr.Apply(&y, &res)
	return res.Err
}

func TestRestorePutsAStateInThePlaceOfAnother(t *testing.T) {
	source := newChurn(1, nil)
	for range 800 {
		source.step(t)
	}
	source.flush()
	clear(source.t.sessions)
	want := dump(source.t)

	c := newChurn(2, offheap.Memory{})
	for range 800 {
		c.step(t)
	}
	c.flush()
	old := dump(c.t)
	snap := c.t.BeginSnapshot()
	chunk, more := snap.nextLimit(nil, 500)
	chunks := [][]byte{chunk}

	p := NewPreparer(c.t)
	for _, x := range restoreParts(p, source.t, 300) {
		if err := through(t, c.t, x); err != zk.OK || !c.t.Restoring() {
			t.Fatalf("part %d: %v", x.Version, err)
		}
	}
	if got := dump(c.t); got != old {
		t.Fatalf("parts changed the tree:\n%s\nwant\n%s", got, old)
	}
	above := max(c.t.lastZxid, source.t.lastZxid) + 1
	n := c.t.coming.parts
	if err := through(t, c.t, p.Restore(above, 1, n)); err != zk.OK || c.t.Restoring() || c.t.lastZxid != above {
		t.Fatalf("restore: %v, zxid %x", err, c.t.lastZxid)
	}
	config, _ := c.t.Find(ConfigPath)
	if st := config.Stat(); st.Mzxid != above || st.Version != -1 {
		t.Errorf("the list of members has %+v", st)
	}
	// But for that list, the state is the other one.
	source.t.configure(&Txn{Zxid: above, Time: 1, Data: slices.Clone(config.Data())}, &Result{})
	source.t.lastZxid = above
	if got := dump(c.t); got != dump(source.t) || got == want {
		t.Fatalf("restored\n%s\nwant\n%s", got, dump(source.t))
	}
	for more { // a snapshot from before goes on with the state from before
		chunk, more = snap.nextLimit(nil, 500)
		chunks = append(chunks, chunk)
	}
	snap.End()
	before := load(t, Options{}, chunks)
	if got := dump(before); got != old {
		t.Errorf("the snapshot shows\n%s\nwant\n%s", got, old)
	}
	before.Close()
	source.t.Close()
	c.t.Close()
}

func TestRestoreThatIsBroken(t *testing.T) {
	source := New(Options{})
	tr := New(Options{})
	p := NewPreparer(tr)
	parts := restoreParts(p, source, 20)
	f := func(what string, want zk.Err, x Txn) {
		t.Helper()
		before := dump(tr)
		if err := through(t, tr, x); err != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if x.Op != OpEpoch && dump(tr) != before {
			t.Errorf("%s: the tree changed", what)
		}
	}
	f("a part without those before", zk.ErrBadVersion, parts[1])
	f("an end without parts", zk.ErrBadVersion, p.Restore(0, 1, 0))
	f("the first", zk.OK, parts[0])
	f("the third", zk.ErrBadVersion, parts[2])
	f("the second", zk.OK, parts[1])
	f("another leader", zk.OK, p.Epoch(1<<32, 1))
	if tr.Restoring() {
		t.Error("a restore outlives its leader")
	}
	f("a part for the new one", zk.ErrBadVersion, parts[2])
	f("nonsense", zk.ErrMarshalling, p.RestorePart(1<<32, 1, 0, []byte("nonsense"), true))
	f("half a chunk", zk.OK, p.RestorePart(1<<32, 1, 0, parts[0].Data[:3], false))
	f("an end within a chunk", zk.ErrBadVersion, p.Restore(1<<32, 1, 1))
	f("no root", zk.OK, p.RestorePart(1<<32, 1, 0, nil, true))
	f("the end of it", zk.ErrMarshalling, p.Restore(1<<32, 1, 1))
	if tr.Restoring() {
		t.Error("a restore that failed is kept")
	}
	tr.Close()
	source.Close()
}
