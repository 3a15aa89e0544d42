package member

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/znode"
)

// TestGroups lets members of one group come, go, read and lose their sessions in
// random order over a ZooKeeper that is a few maps, and watches that a partition
// has one reader at a time, that members which only come and go in order read
// each record once, and that in the end everything is read.
func TestGroups(t *testing.T) {
	for seed := range uint64(300) {
		for _, orderly := range []bool{true, false} {
			w := newWorld(t, seed, orderly)
			for range 400 {
				w.random()
			}
			w.quiesce()
			if t.Failed() {
				t.Fatalf("seed %d, orderly %t; it went so:\n%s", seed, orderly, w.log.String())
			}
		}
	}
}

// world is a ZooKeeper and the members that use it.
type world struct {
	t          *testing.T
	rng        *rand.Rand
	orderly    bool
	now        time.Time
	partitions int32
	strategy   assign.Strategy
	members    []*player
	born       int
	owners     map[assign.TopicPartition]*player
	stored     map[assign.TopicPartition]int64
	// read is how far anybody ever came.
	read map[assign.TopicPartition]int64
	log  strings.Builder
}

// player is one member with what its shell would hold.
type player struct {
	id         string
	m          *Machine
	registered bool
	// asked is what it waits for, of the session numbered sent; session is the
	// newest there is.
	asked         Effect
	sent, session int
	// known is the session that the member knows of.
	known   int
	pending []Event
	// reads are the positions of what it reads, kept those to be committed.
	reads, kept map[assign.TopicPartition]int64
	paused      bool
	wake        time.Time
	// until is what the member knows of its session.
	until time.Time
}

func newWorld(t *testing.T, seed uint64, orderly bool) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), orderly: orderly, now: time.Unix(1_700_000_000, 0), partitions: 5, strategy: assign.Range,
		owners: map[assign.TopicPartition]*player{}, stored: map[assign.TopicPartition]int64{},
		read: map[assign.TopicPartition]int64{},
	}
	if seed%2 == 1 {
		w.strategy = assign.RoundRobin
	}
	w.join()
	return w
}

func (w *world) note(format string, args ...any) { fmt.Fprintf(&w.log, format+"\n", args...) }

func (w *world) random() {
	switch n := w.rng.IntN(40); {
	case n == 0 && len(w.members) < 4:
		w.join()
	case n == 1:
		p := w.any()
		p.pending = append(p.pending, Leave{})
	case n == 2 && !w.orderly:
		w.expire(w.any())
	case n == 3:
		w.partitions = min(w.partitions+1, 9)
		w.tell()
	case n < 12:
		w.consume(w.any())
	default:
		w.advance(w.any())
	}
}

func (w *world) any() *player { return w.members[w.rng.IntN(len(w.members))] }

func (w *world) join() {
	id := fmt.Sprintf("g_%c%d", 'a'+w.rng.IntN(26), w.born)
	w.born++
	p := &player{id: id, reads: map[assign.TopicPartition]int64{}}
	p.until = w.now.Add(time.Hour)
	p.m = New(Config{ID: id, Strategy: w.strategy, Retries: 4, Backoff: 2 * time.Second, Expiry: 6 * time.Second, Margin: time.Second})
	w.members = append(w.members, p)
	w.note("%s joins", id)
	w.step(p, SessionStarted{})
}

// expire ends a session: its nodes are gone before its member learns of it, which
// by then delivers nothing, for the fence fell before.
func (w *world) expire(p *player) {
	w.note("%s expires", p.id)
	p.until = w.now
	w.step(p, Tick{})
	for tp, o := range w.owners {
		if o == p {
			w.free(tp)
		}
	}
	p.registered = false
	p.session++
	p.pending = []Event{SessionEnded{}, SessionStarted{}}
	w.tell()
}

func (w *world) free(tp assign.TopicPartition) {
	delete(w.owners, tp)
	for _, p := range w.members {
		p.pending = append(p.pending, Freed{tp})
	}
}

// tell fires the watches of all.
func (w *world) tell() {
	for _, p := range w.members {
		p.pending = append(p.pending, Changed{})
	}
}

// consume reads one record of each partition.
func (w *world) consume(p *player) {
	for tp := range p.reads {
		if p.paused {
			return
		}
		p.reads[tp]++
		w.read[tp] = max(w.read[tp], p.reads[tp])
		if w.owners[tp] != p {
			w.t.Errorf("%s reads %v, which is not its own", p.id, tp)
		}
	}
}

// advance carries out what p asked for, or hands it an event, or lets time pass.
func (w *world) advance(p *player) {
	switch {
	case len(p.pending) > 0 && (p.asked == nil || w.rng.IntN(2) == 0):
		ev := p.pending[0]
		p.pending = p.pending[1:]
		w.step(p, ev)
	case p.asked != nil:
		asked := p.asked
		p.asked = nil
		w.step(p, w.perform(p, asked))
	case !p.wake.IsZero():
		if p.wake.After(w.now) {
			w.now = p.wake
		}
		w.step(p, Tick{})
	}
}

// step is Step, with effects carried out that are done at once.
func (w *world) step(p *player, ev Event) {
	if _, ok := ev.(SessionStarted); ok {
		p.until, p.known = w.now.Add(time.Hour), p.session
	}
	for _, e := range p.m.Step(w.now, p.until, ev) {
		w.note("%s %T: %T", p.id, ev, e)
		switch e := e.(type) {
		case Start:
			p.paused = false
			for _, s := range e.Shares {
				w.begin(p, s)
			}
		case Pause, Resume:
			_, p.paused = e.(Pause)
		case Stop:
			p.kept, p.reads = p.reads, map[assign.TopicPartition]int64{}
		case Lost, Abort, Failed, Report:
		case Wake:
			p.wake = e.At
		case Gone:
			w.members = slices.DeleteFunc(w.members, func(o *player) bool { return o == p })
			w.expireOwners(p)
			if len(w.members) == 0 {
				w.join()
			}
		default:
			if p.asked != nil {
				w.t.Errorf("%s asks for %T while %T is on its way", p.id, e, p.asked)
			}
			p.asked, p.sent = e, p.known
		}
	}
}

func (w *world) expireOwners(p *player) {
	for tp, o := range w.owners {
		if o == p {
			w.t.Errorf("%s left and still owns %v", p.id, tp)
		}
	}
}

func (w *world) begin(p *player, s Share) {
	if last := w.read[s.TopicPartition]; s.Offset > last || w.orderly && s.Offset != last {
		w.t.Errorf("%s reads %v from %d, its last reader stopped at %d", p.id, s.TopicPartition, s.Offset, last)
	}
	p.reads[s.TopicPartition] = s.Offset
}

// perform does to the ZooKeeper what an effect asks for.
func (w *world) perform(p *player, e Effect) Event {
	void := errors.New("session expired")
	stale := p.sent != p.session
	switch e := e.(type) {
	case Register:
		if stale {
			return Registered{void}
		}
		p.registered = true
		w.tell()
		return Registered{}
	case Read:
		ev := Seen{Group: w.group(), Brokers: 1}
		for _, c := range e.Owned {
			if w.owners[c.TopicPartition] != p {
				ev.Gone = append(ev.Gone, c.TopicPartition)
			}
		}
		return ev
	case Commit:
		if stale {
			return Committed{void}
		}
		for _, c := range e.Owned {
			if w.owners[c.TopicPartition] == p {
				w.stored[c.TopicPartition] = p.kept[c.TopicPartition]
			}
		}
		return Committed{}
	case Release:
		if stale {
			return Released{void}
		}
		for _, c := range e.Owned {
			if w.owners[c.TopicPartition] == p {
				w.free(c.TopicPartition)
			}
		}
		return Released{}
	case Find:
		f := Found{Offsets: map[assign.TopicPartition]int64{}}
		for _, c := range e.Claims {
			f.Offsets[c.TopicPartition] = w.stored[c.TopicPartition]
		}
		return f
	case Claim:
		if stale {
			return Claimed{Err: void}
		}
		return w.claim(p, e)
	case Drop:
		if stale {
			return Dropped{void}
		}
		for _, tp := range e.Made {
			if w.owners[tp] == p {
				w.free(tp)
			}
		}
		return Dropped{}
	case Unregister:
		if stale {
			return Left{}
		}
		p.registered = false
		w.tell()
		return Left{}
	}
	w.t.Fatalf("nobody answers %T", e)
	return nil
}

func (w *world) claim(p *player, e Claim) Event {
	var out Claimed
	for _, c := range e.Claims {
		if o := w.owners[c.TopicPartition]; o != nil && o != p {
			out.Taken = append(out.Taken, Taken{TopicPartition: c.TopicPartition})
			continue
		}
		w.owners[c.TopicPartition] = p
		out.Made = append(out.Made, c.TopicPartition)
	}
	return out
}

func (w *world) group() assign.Group {
	g := assign.Group{Partitions: map[string][]int32{"t": {}}}
	for i := range w.partitions {
		g.Partitions["t"] = append(g.Partitions["t"], i)
	}
	for _, p := range w.members {
		if p.registered {
			m, err := assign.Resolve(p.id, znode.Consumer{Pattern: znode.StaticPattern, Streams: map[string]int32{"t": 1}}, nil)
			if err != nil {
				w.t.Fatal(err)
			}
			g.Members = append(g.Members, m)
		}
	}
	return g
}

// quiesce lets everything settle.
func (w *world) quiesce() {
	settled := func() bool {
		for _, p := range w.members {
			if p.m.phase != steady || len(p.pending) > 0 {
				return false
			}
		}
		return true
	}
	for range 20000 {
		if settled() {
			break
		}
		w.advance(w.any())
	}
	if !settled() || len(w.owners) != int(w.partitions) {
		w.t.Errorf("in the end %d of %d partitions are owned, settled %t", len(w.owners), w.partitions, settled())
	}
	for tp, p := range w.owners {
		if _, ok := p.reads[tp]; !ok {
			w.t.Errorf("%s owns %v and does not read it", p.id, tp)
		}
	}
}
