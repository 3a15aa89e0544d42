package tree

import (
	"slices"

	"github.com/gregor-mq/gregor/zk"
)

// Operations by which a whole state replaces the tree's.
const (
	// OpRestorePart brings the part of number Version, in Data; a chunk of a
	// Snapshot is complete where Owner is not 0. Part 0 begins anew. It takes no
	// zxid.
	OpRestorePart zk.Op = -104
	// OpRestore puts what Version parts brought in the tree's place. The list of
	// the ensemble's members stays; all sessions end.
	OpRestore zk.Op = -105
)

// restoring is a state that is to replace the tree's, as far as it has come. It
// is no part of snapshots: nobody takes one meanwhile.
type restoring struct {
	loader *Loader
	chunk  []byte // as far as it has come
	parts  int32
}

// Restoring reports whether a state is coming that is to replace this one: until
// then no snapshot may be begun, since a restart would not find what came before it.
func (t *Tree) Restoring() bool { return t.coming != nil }

// RestorePart is a part of a state; zxid is the last one, whole says that the chunk
// ends with it.
func (p *Preparer) RestorePart(zxid, now int64, number int32, part []byte, whole bool) Txn {
	x := Txn{Zxid: zxid, Time: now, Op: OpRestorePart, Version: number, Data: part}
	if whole {
		x.Owner = 1
	}
	return x
}

// Restore ends a state of so many parts. zxid must be above all that the state
// holds.
func (p *Preparer) Restore(zxid, now int64, parts int32) Txn {
	return Txn{Zxid: zxid, Time: now, Op: OpRestore, Version: parts}
}

// dropRestoring forgets what came so far.
func (t *Tree) dropRestoring() {
	if t.coming == nil {
		return
	}
	if next, err := t.coming.loader.Finish(); err == nil {
		next.Close()
	}
	t.coming = nil
}

// restorePart takes a part in. One that does not follow the last is refused: another
// leader began meanwhile.
func (t *Tree) restorePart(x *Txn, res *Result) {
	if x.Version == 0 {
		t.dropRestoring()
		t.coming = &restoring{loader: NewLoader(t.opts)}
	}
	r := t.coming
	if r == nil || r.parts != x.Version {
		res.Err = zk.ErrBadVersion
		return
	}
	r.parts++
	r.chunk = append(r.chunk, x.Data...)
	if x.Owner == 0 {
		return
	}
	if err := r.loader.Load(r.chunk); err != nil {
		t.dropRestoring()
		res.Err = zk.ErrMarshalling
		return
	}
	r.chunk = r.chunk[:0]
}

// restore puts the state that came in the tree's place.
func (t *Tree) restore(x *Txn, res *Result) {
	r := t.coming
	if r == nil || r.parts != x.Version || len(r.chunk) > 0 {
		t.dropRestoring()
		res.Err = zk.ErrBadVersion
		return
	}
	t.coming = nil
	next, err := r.loader.Finish()
	if err != nil {
		res.Err = zk.ErrMarshalling
		return
	}
	if nd, ok := t.Find(ConfigPath); ok {
		members := *x
		members.Data = slices.Clone(nd.Data())
		next.configure(&members, res)
		*res = Result{Events: res.Events[:0], Ops: res.Ops[:0]}
	}
	next.lastZxid = t.lastZxid
	old := *t
	*t = *next
	if s := old.snap; s != nil {
		s.leave(&old)
	} else {
		old.s.close()
	}
}

// leave goes on with a tree that nothing changes any more.
func (s *Snapshot) leave(t *Tree) { s.t, s.left = t, true }
