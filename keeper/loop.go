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
	// entryVersion begins every log entry that holds transactions.
	entryVersion = 1
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

	calls   []*call // reused between drains
	res     tree.Result
	fired   []watchConn
	touched []*conn // have something to send
	opening int     // transactions of the start that are not applied yet

	sinceSnap int   // transactions applied since the last snapshot began
	snapAt    int   // at how many the next begins
	snapBytes int64 // bytes of the log since then
	snapping  bool
	snapDone  chan snapResult

	wheel  map[int64][]*session // by the tick at which they may expire
	ticked int64                // elapsed ms up to which the wheel has turned
	reapAt int64                // elapsed ms of the next look for containers
}

// batch is the transactions of one log entry.
type batch struct {
	txns  []tree.Txn
	calls []*call // who asked, nil for the keeper's own; as long as txns
	syncs []syncCall
	data  []byte
}

// syncCall is a sync to be answered once so many of its batch's transactions
// are applied: in its connection's order with the writes around it.
type syncCall struct {
	after int
	call  *call
}

// run is the loop itself.
func (l *loop) run(ctx context.Context) error {
	defer l.k.inbox.Close()
	l.k.stats.reset()
	l.planSnapshot()
	if err := l.rn.Campaign(); err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	if err := l.drive(); err != nil {
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

// one waits for something to do and does it. What is on disk comes first: it is
// answered before more is begun.
func (l *loop) one(ctx context.Context, tick env.Timer) error {
	select {
	case msgs := <-l.writer.done:
		return l.appended(msgs)
	default:
	}
	ready := l.k.inbox.Ready()
	if l.appends >= maxAppends || l.prep == nil {
		ready = nil
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
	case <-tick.C():
		l.tick()
		err := l.drive()
		tick.Reset(l.toNextTick())
		return err
	}
}

// takeCalls turns all requests that wait into proposals.
func (l *loop) takeCalls() {
	l.calls = l.k.inbox.TryDrain(l.calls[:0])
	now := l.now()
	for _, c := range l.calls {
		l.take(now, c)
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
func (l *loop) add(x tree.Txn, c *call) {
	if l.cur == nil {
		l.cur = &batch{data: []byte{entryVersion}}
	}
	b := l.cur
	b.data = tree.AppendTxn(b.data, &x)
	b.txns = append(b.txns, x)
	b.calls = append(b.calls, c)
	if len(b.txns) >= maxBatchTxns || len(b.data) >= maxBatchBytes {
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
	must.Hold(err == nil, "a leader without other members takes every proposal")
	b.data = nil
	l.pending = append(l.pending, b)
}

// drive carries out what raft wants until it wants nothing more.
func (l *loop) drive() error {
	for l.rn.HasReady() {
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
			}
		}
	}
	l.wakeAll()
	return nil
}

// appendMessage gives entries to the log. What needs no fsync is answered at
// once, unless something before it is still on its way.
func (l *loop) appendMessage(m *pb.Message) error {
	durable := len(m.Entries) > 0 || m.Term != nil && (m.GetTerm() != l.storage.state.Term || m.GetVote() != l.storage.state.Vote)
	if !durable && l.appends == 0 {
		return l.respond(m)
	}
	l.appends++
	return l.writer.put(m, durable)
}

// appended takes in what the log made durable.
func (l *loop) appended(msgs []*pb.Message) error {
	l.appends -= len(msgs)
	for _, m := range msgs {
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
		if r.GetTo() != l.k.cfg.Member {
			continue // no other members
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
		if len(e.Data) == 0 { // raft's own, at the begin of a term
			if l.prep == nil && e.GetTerm() == l.rn.BasicStatus().GetTerm() {
				l.lead()
			}
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
	return nil
}

// batchOf returns the transactions of an entry: as they were proposed here, or
// decoded when the entry is from before this leadership.
func (l *loop) batchOf(e *pb.Entry) (*batch, error) {
	if l.prep != nil {
		must.Hold(len(l.pending) > 0, "a leader's entries are those it proposed")
		b := l.pending[0]
		l.pending[0] = nil
		l.pending = l.pending[1:]
		return b, nil
	}
	b := &batch{}
	rest := e.Data[1:]
	if e.Data[0] != entryVersion {
		return nil, fmt.Errorf("log entry %d has format version %d, this program reads %d; use the program that wrote it",
			e.GetIndex(), e.Data[0], entryVersion)
	}
	for len(rest) > 0 {
		x, tail, err := tree.DecodeTxn(rest)
		if err != nil {
			return nil, fmt.Errorf("log entry %d: %w", e.GetIndex(), err)
		}
		b.txns = append(b.txns, x)
		rest = tail
	}
	b.calls = make([]*call, len(b.txns))
	return b, nil
}

func (l *loop) applyBatch(b *batch) {
	k := l.k
	k.state.Lock()
	defer k.state.Unlock()
	t := k.state.tree
	syncs := b.syncs
	answerSyncs := func(applied int) {
		for ; len(syncs) > 0 && syncs[0].after <= applied; syncs = syncs[1:] {
			c := syncs[0].call
			l.finish(c, zk.ReplyHeader{Xid: c.xid, Zxid: t.LastZxid()}, c.body)
		}
	}
	for i := range b.txns {
		answerSyncs(i)
		x := &b.txns[i]
		t.Apply(x, &l.res)
		if l.prep != nil {
			l.prep.Applied(x)
		}
		l.fire(x.Zxid)
		l.sessionChanged(x)
		if c := b.calls[i]; c != nil {
			l.answer(c, x, &l.res)
		}
	}
	answerSyncs(len(b.txns))
}

// fire tells watchers what happened, before anybody is answered.
func (l *loop) fire(zxid int64) {
	for i := range l.res.Events {
		ev := &l.res.Events[i]
		l.fired = l.k.watches.Fire(l.fired[:0], ev.Type, ev.Path)
		for _, id := range l.fired {
			c := l.k.conns.get(id)
			if c == nil || !tree.Allowed(ev.ACL, zk.PermRead, c.identities()) {
				continue
			}
			c.event(zxid, zk.Event{Type: ev.Type, State: zk.StateSyncConnected, Path: ev.Path})
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

// lead opens this member's epoch: what was applied ends the one before. Then it
// ends the sessions that lived in this member's last process.
func (l *loop) lead() {
	k := l.k
	t := k.state.tree // the loop alone changes it, so it may look without a lock
	l.prep = tree.NewPreparer(t)
	l.zxid = (t.LastZxid()>>32 + 1) << 32
	now := l.now()
	l.add(l.prep.Epoch(l.zxid, now), nil)
	l.opening = 1
	for _, id := range t.Sessions() {
		s, _ := t.Session(id)
		if s.Member == k.cfg.Member {
			l.add(l.prep.CloseSession(l.nextZxid(), now, id, 0), nil)
			l.opening++
			continue
		}
		l.track(id, s.Timeout)
	}
	l.ticked = k.elapsed()
	l.reapAt = l.ticked + k.cfg.ReapInterval.Milliseconds()
	l.propose()
}

// opened counts the transactions of the start; after the last, clients may come.
func (l *loop) opened() {
	if l.opening == 0 {
		return
	}
	if l.opening--; l.opening == 0 {
		close(l.k.ready)
	}
}

// toNextTick is how long until sessions may expire again.
func (l *loop) toNextTick() time.Duration {
	tick := l.k.tickMillis()
	return time.Duration(tick-l.k.elapsed()%tick) * time.Millisecond
}

// tick expires sessions and removes containers.
func (l *loop) tick() {
	if l.prep == nil {
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
		l.add(x, nil)
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

// take is called by the loop for one request.
func (l *loop) take(now int64, c *call) {
	if c.conn != nil && c.kind != callConnect && !l.owns(c) {
		c.release()
		return // the session moved to a newer connection
	}
	switch c.kind {
	case callConnect:
		l.connect(now, c)
	case callClose:
		if l.prep.Closing(c.req.Session) {
			l.refuse(now, c, zk.ErrSessionExpired)
			return
		}
		l.add(l.prep.CloseSession(l.nextZxid(), now, c.req.Session, c.xid), c)
	case callSync:
		l.sync(c)
	case callWrite:
		l.add(l.prep.Prepare(l.nextZxid(), now, &c.req), c)
	}
}

// refuse answers a request that is not even a transaction, in its turn.
func (l *loop) refuse(now int64, c *call, err zk.Err) {
	l.add(tree.Txn{Zxid: l.nextZxid(), Time: now, Session: c.req.Session, Cxid: c.xid, Op: zk.OpError, Err: err}, c)
}

// sync is answered when all that was proposed before it is applied.
func (l *loop) sync(c *call) {
	switch {
	case l.cur != nil:
		l.cur.syncs = append(l.cur.syncs, syncCall{len(l.cur.txns), c})
	case len(l.pending) > 0:
		last := l.pending[len(l.pending)-1]
		last.syncs = append(last.syncs, syncCall{len(last.txns), c})
	default:
		l.k.state.Lock()
		defer l.k.state.Unlock()
		l.finish(c, zk.ReplyHeader{Xid: c.xid, Zxid: l.k.state.tree.LastZxid()}, c.body)
	}
}

// answer sends a write's reply.
func (l *loop) answer(c *call, x *tree.Txn, res *tree.Result) {
	h := zk.ReplyHeader{Xid: c.xid, Zxid: x.Zxid, Err: res.Err}
	var body zk.Record
	switch {
	case c.kind == callConnect:
		l.connected(c, x.Session)
		return
	case res.Err != zk.OK:
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
