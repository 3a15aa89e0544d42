package keepers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/gregor-mq/gregor/zk"
)

// checkHistory looks whether a single keeper could have answered like that.
func (w *world) checkHistory() {
	w.checkOperations()
	w.checkSessions()
}

func (w *world) checkOperations() {
	w.checkLinear()
	w.checkOrder()
	w.checkReads()
	w.checkWatches()
}

// node is what the model knows of a node.
type node struct {
	there   bool
	value   string
	version int32
}

// step is what an operation does to a node: the state after it, and what it answers.
func (o *op) step(n node) (node, zk.Err) {
	stale := o.version != -1 && o.version != n.version
	switch {
	case o.kind == opCreate && n.there:
		return n, zk.ErrNodeExists
	case o.kind == opCreate:
		return node{true, o.value, 0}, zk.OK
	case !n.there:
		return n, zk.ErrNoNode
	case stale && o.changes():
		return n, zk.ErrBadVersion
	case o.kind == opDelete:
		return node{}, zk.OK
	case o.kind == opSet:
		return node{true, o.value, n.version + 1}, zk.OK
	}
	return n, zk.OK
}

// model is a node of which some operations have an unknown outcome.
var model = porcupine.NondeterministicModel{
	Init: func() []any { return []any{node{}} },
	Step: func(state, input, _ any) []any {
		n, _ := state.(node)
		o, _ := input.(*op)
		after, err := o.step(n)
		switch {
		case !o.known:
			return []any{n, after}
		case o.err == zk.ErrRuntimeInconsistency: // of a multi that failed elsewhere
			return []any{n}
		case err != o.err:
			return nil
		case o.kind == opRead && err == zk.OK && (o.got != n.value || o.stat.Version != n.version):
			return nil
		case o.kind == opSet && err == zk.OK && o.stat.Version != after.version:
			return nil
		}
		return []any{after}
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprint(input) },
}

// checkLinear asks porcupine about each node.
func (w *world) checkLinear() {
	m := model.ToModel()
	for _, path := range paths() {
		var ops []porcupine.Operation
		var shown []*op
		for _, o := range w.history.ops {
			if o.path != path || o.kind == opLook || o.call.IsZero() || !o.known && !o.changes() {
				continue
			}
			until := int64(math.MaxInt64)
			if o.known || o.settled {
				until = o.ret.UnixNano()
			}
			ops = append(ops, porcupine.Operation{Input: o, Call: o.call.UnixNano(), Return: until})
			shown = append(shown, o)
		}
		if porcupine.CheckOperations(m, ops) {
			continue
		}
		slices.SortStableFunc(shown, func(a, b *op) int { return a.call.Compare(b.call) })
		for _, o := range shown {
			w.trace.Add("history of %s: %v to %v: %v", path, w.at(o.call), w.at(o.ret), o)
		}
		w.problem("the history of %s is not linearizable%s", path, w.culprit(m, ops))
	}
}

// culprit names the first operation up to which the history is not linearizable.
func (w *world) culprit(m porcupine.Model, ops []porcupine.Operation) string {
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	bad, _ := slices.BinarySearchFunc(ops, true, func(at porcupine.Operation, _ bool) int {
		var some []porcupine.Operation
		for _, o := range ops {
			if o.Call > at.Return { // what came later explains nothing
				continue
			}
			if in, _ := o.Input.(*op); o.Return > at.Return {
				if !in.changes() {
					continue
				}
				open := *in
				open.known = false
				o.Input, o.Return = &open, math.MaxInt64
			}
			some = append(some, o)
		}
		if porcupine.CheckOperations(m, some) {
			return -1
		}
		return 0
	})
	if bad == len(ops) {
		return ""
	}
	in, _ := ops[bad].Input.(*op)
	return fmt.Sprintf(" up to, called at %v and answered at %v: %v", w.at(in.call), w.at(in.ret), in)
}

// checkOrder holds zxids against time: what begins after something was answered
// has a later one, and a read behind a sync one that is not earlier.
func (w *world) checkOrder() {
	var done []*op
	for _, o := range w.history.ops {
		if o.known {
			done = append(done, o)
		}
	}
	byCall := slices.Clone(done)
	slices.SortStableFunc(byCall, func(a, b *op) int { return a.call.Compare(b.call) })
	slices.SortStableFunc(done, func(a, b *op) int { return a.ret.Compare(b.ret) })
	var newest *op
	for _, o := range byCall {
		for len(done) > 0 && done[0].ret.Before(o.call) {
			if newest == nil || done[0].zxid > newest.zxid {
				newest = done[0]
			}
			done = done[1:]
		}
		if newest == nil || o.kind == opLook {
			continue
		}
		if o.zxid < newest.zxid || o.changes() && o.zxid == newest.zxid {
			w.problem("at %v was asked: %v; at %v was answered: %v", w.at(o.call), o, w.at(newest.ret), newest)
		}
	}
}

// checkReads holds every read against the writes up to its zxid.
func (w *world) checkReads() {
	for _, path := range paths() {
		var writes, deletes, reads []*op
		for _, o := range w.history.ops {
			switch {
			case o.path != path:
			case o.did():
				writes = append(writes, o)
			case !o.known && o.kind == opDelete:
				deletes = append(deletes, o)
			case o.known && (o.kind == opRead || o.kind == opLook):
				reads = append(reads, o)
			}
		}
		slices.SortFunc(writes, func(a, b *op) int { return cmp.Compare(a.zxid, b.zxid) })
		for _, r := range reads {
			w.checkRead(r, writes, deletes)
		}
	}
}

func (w *world) checkRead(r *op, writes, deletes []*op) {
	i, _ := slices.BinarySearchFunc(writes, r.zxid+1, func(o *op, z int64) int { return cmp.Compare(o.zxid, z) })
	if i == 0 {
		return
	}
	last := writes[i-1]
	mayBeGone := slices.ContainsFunc(deletes, func(d *op) bool { return !d.call.IsZero() && d.call.Before(r.ret) })
	switch {
	case r.err == zk.OK && r.stat.Mzxid < last.zxid,
		r.err == zk.OK && r.stat.Mzxid == last.zxid && (last.kind == opDelete || r.got != last.value),
		r.err == zk.ErrNoNode && last.kind != opDelete && !mayBeGone:
		w.problem("answered at %v: %v; it does not show: %v", w.at(r.ret), r, last)
	}
}

// checkWatches looks for replies that show a change before the event of it.
func (w *world) checkWatches() {
	changes := map[string][]int64{}
	for _, o := range w.history.ops {
		if o.did() {
			changes[o.path] = append(changes[o.path], o.zxid)
		}
	}
	for _, zxids := range changes {
		slices.Sort(zxids)
	}
	for _, c := range w.history.conns {
		armed := map[string]int64{}
		for _, s := range c.seen {
			if s.event != "" {
				delete(armed, s.event)
			}
			for _, path := range paths() {
				since, ok := armed[path]
				if !ok {
					continue
				}
				i, _ := slices.BinarySearch(changes[path], since+1)
				// A multi is one change and several events.
				if i < len(changes[path]) && (changes[path][i] < s.zxid || changes[path][i] == s.zxid && s.event == "") {
					w.problem("%s got an answer of zxid 0x%x before the event of the change of %s at 0x%x, watched since 0x%x",
						c.client, s.zxid, path, changes[path][i], since)
					delete(armed, path)
				}
			}
			if s.armed != "" {
				armed[s.armed] = s.since
			}
		}
	}
}
