package keepers

import (
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/test/virtual"
	"github.com/gregor-mq/gregor/zk"
)

// watcher looks again and again which sessions' nodes are there.
type watcher struct {
	*client
	looks []look
}

// look is what was there, by a read behind a sync.
type look struct {
	call, ret time.Time
	zxid      int64
	nodes     []string
}

func (w *world) newWatcher() *watcher { return &watcher{client: w.newClient("watcher")} }

// lookPause is the time between two looks.
const lookPause = 100 * time.Millisecond

func (v *watcher) run() {
	defer v.leave()
	for !v.w.over() {
		if v.nc == nil {
			if err := v.connect(virtual.Pick(v.rng, v.w.members...), 4*time.Second); err != nil {
				if v.life != nil && !v.life.refused.IsZero() {
					v.forget()
				}
				v.w.sleep(lookPause)
			}
			continue
		}
		v.look()
		v.w.sleep(lookPause)
	}
	if v.nc != nil {
		v.bye()
	}
}

func (v *watcher) look() {
	l := look{call: v.now()}
	v.xid += 2
	list := &asked{xid: v.xid, req: &zk.GetChildrenRequest{Path: ephemerals}}
	if err := v.exchange([]*asked{{xid: v.xid - 1, req: &zk.SyncRequest{Path: ephemerals}}, list}); err != nil {
		return
	}
	if r, ok := list.body.(*zk.GetChildrenResponse); ok && list.err == zk.OK {
		l.ret, l.zxid, l.nodes = v.now(), v.zxid, r.Children
		v.looks = append(v.looks, l)
	}
}

const (
	// calmSlack is what the end of a session may take in addition, when all is well:
	// the way of the client's last packet, signs of life, and the transaction.
	calmSlack = 300 * time.Millisecond
	// electionTime bounds the time without a leader after a fault.
	electionTime = 4 * time.Second
)

// endsBy is when a session must be over of which the client last said something at
// a time: within its timeout and a tick, if all is well. Otherwise a leader may know
// nothing before, and leaves the session its timeout anew.
func (w *world) endsBy(l *life) time.Time {
	by := l.said.Add(l.timeout + tick + calmSlack)
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.mu.troubles, func(a, b trouble) int { return a.from.Compare(b.from) })
	for _, t := range w.mu.troubles {
		if t.from.Before(by) && t.to.Add(electionTime).After(l.said) {
			if later := t.to.Add(electionTime + lease + l.timeout + 2*tick + calmSlack); later.After(by) {
				by = later
			}
		}
	}
	return by
}

// checkSessions holds what became of ephemeral nodes against what their clients did.
func (w *world) checkSessions() {
	looks := w.watcher.looks
	slices.SortStableFunc(looks, func(a, b look) int { return int(min(max(a.zxid-b.zxid, -1), 1)) })
	for _, l := range w.history.lives {
		w.checkRefusal(l)
		if l.created == 0 {
			continue
		}
		name := strings.TrimPrefix(l.node, ephemerals+"/")
		by, gone := w.endsBy(l), false
		for _, k := range looks {
			there := slices.Contains(k.nodes, name)
			alive := l.answered.Add(l.timeout)
			switch {
			case there && gone:
				w.problem("the node of session 0x%s was gone, and is there at zxid 0x%x", name, k.zxid)
			case there && k.call.After(by):
				w.problem("the session 0x%s was last heard of at %v, with a timeout of %v, and its node is there at %v, zxid 0x%x; it should have gone by %v",
					name, w.at(l.said), l.timeout, w.at(k.call), k.zxid, w.at(by))
				return
			case !there && k.zxid >= l.created && !l.closing && k.ret.Before(alive) && !gone:
				w.problem("the session 0x%s was answered what it asked at %v, with a timeout of %v, and its node was gone at %v, zxid 0x%x",
					name, w.at(l.answered), l.timeout, w.at(k.ret), k.zxid)
			}
			gone = gone || !there && k.zxid >= l.created
		}
	}
}

// checkRefusal looks whether a session was over too early.
func (w *world) checkRefusal(l *life) {
	if !l.refused.IsZero() && !l.closing && l.refused.Before(l.answered.Add(l.timeout)) {
		w.problem("the session 0x%x was answered what it asked at %v, with a timeout of %v, and was refused at %v",
			uint64(l.id), w.at(l.answered), l.timeout, w.at(l.refused))
	}
}

// at is a time as the event log has it.
func (w *world) at(t time.Time) time.Duration { return t.Sub(w.trace.Began().Round(0)) }
