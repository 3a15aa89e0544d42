package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// monkey sends a machine random requests and checks what must hold whatever
// happens. Its log holds what the appends that succeeded wrote.
type monkey struct {
	t       *testing.T
	r       *rand.Rand
	m       *Machine
	now     time.Time
	wakes   map[string]time.Time
	open    []Write
	log     []storyRecord
	ticket  Ticket
	waiting map[Ticket]Event
	// members are ids that groups have given out, with what they were told.
	members map[string][]told
	leaders map[string]string // group and generation to leader
	latest  map[string]int32  // group to the newest generation seen
}

type told struct {
	id, instance string
	generation   int32
}

func TestRandomRequestsKeepTheRules(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.InitialDelay = time.Duration(seed%3) * time.Second
			cfg.MaxSize = 4
			cfg.Retention = 10 * time.Minute
			k := &monkey{
				t: t, r: rand.New(rand.NewPCG(seed, 1)), m: New(cfg), now: storyStart, wakes: map[string]time.Time{},
				waiting: map[Ticket]Event{}, members: map[string][]told{}, leaders: map[string]string{}, latest: map[string]int32{},
			}
			for range 1500 {
				k.act()
			}
			for len(k.open) > 0 {
				k.finish(0, wire.CodeNone)
			}
			k.compareWithReload(cfg)
			k.step(Resign{})
			if len(k.waiting) > 0 {
				t.Errorf("%d requests were never answered: %v", len(k.waiting), k.waiting)
			}
		})
	}
}

func (k *monkey) pick(in []string) string { return in[k.r.IntN(len(in))] }

// member returns a member that is, was or never has been.
func (k *monkey) member(group string) told {
	known := k.members[group]
	if len(known) == 0 || k.r.IntN(10) == 0 {
		return told{id: "stranger", generation: int32(k.r.IntN(3))}
	}
	recent := known[max(0, len(known)-5):]
	return recent[k.r.IntN(len(recent))]
}

func (k *monkey) act() {
	if len(k.open) > 0 && k.r.IntN(3) == 0 {
		codes := []wire.Code{wire.CodeNone, wire.CodeNone, wire.CodeNone, wire.CodeNone,
			wire.CodeNotEnoughReplicas, wire.CodeRequestTimedOut}
		k.finish(k.r.IntN(len(k.open)), codes[k.r.IntN(len(codes))])
		return
	}
	if k.r.IntN(4) == 0 {
		k.advance(time.Duration(k.r.IntN(4000)) * time.Millisecond)
	}
	group := k.pick([]string{"g", "h"})
	mem := k.member(group)
	var instance *string
	if mem.instance != "" {
		instance = &mem.instance
	}
	k.ticket++
	topics := []CommitTopic{{k.pick([]string{"t", "u"}), []CommitPartition{{int32(k.r.IntN(3)), int64(k.ticket), 1, "m", -1}}}}
	where := []TopicPartitions{{topics[0].Topic, []int32{topics[0].Partitions[0].Partition}}}
	producer := int64(k.r.IntN(2))
	switch n := k.r.IntN(40); {
	case n < 6:
		k.join(group, told{}, instance)
	case n < 14:
		k.join(group, mem, instance)
	case n < 21:
		k.step(Sync{Ticket: k.ticket, Group: group, Member: mem.id, Instance: instance, Generation: mem.generation,
			Assignments: []Assignment{{mem.id, fmt.Append(nil, k.ticket)}}})
	case n < 25:
		k.step(Heartbeat{k.ticket, group, mem.id, instance, mem.generation})
	case n < 27:
		k.step(Leave{k.ticket, group, []LeavingMember{{Member: mem.id}}})
	case n < 31:
		k.step(Commit{Ticket: k.ticket, Group: group, Member: mem.id, Generation: mem.generation, RetentionMs: -1, Topics: topics})
	case n < 32:
		k.step(Commit{Ticket: k.ticket, Group: "simple", Generation: -1, RetentionMs: -1, Topics: topics})
	case n < 34:
		k.step(TxnCommit{Ticket: k.ticket, Group: group, Generation: -1, ProducerID: producer, Topics: topics})
	case n < 35:
		k.marker(producer)
	case n < 36:
		k.step(DeleteOffsets{k.ticket, group, where})
	case n < 37:
		k.step(Delete{k.ticket, k.pick([]string{"g", "h", "simple"})})
	case n < 38:
		k.step(Fetch{k.ticket, group, true, where})
	case n < 39:
		k.step(Describe{k.ticket, group})
	default:
		k.step(Expire{})
		k.step(PartitionsDeleted{where})
	}
}

// marker goes to the log behind all that is under way there, so those writes
// end first.
func (k *monkey) marker(producer int64) {
	for len(k.open) > 0 {
		k.finish(0, wire.CodeNone)
	}
	commit := k.r.IntN(2) == 0
	k.log = append(k.log, storyRecord{producer: producer, marker: true, commit: commit})
	k.step(TxnEnd{k.ticket, producer, commit})
}

func (k *monkey) join(group string, mem told, instance *string) {
	if mem.id == "" && k.r.IntN(2) == 0 {
		instance = new(k.pick([]string{"i1", "i2"}))
	}
	protocols := []Protocol{{"range", []byte{byte(k.r.IntN(2))}}, {"rr", nil}}
	if k.r.IntN(4) == 0 {
		protocols = protocols[:1]
	}
	k.step(Join{
		Ticket: k.ticket, Group: group, Member: mem.id, Instance: instance, RequireMemberID: k.r.IntN(3) == 0 && instance == nil,
		SkipAssignment: k.r.IntN(2) == 0, ClientID: "c", Session: 6 * time.Second, Rebalance: time.Duration(k.r.IntN(9)) * time.Second,
		ProtocolType: "consumer", Protocols: protocols, UUID: fmt.Sprint(k.ticket),
	})
}

func (k *monkey) advance(d time.Duration) {
	k.now = k.now.Add(d)
	for _, name := range []string{"g", "h", "simple"} {
		if at, ok := k.wakes[name]; ok && !at.After(k.now) {
			delete(k.wakes, name)
			k.step(Tick{name})
		}
	}
}

// finish ends one write. A write that lands takes all before it along, as a
// high watermark does.
func (k *monkey) finish(i int, code wire.Code) {
	if inLog(code) {
		for range i {
			k.finish(0, wire.CodeNone)
		}
		i = 0
	}
	w := k.open[i]
	k.open = slices.Delete(k.open, i, i+1)
	base := int64(len(k.log))
	if inLog(code) {
		for _, r := range w.Records {
			k.log = append(k.log, storyRecord{at: base, producer: w.ProducerID, Record: r})
		}
	}
	k.step(WriteDone{w.ID, base, code})
}

func (k *monkey) step(e Event) {
	if t := reflect.ValueOf(e).FieldByName("Ticket"); t.IsValid() {
		k.waiting[Ticket(t.Uint())] = e
	}
	fx := k.m.Step(k.now, e)
	for _, r := range fx.Replies {
		asked := k.waiting[r.Ticket]
		if asked == nil {
			k.t.Fatalf("ticket %d was answered twice: %v", r.Ticket, r.Body)
		}
		delete(k.waiting, r.Ticket)
		if j, ok := r.Body.(JoinReply); ok {
			k.joined(asked.(Join), j)
		}
	}
	for _, w := range fx.Wakes {
		k.wakes[w.Group] = w.At
	}
	k.open = append(k.open, fx.Writes...)
	if _, over := e.(Resign); over {
		return
	}
	for _, name := range []string{"g", "h"} {
		if g := k.m.groups[name]; g != nil {
			k.checkGroup(name, g)
		} else {
			delete(k.latest, name)
			k.forget(name)
		}
	}
}

func (k *monkey) joined(asked Join, r JoinReply) {
	if r.Code == wire.CodeMemberIDRequired {
		k.members[asked.Group] = append(k.members[asked.Group], told{id: r.Member})
	}
	if r.Code != wire.CodeNone {
		return
	}
	instance := ""
	if asked.Instance != nil {
		instance = *asked.Instance
	}
	k.members[asked.Group] = append(k.members[asked.Group], told{r.Member, instance, r.Generation})
	if len(r.Members) > 0 && r.Leader != r.Member {
		k.t.Errorf("%s got the members, but %s leads", r.Member, r.Leader)
	}
	if r.Leader == r.Member && len(r.Members) > 0 && !r.SkipAssignment {
		key := fmt.Sprint(asked.Group, "/", r.Generation)
		if other, ok := k.leaders[key]; ok && other != r.Leader {
			k.t.Errorf("generation %d of %s was led by %s and by %s", r.Generation, asked.Group, other, r.Leader)
		}
		k.leaders[key] = r.Leader
	}
}

// forget drops what was noted about generations of a group that is gone.
func (k *monkey) forget(name string) {
	maps.DeleteFunc(k.leaders, func(key, _ string) bool { return strings.HasPrefix(key, name+"/") })
}

// checkGroup holds a group's own bookkeeping against a count from scratch.
func (k *monkey) checkGroup(name string, g *group) {
	awaiting, unsynced := 0, 0
	supported := map[string]int{}
	for _, mem := range g.order {
		if g.members[mem.id] != mem {
			k.t.Fatalf("%s: %s is in order only", name, mem.id)
		}
		if mem.join != 0 {
			awaiting++
		}
		if mem.owesSync {
			unsynced++
		}
		for _, p := range mem.protocols {
			supported[p.Name]++
		}
		if mem.sync != 0 && g.state != CompletingRebalance {
			k.t.Fatalf("%s: %s waits for a sync in %s", name, mem.id, g.state)
		}
	}
	switch {
	case len(g.order) != len(g.members), awaiting != g.awaiting, unsynced != g.unsynced, !reflect.DeepEqual(supported, g.supported):
		k.t.Fatalf("%s: counts are off: %d of %d members, awaiting %d of %d, unsynced %d of %d, %v of %v", name,
			len(g.order), len(g.members), g.awaiting, awaiting, g.unsynced, unsynced, g.supported, supported)
	case len(g.members) > 0 && g.members[g.leader] == nil, len(g.members) == 0 && g.leader != "":
		k.t.Fatalf("%s: leader %q of %d members", name, g.leader, len(g.members))
	case (g.state == Empty || g.state == Dead) && len(g.members) > 0, g.state > PreparingRebalance && g.state != Dead && len(g.members) == 0:
		k.t.Fatalf("%s: %s with %d members", name, g.state, len(g.members))
	case g.state == PreparingRebalance && awaiting == len(g.members) && len(g.pending) == 0 && !g.joining.initial:
		k.t.Fatalf("%s: everybody is here", name)
	}
	// A generation never comes back, except to zero in a group whose removal
	// left offsets of an open transaction.
	if g.generation != 0 && g.generation < k.latest[name] {
		k.t.Fatalf("%s: generation %d after %d", name, g.generation, k.latest[name])
	}
	if g.generation < k.latest[name] {
		k.forget(name)
	}
	k.latest[name] = g.generation
}

// compareWithReload checks that memory is what the log says.
func (k *monkey) compareWithReload(cfg Config) {
	n := New(cfg)
	for _, r := range k.log {
		if r.marker {
			n.ReplayMarker(r.producer, r.commit)
		} else if err := n.Replay(r.at, r.producer, r.Key, r.Value); err != nil {
			k.t.Fatal(err)
		}
	}
	n.Step(k.now, Loaded{})
	for _, name := range []string{"g", "h", "simple"} {
		live, loaded := k.m.groups[name], n.groups[name]
		if live == nil {
			live = newGroup(name)
		}
		if loaded == nil {
			loaded = newGroup(name)
		}
		if !reflect.DeepEqual(live.offsets, loaded.offsets) || !reflect.DeepEqual(live.txn, loaded.txn) {
			k.t.Errorf("%s: offsets are %v, %v, loaded %v, %v", name, live.offsets, live.txn, loaded.offsets, loaded.txn)
		}
		if live.state != Stable {
			continue
		}
		if loaded.state != Stable || loaded.generation != live.generation || len(loaded.order) != len(live.order) {
			k.t.Fatalf("%s: stable generation %d loads as %s %d", name, live.generation, loaded.state, loaded.generation)
		}
		for i, mem := range live.order {
			if got := loaded.order[i]; string(got.assignment) != string(mem.assignment) || text(got.instance) != text(mem.instance) {
				k.t.Errorf("%s: member %s was assigned %s, loads %s", name, mem.id, mem.assignment, got.assignment)
			}
		}
	}
}

func TestStepsDependOnNothingElse(t *testing.T) {
	run := func() string {
		s := newTeller(t)
		for _, line := range []string{
			"config delay=0s", "auto on", "commit #1 g t:5=1 a:2=1 z:9=1 b:0=1 t:1=1",
			"join #2 g client=a", "join #3 g client=b", "join #4 g client=c", "join #5 g member=a-u2", "fetch #6 g",
			"leave #7 g members=a-u2,b-u3,c-u4", "delete #8 g", "commit #9 x t:1=1", "commit #10 y t:1=1", "commit #11 z t:1=1",
			"deleted t:1", "list #12", "resign",
		} {
			s.line(line)
		}
		return s.out.String()
	}
	first := run()
	for range 20 {
		if again := run(); again != first {
			t.Fatalf("two runs differ:\n%s\n%s", first, again)
		}
	}
}
