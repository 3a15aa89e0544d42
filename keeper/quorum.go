package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/keeper/peer"
)

// The kinds of messages between members.
const (
	msgRaft  byte = 1 + iota // raft's own
	msgCall                  // a client's request, to the leader
	msgBeat                  // a sign of life, and what goes with it
	msgEcho                  // the answer to one
	msgAsk                   // of a member without data: what are you?
	msgState                 // the answer: a greeting
	msgJoin                  // of a member without data, to the leader: take me in
)

const (
	// electionTicks is after how many ticks without a leader another is elected;
	// for as long a member serves clients by what it last heard.
	electionTicks = 10
	// eventLimit bounds messages of members that wait for the loop; then their
	// connections are not read.
	eventLimit = 4096
	// keepEntries bounds the bytes of applied entries that stay in memory for
	// members that are behind: some seconds of a busy ensemble.
	keepEntries = 64 << 20
)

// event is what other members make the loop do.
type event struct {
	kind    eventKind
	member  uint64
	boot    uint64 // of the member's process
	err     error
	message byte
	payload []byte
	install *install
	raft    uint64 // of the member that was sent a snapshot
}

type eventKind uint8

const (
	eventMessage eventKind = iota
	eventUp
	eventDown
	eventLost
	eventInstall // a snapshot came and is on disk
	eventSent    // a snapshot was sent, or could not be
)

// quorum is what connects the keeper with the other members of its ensemble. It is
// peer's Handler; what it hears goes to the loop, or is looked at before there is
// one.
type quorum struct {
	k      *Keeper
	boot   uint64
	peers  *peer.Peers
	events *run.Inbox[event]
	beat   time.Duration // between signs of life, and raft's ticks

	mu struct {
		sync.Mutex
		greeting greeting
		up       map[uint64]bool // members that can be sent to
		states   map[uint64]ensemble.State
		begun    bool // the loop reads events
	}
}

// greeting is what a member says of itself.
type greeting struct {
	State ensemble.State `json:"state"`
	Raft  uint64         `json:"raft"`
	// Servers are the numbers and kinds of all servers that the member's
	// configuration names. Founders must agree on them.
	Servers string `json:"servers,omitempty"`
}

// lease is for how long after a sign of life was sent, that another member has
// answered, clients may be served.
func (q *quorum) lease() time.Duration { return electionTicks * q.beat }

// newQuorum listens for other members.
func (k *Keeper) newQuorum() (*quorum, error) {
	const perTick, shortest, longest = 10, 10 * time.Millisecond, 200 * time.Millisecond
	q := &quorum{
		k: k, boot: k.env.Rand.Uint64(), events: run.NewInbox[event](eventLimit),
		beat: min(max(k.cfg.TickTime/perTick, shortest), longest),
	}
	q.mu.up, q.mu.states = map[uint64]bool{}, map[uint64]ensemble.State{}
	var err error
	q.peers, err = peer.New(peer.Config{
		Listen: k.cfg.quorumAddr(), MaxFrame: k.cfg.JuteMaxBuffer + 4*maxBatchBytes, IdleTimeout: 2 * electionTicks * q.beat, Secure: k.memberConn(),
	}, k.env, q, k.log.With("part", "peer"))
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	return q, nil
}

// servers lists who the configuration says the members are.
func (k *Keeper) servers() string {
	var text string
	for _, s := range k.cfg.Servers {
		kind := "participant"
		if s.Observer {
			kind = "observer"
		}
		text += fmt.Sprintf("%d %s, ", s.Number, kind)
	}
	return text
}

func (q *quorum) setGreeting(g greeting) {
	g.Servers = q.k.servers()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.greeting = g
}

func (q *quorum) said() greeting {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.greeting
}

// Greet implements peer.Handler.
func (q *quorum) Greet(uint64) peer.Hello {
	text, err := json.Marshal(q.said())
	if err != nil { // it has no type that could fail
		text = nil
	}
	return peer.Hello{
		Version: protocol, Ensemble: q.k.ensembleID.Load(), Member: q.k.cfg.Member, Boot: q.boot, Greeting: text,
	}
}

// Accept implements peer.Handler.
func (q *quorum) Accept(h peer.Hello, _ bool) error {
	own, theirs := q.said(), greeting{}
	if err := json.Unmarshal(h.Greeting, &theirs); err != nil {
		return fmt.Errorf("greeting of member %d: %w", h.Member, err)
	}
	id := q.k.ensembleID.Load()
	founding := func(g greeting) bool { return g.State == ensemble.Newborn || g.State == ensemble.Founder }
	switch {
	case h.Version != protocol:
		return fmt.Errorf("member %d speaks version %d of the protocol between members, this one %d", h.Member, h.Version, protocol)
	case id != 0 && h.Ensemble != 0 && id != h.Ensemble:
		return fmt.Errorf("member %d has data of another ensemble (%016x, here %016x)", h.Member, h.Ensemble, id)
	case founding(own) && founding(theirs) && own.Servers != theirs.Servers:
		return fmt.Errorf("the configuration of member %d names other servers: %s, here %s", h.Member, theirs.Servers, own.Servers)
	}
	return nil
}

// Up implements peer.Handler.
func (q *quorum) Up(member uint64, h peer.Hello) {
	q.mu.Lock()
	q.mu.up[member] = true
	q.mu.Unlock()
	q.note(member, h.Greeting)
	q.put(event{kind: eventUp, member: member, boot: h.Boot})
}

// Down implements peer.Handler.
func (q *quorum) Down(member uint64, err error) {
	q.mu.Lock()
	delete(q.mu.up, member)
	delete(q.mu.states, member)
	q.mu.Unlock()
	q.put(event{kind: eventDown, member: member, err: err})
}

// Lost implements peer.Handler.
func (q *quorum) Lost(member uint64, h peer.Hello, err error) {
	q.put(event{kind: eventLost, member: member, boot: h.Boot, err: err})
}

// Receive implements peer.Handler.
func (q *quorum) Receive(member uint64, h peer.Hello, kind byte, payload []byte) {
	switch kind {
	case msgAsk:
		if text, err := json.Marshal(q.said()); err == nil {
			q.peers.Send(member, msgState, text)
		}
	case msgState:
		q.note(member, payload)
	default:
		q.put(event{kind: eventMessage, member: member, boot: h.Boot, message: kind, payload: payload})
	}
}

// note keeps what a member says of itself.
func (q *quorum) note(member uint64, text []byte) {
	var g greeting
	if json.Unmarshal(text, &g) != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.states[member] = g.State
}

// put hands an event to the loop. Before it runs there is nothing to hear but who
// is there.
func (q *quorum) put(e event) {
	if q.hasBegun() {
		// The inbox is closed once the loop ends.
		_ = q.events.Put(q.k.group.Context(), e)
	}
}

func (q *quorum) hasBegun() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.begun
}

// begin lets events through to the loop, first that of who is there.
func (q *quorum) begin() {
	q.mu.Lock()
	q.mu.begun = true
	up := maps.Clone(q.mu.up)
	q.mu.Unlock()
	for member := range up {
		q.put(event{kind: eventUp, member: member})
	}
}

// setMembers has the others of a list dialed.
func (q *quorum) setMembers(servers []ensemble.Server) {
	others := map[uint64]string{}
	for _, s := range servers {
		if s.Number != q.k.cfg.Member {
			others[s.Number] = s.Peer()
		}
	}
	q.k.nameMembers(servers)
	q.peers.SetMembers(others)
}

// sendRaft gives a message of raft to the member it is for.
func (q *quorum) sendRaft(m *pb.Message) bool {
	b, err := proto.Marshal(m)
	return err == nil && q.peers.Send(memberOf(m.GetTo()), msgRaft, b)
}

// File implements peer.Handler: a snapshot comes.
func (q *quorum) File(ctx context.Context, member uint64, _ peer.Hello, header []byte, size int64, r io.Reader) error {
	if !q.hasBegun() { // this directory may become another
		return errors.New("this member starts")
	}
	in, err := q.k.adopt(ctx, header, size, r)
	if err != nil {
		q.k.log.Error("snapshot of another member cannot be used", "member", member, "error", err)
		return err
	}
	if err := q.events.Put(ctx, event{kind: eventInstall, member: member, install: in}); err != nil {
		in.tree.Close()
		return err
	}
	select {
	case err := <-in.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// birth decides what a member without data is to be, and writes that down.
func (q *quorum) birth(ctx context.Context) error {
	k := q.k
	c, err := ensemble.NewConfig(0, k.cfg.Servers)
	if err != nil {
		return err
	}
	own := ensemble.Newborn
	if k.dir.state == dirDamaged {
		own = ensemble.Damaged
	}
	q.setGreeting(greeting{State: own})
	q.setMembers(c.Servers)
	for waited := 0; ; waited++ {
		q.mu.Lock()
		states := maps.Clone(q.mu.states)
		q.mu.Unlock()
		switch ensemble.Decide(k.cfg.Member, own, c, states) {
		case ensemble.Found:
			return q.found(c)
		case ensemble.Join:
			k.dir.raft = raftID(k.env.Rand.Uint64(), k.cfg.Member)
			return k.dir.writeMeta(k.env.FS, k.cfg)
		}
		if waited%50 == 0 {
			k.log.Info("waits for other members before it may vote", "heard", fmt.Sprint(states))
		}
		for member := range states {
			q.peers.Send(member, msgAsk, nil)
		}
		if err := env.Sleep(ctx, k.env.Clock, q.beat); err != nil {
			return err
		}
	}
}
