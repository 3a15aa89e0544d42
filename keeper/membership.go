package keeper

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/keeper/peer"
	"github.com/gregor-mq/gregor/keeper/tree"
)

// membership is what the loop of an ensemble's member knows of the others.
type membership struct {
	ready        <-chan struct{}  // events wait
	beat         <-chan time.Time // a sign of life is due
	soon         <-chan time.Time // an election is due
	timer, hurry env.Timer
	buf          []event
	tries        int // elections begun since there was a leader

	// changing is set while a change of members is under way; the leader's.
	changing bool
	// asked is when servers that are no members asked to be taken in, in elapsed ms.
	asked map[uint64]int64
	// unwritten is set while keeper.meta lacks the ensemble's id.
	unwritten bool
	served    bool // whether clients were served at the last beat
}

func (m *membership) stepDown() { m.changing = false }

// meet begins to hear the other members.
func (l *loop) meet() {
	q, clock := l.k.quorum, l.k.env.Clock
	l.storage.keep = keepEntries
	l.members.timer = clock.NewTimer(q.beat)
	l.members.hurry = clock.NewTimer(time.Hour)
	l.members.hurry.Stop()
	l.members.ready, l.members.beat, l.members.soon = q.events.Ready(), l.members.timer.C(), l.members.hurry.C()
	l.members.asked = map[uint64]int64{}
	l.greetAs()
	l.follow()
	q.begin()
}

// greetAs tells others how much this member has.
func (l *loop) greetAs() {
	g := greeting{State: ensemble.Formed, Raft: l.k.dir.raft}
	switch {
	case l.k.dir.ensemble != 0:
	case l.isMember():
		g.State = ensemble.Founder
	default:
		g.State = ensemble.Damaged // it waits to be taken in, and can found nothing
	}
	l.k.quorum.setGreeting(g)
}

// isMember reports whether this directory is among raft's members.
func (l *loop) isMember() bool {
	m := &l.storage.members
	for _, ids := range [][]uint64{m.Voters, m.Learners, m.Outgoing, m.LearnersNext} {
		if slices.Contains(ids, l.k.dir.raft) {
			return true
		}
	}
	return false
}

// config is who the members are: as /zookeeper/config says, before there is such a
// content as zoo.cfg says.
func (l *loop) config() ensemble.Config {
	if nd, ok := l.k.state.tree.Find(tree.ConfigPath); ok {
		c, err := ensemble.ParseConfig(string(nd.Data()))
		switch {
		case err != nil:
			l.k.log.Error("the list of members cannot be read", "path", tree.ConfigPath, "error", err)
		case len(c.Servers) > 0:
			return c
		}
	}
	c, err := ensemble.NewConfig(0, l.k.cfg.Servers)
	if err != nil {
		return ensemble.Config{} // Config.check has seen it
	}
	return c
}

// follow has the members dialed. Where members cannot change at run time, the
// addresses are those of zoo.cfg.
func (l *loop) follow() {
	if l.k.quorum == nil {
		return
	}
	servers := slices.Clone(l.config().Servers)
	for _, own := range l.k.cfg.Servers {
		i := slices.IndexFunc(servers, func(s ensemble.Server) bool { return s.Number == own.Number })
		switch {
		case l.k.cfg.ReconfigEnabled:
		case i < 0:
			servers = append(servers, own)
		default:
			servers[i] = own
		}
	}
	l.k.quorum.setMembers(servers)
}

// configured takes a change of the members' list in.
func (l *loop) configured(id uint64) {
	l.adoptEnsemble(id)
	l.follow()
}

// adoptEnsemble writes down which ensemble this member belongs to, once.
func (l *loop) adoptEnsemble(id uint64) {
	k := l.k
	if id == 0 || k.dir.ensemble == id {
		return
	}
	k.dir.ensemble = id
	k.ensembleID.Store(id)
	l.writeIdentity()
	if k.quorum != nil {
		l.greetAs()
	}
}

// writeIdentity writes down who this directory is; where it cannot, the next beat
// tries again.
func (l *loop) writeIdentity() {
	err := l.k.dir.writeMeta(l.k.env.FS, l.k.cfg)
	if l.members.unwritten = err != nil; err != nil {
		l.k.log.Error("cannot write down the ensemble's id; it is tried again", "error", err)
	}
}

// form names ensemble and members, if nobody did yet.
func (l *loop) form(now int64) {
	k := l.k
	if k.quorum == nil {
		return
	}
	id := k.dir.ensemble
	for id == 0 {
		id = k.env.Rand.Uint64()
	}
	nd, ok := k.state.tree.Find(tree.ConfigPath)
	if ok && len(nd.Data()) > 0 && k.dir.ensemble != 0 {
		return
	}
	c := l.config()
	c.Version = l.nextZxid()
	l.add(l.prep.Config(c.Version, now, id, c.String()), origin{})
}

// takeEvents takes in what other members said.
func (l *loop) takeEvents() error {
	q, now := l.k.quorum, l.now()
	l.members.buf = q.events.TryDrain(l.members.buf[:0])
	for _, e := range l.members.buf {
		if err := l.takeEvent(now, e); err != nil {
			return err
		}
	}
	clear(l.members.buf)
	l.propose()
	return l.drive()
}

func (l *loop) takeEvent(now int64, e event) error {
	switch e.kind {
	case eventUp:
		l.memberUp()
	case eventDown:
		l.reportDown(e.member)
	case eventLost:
		l.memberLost(e)
	case eventInstall:
		return l.installNow(e.install)
	case eventSent:
		l.snapshotSent(e.raft, e.err)
	case eventMessage:
		return l.takeMessage(now, e)
	}
	return nil
}

func (l *loop) takeMessage(now int64, e event) error {
	switch e.message {
	case msgRaft:
		return l.takeRaft(e)
	case msgCall:
		l.takeForward(now, e)
	case msgBeat:
		l.heardBeat(e.member, e.payload)
	case msgEcho:
		l.heardEcho(e.member, e.payload)
	case msgJoin:
		l.join(now, e)
	}
	return nil
}

func (l *loop) takeRaft(e event) error {
	m := &pb.Message{}
	if err := proto.Unmarshal(e.payload, m); err != nil {
		l.k.log.Error("message of another member cannot be read", "member", e.member, "error", err)
		return nil
	}
	if m.GetTo() != l.k.dir.raft || memberOf(m.GetFrom()) != e.member || m.GetType() == pb.MsgSnap {
		return nil // for a directory that was here before
	}
	if l.cur != nil {
		l.propose() // before a message may end this leadership
	}
	if err := l.rn.Step(m); err != nil && !errors.Is(err, raft.ErrStepPeerNotFound) {
		return fmt.Errorf("raft: message of member %d: %w", e.member, err)
	}
	l.watchRole()
	return nil
}

// memberUp goes on where a connection broke: what it lost is sent again.
func (l *loop) memberUp() {
	l.stream = 0
	if l.rn.BasicStatus().Lead == raft.None {
		l.hasten()
		return
	}
	l.openStream()
}

func (l *loop) reportDown(member uint64) {
	m := &l.storage.members
	for _, ids := range [][]uint64{m.Voters, m.Learners} {
		for _, id := range ids {
			if memberOf(id) == member {
				l.rn.ReportUnreachable(id)
			}
		}
	}
}

// memberLost elects another leader at once when the leader's process is gone.
func (l *loop) memberLost(e event) {
	st := l.rn.BasicStatus()
	if !peer.Gone(e.err) || st.Lead == raft.None || memberOf(st.Lead) != e.member || st.RaftState == raft.StateLeader {
		return
	}
	if err := l.rn.ForgetLeader(); err == nil {
		l.k.log.Info("the leader is gone", "member", e.member)
		l.hasten()
	}
}

// maxTries bounds elections that are begun before their time.
const maxTries = 8

// hasten begins an election soon: members that notice at the same time should not
// all do so at once.
func (l *loop) hasten() {
	if l.members.tries >= maxTries || !l.isMember() {
		return
	}
	l.members.tries++
	most := uint64(l.k.quorum.beat) / 4 << min(l.members.tries-1, 4)
	l.members.hurry.Reset(time.Duration(l.k.env.Rand.Uint64() % most))
}

// campaign begins an election if there is no leader still.
func (l *loop) campaign() error {
	if l.rn.BasicStatus().Lead != raft.None {
		return nil
	}
	if err := l.rn.Campaign(); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	l.hasten()
	return l.drive()
}

// onBeat is what happens at every tick of raft.
func (l *loop) onBeat() error {
	l.members.timer.Reset(l.k.quorum.beat)
	l.rn.Tick()
	l.watchRole()
	l.beatNow()
	if l.rn.BasicStatus().Lead != raft.None {
		l.members.tries = 0
	}
	l.lapse()
	if l.members.unwritten {
		l.writeIdentity()
	}
	if l.storage.wanted {
		l.maybeSnapshot() // for a member that is far behind
	}
	switch {
	case l.prep != nil:
		l.expire() // who was not heard of before may have been now
		l.propose()
		l.reconcile()
	case !l.isMember():
		l.askIn()
	}
	return l.drive()
}

// lapse sends clients away when nothing was heard of a leader for so long that it
// may end their sessions.
func (l *loop) lapse() {
	serves := l.k.serves()
	if !serves && l.members.served {
		l.k.log.Warn("no leader is heard; clients are sent away")
		for _, c := range l.k.conns.all() {
			c.close()
		}
	}
	if serves && !l.members.served {
		l.k.endReadOnly()
	}
	l.members.served = serves
}

// askIn asks whoever leads to take this member in.
func (l *loop) askIn() {
	for _, s := range l.config().Servers {
		l.k.quorum.peers.Send(s.Number, msgJoin, (&beat{term: l.k.dir.raft}).append(nil))
	}
}

// join takes a member in that has no data: what had its number before is somebody
// else. It has no vote before it has caught up.
func (l *loop) join(now int64, e event) {
	b, ok := decodeBeat(e.payload)
	if !ok || l.prep == nil || l.members.changing || memberOf(b.term) != e.member {
		return
	}
	c := l.config()
	if _, known := c.Find(e.member); !known {
		l.members.asked[e.member] = l.k.elapsed()
		l.admitServer(now, c, e.member)
		return
	}
	m := &l.storage.members
	var steps []*pb.ConfChangeSingle
	for _, id := range slices.Concat(m.Voters, m.Learners) {
		if id == b.term {
			return
		}
		if memberOf(id) == e.member {
			steps = append(steps, step(pb.ConfChangeRemoveNode, id))
		}
	}
	l.k.log.Info("takes a member in", "member", e.member, "raft", fmt.Sprintf("%x", b.term))
	l.change(append(steps, step(pb.ConfChangeAddLearnerNode, b.term)))
}

// admitServer adds a server that zoo.cfg names to the members.
func (l *loop) admitServer(now int64, c ensemble.Config, member uint64) {
	i := slices.IndexFunc(l.k.cfg.Servers, func(s ensemble.Server) bool { return s.Number == member })
	if i < 0 || l.k.cfg.ReconfigEnabled {
		return
	}
	next, err := ensemble.NewConfig(l.zxid+1, append(slices.Clone(c.Servers), l.k.cfg.Servers[i]))
	if err != nil {
		l.k.log.Error("server cannot be a member", "member", member, "error", err)
		return
	}
	l.add(l.prep.Config(l.nextZxid(), now, l.k.dir.ensemble, next.String()), origin{})
	l.propose()
}

func step(t pb.ConfChangeType, id uint64) *pb.ConfChangeSingle {
	return &pb.ConfChangeSingle{Type: t.Enum(), NodeId: new(id)}
}

// change proposes other members to raft.
func (l *loop) change(steps []*pb.ConfChangeSingle) {
	l.propose()
	if err := l.rn.ProposeConfChange(&pb.ConfChangeV2{Changes: steps}); err != nil {
		l.k.log.Warn("change of members not proposed", "error", err)
		return
	}
	l.members.changing = true
	l.pending = append(l.pending, &batch{})
}

// applyChange carries a change of members out.
func (l *loop) applyChange(e *pb.Entry) error {
	cc := &pb.ConfChangeV2{}
	if err := proto.Unmarshal(e.Data, cc); err != nil {
		return fmt.Errorf("log entry %d: %w", e.GetIndex(), err)
	}
	if l.prep != nil && len(cc.Changes) > 0 {
		l.popPending()
	}
	l.storage.members = membersOf(l.rn.ApplyConfChange(cc))
	l.members.changing = len(l.storage.members.Outgoing) > 0
	l.k.log.Info("members", "voters", fmt.Sprintf("%x", l.storage.members.Voters), "learners", fmt.Sprintf("%x", l.storage.members.Learners))
	l.greetAs()
	return nil
}

// reconcile brings raft's members in line with the list: who is on it and has
// caught up gets a vote, who is not goes.
func (l *loop) reconcile() {
	if l.members.changing {
		return
	}
	c := l.config()
	var steps []*pb.ConfChangeSingle
	l.rn.WithProgress(func(id uint64, typ raft.ProgressType, pr tracker.Progress) {
		s, listed := c.Find(memberOf(id))
		learner := typ == raft.ProgressTypeLearner
		switch {
		case !listed:
			steps = append(steps, step(pb.ConfChangeRemoveNode, id))
		case learner && !s.Observer && pr.RecentActive && pr.Match >= l.started && pr.Match+catchUp >= l.applied:
			steps = append(steps, step(pb.ConfChangeAddNode, id))
		case !learner && s.Observer:
			steps = append(steps, step(pb.ConfChangeAddLearnerNode, id))
		}
	})
	if len(steps) > 0 {
		l.change(steps)
	}
}

// catchUp is by how many entries a member may be behind when it gets a vote.
const catchUp = 1000
