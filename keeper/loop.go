package keeper

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

const (
	// maxBatchBytes and maxBatchTxns bound one log entry: large enough that the
	// cost of an entry vanishes, small enough that applying it stalls nobody.
	maxBatchBytes = 1 << 20
	maxBatchTxns  = 256
	// maxAppends bounds entries on their way to the disk. Beyond it writes wait
	// in the inbox and become fewer, larger entries.
	maxAppends = 16
	// maxUnwritten bounds what a leader sent that is on its way to the disk. Beyond
	// it nothing is heard of other members.
	maxUnwritten = 256
)

// loop is the one goroutine that decides: it turns requests into transactions,
// drives raft, applies what is committed and answers.
type loop struct {
	k       *Keeper
	rn      *raft.RawNode
	storage *raftLog
	writer  *logWriter
	applied uint64

	prep    *tree.Preparer // nil until this member leads
	zxid    int64          // of the last transaction prepared
	pending []*batch       // proposed and not applied, in order
	appends int            // messages the writer has not answered
	cur     *batch         // being filled
	waiting waiting        // own calls, until their transactions are applied

	calls   []*call // reused between drains
	res     tree.Result
	fired   []watchConn
	touched []*conn // have something to send

	sinceSnap int   // transactions applied since the last snapshot began
	snapAt    int   // at how many the next begins
	snapBytes int64 // bytes of the log since then
	snapping  bool
	snapDone  chan snapResult

	members membership
	// A leader's: where its leadership began, in the log and in elapsed ms; when it
	// last heard of each member, and when of its own signs; which calls it took.
	started       uint64
	ledSince      int64
	heard, echoed map[uint64]int64
	intakes       map[uint64]intake
	// A follower's: what its leader said of itself, and the term in which it is given
	// calls.
	leaderStart, leaderTerm, stream uint64
	// named are the sessions whose clients were heard, and when at the latest, in
	// elapsed ms, as long as the leader may not know.
	named map[int64]int64
	// installing is a snapshot of another member, resetting whether the log is being
	// begun anew behind it.
	installing *install
	resetting  bool
	restoring  bool // a restored state is proposed and not applied
	asks       snapAsks

	wheel  map[int64][]*session // by the tick at which they may expire
	due    []*session           // their tick is over, and another member may know more
	ticked int64                // elapsed ms up to which the wheel has turned
	reapAt int64                // elapsed ms of the next look for containers
}

// run is the loop itself.
func (l *loop) run(ctx context.Context) error {
	defer l.k.inbox.Close()
	l.k.stats.reset()
	l.planSnapshot()
	if err := l.begin(); err != nil {
		return err
	}
	tick := l.k.env.Clock.NewTimer(l.toNextTick())
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := l.one(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// begin has a keeper that is alone lead at once; others listen first.
func (l *loop) begin() error {
	if l.k.quorum != nil {
		l.meet()
		return nil
	}
	if err := l.rn.Campaign(); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	return l.drive()
}

// one waits for something to do and does it. What is on disk comes first: it is
// answered before more is begun.
func (l *loop) one(ctx context.Context, tick env.Timer) error {
	select {
	case msgs := <-l.writer.done:
		return l.appended(msgs)
	default:
	}
	ready := l.k.inbox.Ready()
	if l.appends >= maxAppends || !l.takesCalls() {
		ready = nil
	}
	events := l.members.ready
	if l.appends >= maxUnwritten {
		events = nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-ready:
		l.takeCalls()
		return l.drive()
	case msgs := <-l.writer.done:
		return l.appended(msgs)
	case r := <-l.snapDone:
		l.snapshotDone(r)
		return nil
	case <-events:
		return l.takeEvents()
	case <-l.members.beat:
		return l.onBeat()
	case <-l.members.soon:
		return l.campaign()
	case <-tick.C():
		l.tick()
		err := l.drive()
		tick.Reset(l.toNextTick())
		return err
	}
}

// takesCalls reports whether a call can go on from here: a follower keeps so many,
// and not more, until they are answered.
func (l *loop) takesCalls() bool {
	return l.prep != nil || l.k.quorum != nil && len(l.waiting.calls) < inboxLimit
}

// takeCalls turns all requests that wait into proposals.
func (l *loop) takeCalls() {
	l.calls = l.k.inbox.TryDrain(l.calls[:0])
	now := l.now()
	for _, c := range l.calls {
		if !l.admit(c) {
			continue
		}
		l.waiting.push(c)
		if l.prep != nil {
			l.take(now, origin{l.k.cfg.Member, c.seq}, c)
		} else {
			l.forward(c)
		}
	}
	clear(l.calls)
	l.propose()
}

// now is the wall clock as transactions carry it.
func (l *loop) now() int64 { return l.k.env.Clock.Now().UnixMilli() }

// nextZxid counts on; a full counter carries into the epoch.
func (l *loop) nextZxid() int64 {
	l.zxid++
	return l.zxid
}

// add appends a transaction to the entry being filled.
func (l *loop) add(x tree.Txn, from origin) {
	if l.cur == nil {
		l.cur = newBatch()
	}
	if l.cur.add(x, from) {
		l.propose()
	}
}

// propose hands the entry being filled to raft.
func (l *loop) propose() {
	if l.cur == nil {
		return
	}
	b := l.cur
	l.cur = nil
	err := l.rn.Propose(b.data)
	must.Hold(err == nil, "a leader takes every proposal")
	l.k.proposed(len(b.data))
	b.data = nil
	l.pending = append(l.pending, b)
}

// drive carries out what raft wants until it wants nothing more.
func (l *loop) drive() error {
	for l.rn.HasReady() {
		l.watchRole()
		for _, m := range l.rn.Ready().Messages {
			switch m.GetType() {
			case pb.MsgStorageAppend:
				if err := l.appendMessage(m); err != nil {
					return err
				}
			case pb.MsgStorageApply:
				if err := l.apply(m.Entries); err != nil {
					return err
				}
				if err := l.respond(m); err != nil {
					return err
				}
			default:
				l.send(m)
			}
		}
	}
	l.watchRole()
	l.publishRole()
	l.wakeAll()
	return nil
}

// watchRole notices that this member leads no longer.
func (l *loop) watchRole() {
	if l.prep != nil && l.rn.BasicStatus().RaftState != raft.StateLeader {
		l.stepDown()
	}
}

// send gives a message to another member.
func (l *loop) send(m *pb.Message) {
	if m.GetType() == pb.MsgSnap {
		l.sendSnapshot(m)
		return
	}
	if !l.k.quorum.sendRaft(m) {
		l.rn.ReportUnreachable(m.GetTo())
	}
}

// appendMessage gives entries to the log. What needs no fsync is answered at
// once, unless something before it is still on its way.
func (l *loop) appendMessage(m *pb.Message) error {
	durable := len(m.Entries) > 0 || m.Snapshot != nil || m.Term != nil && (m.GetTerm() != l.storage.state.Term || m.GetVote() != l.storage.state.Vote)
	if !durable && l.appends == 0 {
		return l.respond(m)
	}
	l.appends++
	l.resetting = l.resetting || m.Snapshot != nil
	return l.writer.put(m, durable)
}

// appended takes in what the log made durable.
func (l *loop) appended(msgs []*pb.Message) error {
	l.appends -= len(msgs)
	for _, m := range msgs {
		if m.Snapshot != nil {
			l.installed()
		}
		l.storage.append(m.Entries)
		if m.Term != nil {
			l.storage.state.Term, l.storage.state.Vote = m.GetTerm(), m.GetVote()
		}
		if err := l.respond(m); err != nil {
			return err
		}
	}
	return l.drive()
}

// respond gives raft the answers attached to a message.
func (l *loop) respond(m *pb.Message) error {
	for _, r := range m.Responses {
		if r.GetTo() != l.k.dir.raft && !raft.IsLocalMsgTarget(r.GetTo()) {
			l.send(r)
			continue
		}
		if err := l.rn.Step(r); err != nil {
			return fmt.Errorf("raft: %w", err)
		}
	}
	return nil
}

// apply carries committed entries out.
func (l *loop) apply(entries []*pb.Entry) error {
	for _, e := range entries {
		l.applied = e.GetIndex()
		if e.GetType() != pb.EntryNormal {
			if err := l.applyChange(e); err != nil {
				return err
			}
			continue
		}
		if len(e.Data) == 0 { // raft's own
			l.applyEmpty(e)
			continue
		}
		b, err := l.batchOf(e)
		if err != nil {
			return err
		}
		l.applyBatch(b)
		l.sinceSnap += len(b.txns)
		l.snapBytes += int64(len(e.Data))
	}
	l.storage.release(l.applied)
	l.maybeSnapshot()
	l.openStream()
	return nil
}

// applyEmpty meets the entry with which a term begins, or what raft makes of a
// change of members that it refuses.
func (l *loop) applyEmpty(e *pb.Entry) {
	st := l.rn.BasicStatus()
	switch {
	case l.prep != nil:
		l.popPending()
		l.members.changing = false
	case st.RaftState == raft.StateLeader && e.GetTerm() == st.GetTerm():
		l.lead(e.GetIndex())
	}
}

// popPending takes the oldest proposal off.
func (l *loop) popPending() *batch {
	must.Hold(len(l.pending) > 0, "a leader's entries are those it proposed")
	b := l.pending[0]
	l.pending[0] = nil
	l.pending = l.pending[1:]
	return b
}

// batchOf returns the transactions of an entry: as they were proposed here, or
// decoded when the entry is from before this leadership.
func (l *loop) batchOf(e *pb.Entry) (*batch, error) {
	if l.prep != nil {
		return l.popPending(), nil
	}
	b, err := decodeBatch(e.Data)
	if err != nil {
		return nil, fmt.Errorf("log entry %d: %w", e.GetIndex(), err)
	}
	return b, nil
}

func (l *loop) applyBatch(b *batch) {
	k := l.k
	k.state.Lock()
	defer k.state.Unlock()
	t := k.state.tree
	k.measures.commits.Add(int64(len(b.txns)))
	for i := range b.txns {
		x := &b.txns[i]
		t.Apply(x, &l.res)
		if l.prep != nil {
			l.prep.Applied(x)
		}
		l.fire(x.Zxid)
		from := b.origins[i]
		l.sessionChanged(x, from)
		if x.Op == tree.OpConfig {
			l.configured(uint64(x.Owner))
		}
		if from.member == k.cfg.Member {
			if c := l.waiting.pop(from.seq); c != nil {
				l.answer(c, x, &l.res)
			}
		}
	}
}

// fire tells watchers what happened, before anybody is answered.
func (l *loop) fire(zxid int64) {
	for i := range l.res.Events {
		ev := &l.res.Events[i]
		l.fired = l.k.watches.Fire(l.fired[:0], ev.Type, ev.Path)
		l.k.measures.told(ev.Type, len(l.fired))
		for _, id := range l.fired {
			c := l.k.conns.get(id)
			if c == nil || !tree.Allowed(ev.ACL, zk.PermRead, c.identities()) {
				continue
			}
			c.event(l.k.quirks.eventZxid(zxid), zk.Event{Type: ev.Type, State: zk.StateSyncConnected, Path: ev.Path})
			l.touch(c)
		}
	}
}

// touch remembers that a connection has something to send.
func (l *loop) touch(c *conn) {
	if !c.touched {
		c.touched = true
		l.touched = append(l.touched, c)
	}
}

// wakeAll lets connections send, after no lock is held any more.
func (l *loop) wakeAll() {
	for i, c := range l.touched {
		c.touched = false
		c.wake()
		l.touched[i] = nil
	}
	l.touched = l.touched[:0]
}

// lead opens this member's epoch: what was applied ends the one before. index is
// where its leadership begins.
func (l *loop) lead(index uint64) {
	k := l.k
	t := k.state.tree // the loop alone changes it, so it may look without a lock
	l.prep = tree.NewPreparer(t)
	l.zxid = (t.LastZxid()>>32 + 1) << 32
	now := l.now()
	l.add(l.prep.Epoch(l.zxid, now), origin{})
	l.reign(index)
	for _, id := range t.Sessions() {
		s, _ := t.Session(id)
		l.track(id, s.Timeout, k.leaseMillis()) // for so long others serve its client that have not heard of this leader
	}
	l.ticked = k.elapsed()
	l.reapAt = l.ticked + k.cfg.ReapInterval.Milliseconds()
	l.form(now)
	for _, c := range l.waiting.calls { // no other leader took them
		l.take(now, origin{k.cfg.Member, c.seq}, c)
	}
	l.propose()
	if k.quorum != nil {
		l.beatNow() // followers wait for it
	}
}

// stepDown forgets what only a leader knows. What was proposed and is not applied
// may be, by another: calls wait for that.
func (l *loop) stepDown() {
	l.k.log.Info("leads no longer")
	l.prep, l.cur, l.pending, l.zxid = nil, nil, nil, 0
	l.wheel, l.due = map[int64][]*session{}, nil
	l.k.sessions.keepConnected()
	l.members.stepDown()
}

// toNextTick is how long until sessions may expire again.
func (l *loop) toNextTick() time.Duration {
	tick := l.k.tickMillis()
	return time.Duration(tick-l.k.elapsed()%tick) * time.Millisecond
}

// tick expires sessions and removes containers.
func (l *loop) tick() {
	if l.prep == nil || l.restoring {
		return
	}
	l.expire()
	if now := l.k.elapsed(); now >= l.reapAt {
		l.reapAt = now + l.k.cfg.ReapInterval.Milliseconds()
		l.reap()
	}
	l.propose()
}

// reap removes containers without children and nodes past their time.
func (l *loop) reap() {
	limit := int(int64(l.k.cfg.ReapPerMinute) * int64(l.k.cfg.ReapInterval) / int64(time.Minute))
	now := l.now()
	for _, path := range l.k.state.tree.Reapable(now, max(limit, 1)) {
		x, err := l.prep.DeleteContainer(l.zxid+1, now, path)
		if err != nil {
			continue // it got children meanwhile
		}
		l.zxid++
		l.add(x, origin{})
	}
}

// logWriter appends to the log on its own goroutine, so that one fsync serves
// all that came while the last was running.
type logWriter struct {
	k    *Keeper
	log  logFile
	end  *endMark // of log
	in   *run.Inbox[logTask]
	done chan []*pb.Message
}

type logTask struct {
	msg     *pb.Message
	durable bool
	purge   uint64 // not 0: delete what only holds entries up to it
}

// put queues a message. There is room: the loop bounds what it has under way.
func (w *logWriter) put(m *pb.Message, durable bool) error {
	return w.in.TryPut(logTask{msg: m, durable: durable})
}

// admit decides about what needs no leader. It reports whether the call is to be
// ordered with all others.
func (l *loop) admit(c *call) bool {
	switch {
	case c.kind == callConnect:
		return l.greet(c)
	case c.kind == callSnapshot:
		l.wantSnapshot(c.data.snapped)
		return false
	case !l.owns(c):
		c.release()
		return false // the session moved to a newer connection
	case c.kind == callSync && l.k.quorum == nil && len(l.pending) == 0 && l.cur == nil: // all is applied
		l.syncNow(c)
		return false
	}
	return true
}

// syncNow answers a sync before which nothing is on its way.
func (l *loop) syncNow(c *call) {
	l.k.state.Lock()
	defer l.k.state.Unlock()
	l.finish(c, zk.ReplyHeader{Xid: c.xid, Zxid: l.k.state.tree.LastZxid()}, c.body)
}

// take turns one call, of this member or another, into exactly one transaction
// of that origin, in the order in which the calls came.
func (l *loop) take(now int64, from origin, c *call) {
	id := c.req.Session
	if l.restoring {
		l.refuse(now, from, c, zk.ErrSessionExpired)
		return
	}
	if c.moot {
		l.add(l.prep.Mark(l.zxid, now, id, c.xid), from)
		return
	}
	if l.moved(from.member, c) {
		l.refuse(now, from, c, zk.ErrSessionMoved)
		return
	}
	switch c.kind {
	case callConnect:
		l.add(l.prep.CreateSession(l.nextZxid(), now, id, c.timeout, c.process), from)
	case callAttach:
		l.add(l.prep.Attach(l.zxid, now, id, c.timeout), from)
	case callBorn:
		l.endProcess(now, from.member)
		l.add(l.prep.Mark(l.zxid, now, 0, 0), from)
	case callSync:
		l.add(l.prep.Mark(l.zxid, now, id, c.xid), from)
	case callClose:
		if l.prep.Closing(id) {
			l.refuse(now, from, c, zk.ErrSessionExpired)
			return
		}
		l.add(l.prep.CloseSession(l.nextZxid(), now, id, c.xid), from)
	case callRestorePart, callRestore:
		l.takeRestore(now, from, c)
	case callWrite:
		if r, ok := c.req.Body.(*zk.ReconfigRequest); ok {
			l.reconfig(now, from, c, r)
			return
		}
		l.add(l.prep.Prepare(l.nextZxid(), now, &c.req), from)
	}
}

// endProcess ends the sessions that lived in a member's last process.
func (l *loop) endProcess(now int64, member uint64) {
	for _, id := range l.prep.LivesIn(member) {
		l.add(l.prep.CloseSession(l.nextZxid(), now, id, 0), origin{})
	}
}

// refuse answers a request that is not even a transaction, in its turn.
func (l *loop) refuse(now int64, from origin, c *call, err zk.Err) {
	l.add(tree.Txn{Zxid: l.nextZxid(), Time: now, Session: c.req.Session, Cxid: c.xid, Op: zk.OpError, Err: err}, from)
}

// answer sends a write's reply.
func (l *loop) answer(c *call, x *tree.Txn, res *tree.Result) {
	h := zk.ReplyHeader{Xid: c.xid, Zxid: x.Zxid, Err: res.Err}
	var body zk.Record
	l.k.auditWrite(c, x, res)
	switch {
	case c.kind == callBorn:
		l.k.open()
		return
	case c.kind == callConnect, c.kind == callAttach:
		l.welcome(c, x)
		return
	case c.data != nil:
		l.answerRestore(c, x, res.Err)
		return
	case x.Op == tree.OpMark:
		h.Zxid, body = l.k.state.tree.LastZxid(), c.body
	case res.Err != zk.OK:
	case x.Op == tree.OpConfig:
		body = &zk.GetDataResponse{Data: x.Data, Stat: res.Stat}
	case x.Op == zk.OpMulti:
		body = &zk.MultiResponse{Results: slices.Clone(res.Ops)}
	case x.Op == zk.OpCreate:
		body = &zk.CreateResponse{Path: res.Path}
	case x.Op == zk.OpCreate2, x.Op == zk.OpCreateContainer, x.Op == zk.OpCreateTTL:
		body = &zk.Create2Response{Path: res.Path, Stat: res.Stat}
	case x.Op == zk.OpSetData, x.Op == zk.OpSetACL:
		body = &zk.StatResponse{Stat: res.Stat}
	}
	l.finish(c, h, body)
}

// finish sends a reply; the tree is locked.
func (l *loop) finish(c *call, h zk.ReplyHeader, body zk.Record) {
	c.conn.complete(c, h, body)
	l.touch(c.conn)
}
