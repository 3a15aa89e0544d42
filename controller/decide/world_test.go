package decide

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

func (w *world) put(p string, data []byte) {
	w.zxid++
	if n := w.nodes[p]; n != nil {
		n.data, n.version = data, n.version+1
		w.fire("d", p, zk.EventDataChanged)
		return
	}
	w.nodes[p] = &node{data: data, czxid: w.zxid}
	w.fire("d", p, zk.EventCreated)
	w.fire("c", path.Dir(p), zk.EventChildrenChanged)
}

func (w *world) remove(p string) {
	w.zxid++
	delete(w.nodes, p)
	w.fire("d", p, zk.EventDeleted)
	w.fire("c", path.Dir(p), zk.EventChildrenChanged)
}

func (w *world) fire(kind, p string, t zk.EventType) {
	key := kind + " " + p
	if !w.watches[key] {
		return
	}
	delete(w.watches, key)
	if ev, ok := FromWatch(zk.Event{Type: t, Path: p}); ok {
		w.queue = append(w.queue, ev)
	}
}

// drain steps all that is queued.
func (w *world) drain() {
	for len(w.queue) > 0 && w.s != nil && !w.s.Busy() {
		ev := w.queue[0]
		w.queue = w.queue[1:]
		w.printf("event  %s", describe(ev))
		w.step(ev)
	}
}

func describe(ev Event) string {
	codes := func(name string, broker int32, err Code, ps []PartitionCode) string {
		s := fmt.Sprintf("%s from %d %s", name, broker, err.Name())
		for _, p := range ps {
			s += fmt.Sprintf(" %s=%d", p.TopicPartition, int16(p.Err))
		}
		return s
	}
	switch ev := ev.(type) {
	case LeaderAndISRDone:
		return codes("LeaderAndISRDone", ev.Broker, ev.Err, ev.Partitions)
	case StopReplicaDone:
		return codes("StopReplicaDone", ev.Broker, ev.Err, ev.Partitions)
	case AlterReassignments:
		s := "AlterReassignments"
		for _, r := range ev.Items {
			s += fmt.Sprintf(" %s=%v", r.TopicPartition, r.Target)
		}
		return s
	}
	s := fmt.Sprintf("%T%+v", ev, ev)
	s = strings.TrimPrefix(s, "decide.")
	return strings.TrimSuffix(s, "{}")
}

func (w *world) step(ev Event) { w.carryOut(w.s.Step(w.now, ev)) }

func (w *world) carryOut(effects Effects) {
	for i := 0; i < len(effects); i++ {
		switch e := effects[i].(type) {
		case Znodes:
			if i != len(effects)-1 {
				w.t.Fatal("a Znodes effect is not the last")
			}
			if w.hold {
				w.pending = e.Ops
				w.printf("waits  for %d operations", len(e.Ops))
				return
			}
			w.step(ZnodesDone{w.perform(e.Ops)})
		case Send:
			to := []string{fmt.Sprint(e.Broker)}
			for i+1 < len(effects) {
				next, ok := effects[i+1].(Send)
				if !ok || next.Request != e.Request {
					break
				}
				to = append(to, fmt.Sprint(next.Broker))
				i++
			}
			w.send(strings.Join(to, ","), e.Request)
		case Enqueue:
			w.queue = append(w.queue, e.Event)
		default:
			w.effect(e)
		}
	}
}

func (w *world) effect(e Effect) {
	switch e := e.(type) {
	case Connect:
		w.printf("connect %d epoch=%d", e.Broker.ID, e.Broker.Epoch)
	case Disconnect:
		w.printf("disconnect %d", e.ID)
	case Reply:
		w.printf("reply  %d %s", e.Tag, describeAnswer(e.Answer))
	case After:
		w.printf("after  %s %s", e.Delay, describe(e.Event))
	case Elected:
		w.printf("elected epoch=%d", e.Epoch)
	case Resigned:
		w.printf("resigned")
	case Leader:
		w.printf("controller is %d", e.ID)
	case Refused:
		w.printf("refused %s %s -> %s: %s", e.Subject, e.From, e.To, e.Why)
	case Note:
		kind := "note"
		if e.Warn {
			kind = "warn"
		}
		w.printf("%s   %s", kind, e.Text)
	}
}

func describeAnswer(a Answer) string {
	switch a := a.(type) {
	case Failed:
		return a.Err.Name()
	case ISRResults:
		var b strings.Builder
		for _, r := range a.Items {
			fmt.Fprintf(&b, "%s-%d %s", r.Topic, r.Partition, r.Err.Name())
			if r.Err == 0 {
				fmt.Fprintf(&b, " %s", lead(r.Leadership))
			}
		}
		return b.String()
	case ElectionResults:
		var out []string
		for _, r := range a.Items {
			out = append(out, fmt.Sprintf("%s %s leader=%d", r.TopicPartition, r.Err.Name(), r.Leader))
		}
		return "elections: " + strings.Join(out, "; ")
	case ReassignmentResults:
		var out []string
		for _, r := range a.Items {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.TopicPartition, r.Err.Name(), r.Message)))
		}
		return "reassignments: " + strings.Join(out, "; ")
	case Reassignments:
		var out []string
		for _, r := range a.Items {
			out = append(out, fmt.Sprintf("%s %+v", r.TopicPartition, r.Assignment))
		}
		return "reassigning: " + strings.Join(out, "; ")
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", a, a), "decide.")
}

func lead(l Leadership) string {
	s := fmt.Sprintf("leader=%d epoch=%d isr=%s v%d", l.Leader, l.LeaderEpoch, join(l.ISR), l.PartitionEpoch)
	if l.Recovering {
		s += " recovering"
	}
	return s
}

func join(ids []int32) string {
	var out []string
	for _, id := range ids {
		out = append(out, fmt.Sprint(id))
	}
	return strings.Join(out, ",")
}

func (w *world) send(to string, req Request) {
	switch r := req.(type) {
	case *LeaderAndISR:
		w.printf("send   LeaderAndISR to %s leaders=%v", to, brokerIDs(r.LiveLeaders))
		for _, p := range r.Partitions {
			s := fmt.Sprintf("         %s %s replicas=%s", p.TopicPartition, lead(p.Leadership), join(p.Assignment.Replicas))
			if p.Assignment.Reassigning() {
				s += fmt.Sprintf(" adding=%s removing=%s", join(p.Assignment.Adding), join(p.Assignment.Removing))
			}
			if p.IsNew {
				s += " new"
			}
			w.printf("%s", s)
		}
	case *UpdateMetadata:
		w.printf("send   UpdateMetadata to %s brokers=%v", to, brokerIDs(r.Brokers))
		for _, p := range r.Partitions {
			s := fmt.Sprintf("         %s %s", p.TopicPartition, lead(p.Leadership))
			if len(p.Offline) > 0 {
				s += " offline=" + join(p.Offline)
			}
			w.printf("%s", s)
		}
	case *StopReplica:
		w.printf("send   StopReplica to %s", to)
		for _, p := range r.Partitions {
			w.printf("         %s epoch=%d delete=%t", p.TopicPartition, p.LeaderEpoch, p.Delete)
		}
	}
}

func brokerIDs(bs []Broker) []int32 {
	var out []int32
	for _, b := range bs {
		out = append(out, b.ID)
	}
	return out
}

// perform does a batch and prints it, reads in one line.
func (w *world) perform(ops []Op) []Result {
	results := make([]Result, len(ops))
	var reads []string
	flush := func() {
		if len(reads) > 0 {
			w.printf("read   %s", strings.Join(reads, " "))
			reads = nil
		}
	}
	for i, op := range ops {
		r := w.op(op)
		results[i] = r
		if op.Kind <= OpExists {
			reads = append(reads, op.Path)
			continue
		}
		flush()
		outcome := r.Err.Name()
		if r.Moved {
			outcome = "moved"
		}
		switch op.Kind {
		case OpCreate:
			w.printf("create %s %s: %s", op.Path, op.Data, outcome)
		case OpWrite:
			w.printf("set    %s if-version %d %s: %s", op.Path, op.Version, op.Data, outcome)
		case OpRemove:
			w.printf("delete %s: %s", op.Path, outcome)
		case OpElect:
			w.printf("elect  %s epoch %d if-version %d: %s", op.Data, op.Epoch, op.Version, outcome)
		}
	}
	flush()
	return results
}

func (w *world) op(op Op) Result {
	for i, f := range w.faults {
		if f.path == op.Path && (!f.writes || op.Kind > OpExists) {
			w.faults = slices.Delete(w.faults, i, i+1)
			if f.done {
				w.do(op)
			}
			return Result{Err: f.err, Moved: f.moved}
		}
	}
	if op.Fence {
		n := w.nodes["/controller_epoch"]
		if n == nil || n.version != op.FenceVersion {
			return Result{Moved: true}
		}
	}
	return w.do(op)
}

func (w *world) do(op Op) Result {
	n := w.nodes[op.Path]
	if op.Watch && (n != nil || op.Kind == OpExists) {
		kind := "d "
		if op.Kind == OpList {
			kind = "c "
		}
		w.watches[kind+op.Path] = true
	}
	if n == nil && op.Kind != OpCreate && op.Kind != OpElect {
		return Result{Err: zk.ErrNoNode}
	}
	switch op.Kind {
	case OpRead, OpExists:
		return Result{Data: n.data, Stat: zk.Stat{Version: n.version, Czxid: n.czxid}}
	case OpList:
		return Result{Children: w.children(op.Path)}
	case OpCreate:
		if n != nil {
			return Result{Err: zk.ErrNodeExists}
		}
		w.put(op.Path, op.Data)
	case OpElect:
		e := w.nodes["/controller_epoch"]
		if n != nil {
			return Result{Err: zk.ErrNodeExists}
		}
		if e.version != op.Version {
			return Result{Err: zk.ErrBadVersion}
		}
		w.put(op.Path, op.Data)
		w.put("/controller_epoch", fmt.Append(nil, op.Epoch))
		return Result{Stat: zk.Stat{Version: e.version}}
	case OpWrite, OpRemove:
		if op.Version != anyVersion && op.Version != n.version {
			return Result{Err: zk.ErrBadVersion}
		}
		if op.Kind == OpRemove {
			if len(w.children(op.Path)) > 0 {
				return Result{Err: zk.ErrNotEmpty}
			}
			w.remove(op.Path)
			return Result{}
		}
		w.put(op.Path, op.Data)
		return Result{Stat: zk.Stat{Version: n.version}}
	}
	return Result{}
}

func (w *world) children(p string) []string {
	var out []string
	for q := range w.nodes {
		if path.Dir(q) == p {
			out = append(out, path.Base(q))
		}
	}
	slices.Sort(out)
	slices.Reverse(out) // ZooKeeper promises no order
	return out
}

// show prints what the controller remembers.
func (w *world) show() {
	s := w.s
	w.printf("active=%t epoch=%d brokers=%v numbers=%+v", s.Active(), s.Epoch(), s.registered(), s.Numbers())
	for _, p := range s.partitions(nil) {
		var rs []string
		for _, id := range p.assignment.Replicas {
			rs = append(rs, fmt.Sprintf("%d:%s", id, replicaOf{p, id}.state()))
		}
		l := "no leadership"
		if p.lead != nil {
			l = lead(*p.lead)
		}
		w.printf("  %s %s %s %s", p.tp(), p.state, l, strings.Join(rs, " "))
	}
	for _, name := range sortedKeys(s.deleting) {
		w.printf("  deleting %s %+v", name, *s.deleting[name])
	}
}
