package keeper

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/admin"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/zkfile"
)

// backupDir is where snapshots in ZooKeeper's format lie while they are sent or
// read.
const backupDir = "backup.tmp"

// lastSnapshot is the newest one on disk.
type lastSnapshot struct {
	zxid int64
	at   time.Time
}

// noteSnapshot remembers the snapshot that a start begins with.
func (k *Keeper) noteSnapshot(m snap.Meta) {
	if m.Index == 0 {
		return
	}
	st, err := k.env.FS.Stat(filepath.Join(k.dir.snaps, fmt.Sprintf("%016x.snap", m.Index)))
	if err != nil {
		return // it was read; that it cannot be looked at is no matter
	}
	k.disk.snaps.Store(st.Size())
	k.disk.last.Store(&lastSnapshot{m.Zxid, st.ModTime()})
}

// snapAsks are those who wait for a snapshot: the loop's.
type snapAsks struct {
	next []chan<- snapResult // of the one after that which is being written
	now  []chan<- snapResult // of the one being written
}

// wantSnapshot begins a snapshot of all that is applied now, or finds that there is
// one.
func (l *loop) wantSnapshot(answer chan<- snapResult) {
	if s := l.storage.snap; s.Index == l.applied && s.Index > 0 {
		answer <- snapResult{meta: s}
		return
	}
	l.asks.next = append(l.asks.next, answer)
	l.storage.wanted = true
	l.maybeSnapshot()
}

// snapshotAsked answers those who waited for a snapshot, and begins another for
// those who came since it began.
func (l *loop) snapshotAsked(r snapResult) {
	for _, answer := range l.asks.now {
		answer <- r
	}
	l.asks.now = nil
	if len(l.asks.next) > 0 {
		l.storage.wanted = true
		l.maybeSnapshot()
	}
}

// takeSnapshot returns the index of a snapshot on disk that has all that was applied
// when it was called.
func (k *Keeper) takeSnapshot(ctx context.Context) (snap.Meta, error) {
	answer := make(chan snapResult, 1)
	if err := k.inbox.Put(ctx, &call{kind: callSnapshot, data: &dataCall{snapped: answer}}); err != nil {
		return snap.Meta{}, err
	}
	select {
	case r := <-answer:
		return r.meta, r.err
	case <-ctx.Done():
		return snap.Meta{}, context.Cause(ctx)
	case <-k.group.Context().Done():
		return snap.Meta{}, errClosing
	}
}

// dataCommands are those that give the whole state out and take one in.
func (k *Keeper) dataCommands() []admin.Command {
	clock, every := k.env.Clock, k.cfg.Operate.Admin.Interval
	// ZooKeeper 3.9 counts the interval of snapshots in microseconds.
	snapshots, restores := admin.NewLimiter(clock, every/1000), admin.NewLimiter(clock, every)
	return []admin.Command{
		{Names: []string{"snapshot", "snap"}, Protected: true, Get: func(ctx context.Context, args url.Values) admin.Answer {
			switch {
			case k.cfg.Operate.Admin.NoSnapshot:
				return admin.Answer{Status: http.StatusServiceUnavailable}
			case !snapshots.Allow():
				k.measures.snapLimited.Add(1)
				return admin.Answer{Status: http.StatusTooManyRequests}
			}
			streaming := !args.Has("streaming") || strings.EqualFold(args.Get("streaming"), "true")
			a, err := k.sendBackup(ctx, streaming)
			if err != nil {
				k.measures.snapErrors.Add(1)
				k.log.Error("command snapshot failed", "error", err)
				return admin.Answer{Status: http.StatusInternalServerError, Fields: admin.Of("error", err.Error())}
			}
			return a
		}},
		{Names: []string{"restore", "rest"}, Protected: true, Post: func(ctx context.Context, body io.Reader) admin.Answer {
			switch {
			case k.cfg.Operate.Admin.NoRestore:
				return admin.Answer{Status: http.StatusServiceUnavailable}
			case !restores.Allow():
				k.measures.restoreLimited.Add(1)
				return admin.Answer{Status: http.StatusTooManyRequests}
			}
			begin := clock.Now()
			zxid, err := k.restore(ctx, body)
			if err != nil {
				k.measures.restoreErrors.Add(1)
				k.log.Error("command restore failed", "error", err)
				return admin.Answer{Status: http.StatusInternalServerError, Fields: admin.Of("error", err.Error())}
			}
			k.took(k.measures.restore, begin)
			return admin.Answer{Fields: admin.Of("last_zxid", zxid)}
		}},
	}
}

// sendBackup takes a snapshot and, with streaming, gives it out as ZooKeeper
// writes it. The tree is read from the snapshot once more: the one that is served
// goes on changing.
func (k *Keeper) sendBackup(ctx context.Context, streaming bool) (admin.Answer, error) {
	m, err := k.takeSnapshot(ctx)
	if err != nil {
		return admin.Answer{}, err
	}
	zxid := admin.Field{Name: "last_zxid", Value: fmt.Sprintf("0x%x", m.Zxid)}
	size := func(n int64) admin.Field { return admin.Field{Name: "snapshot_size", Value: strconv.FormatInt(n, 10)} }
	if !streaming {
		return admin.Answer{Headers: admin.Object{zxid, size(k.disk.snaps.Load())}}, nil
	}
	k.backup.Lock()
	defer k.backup.Unlock()
	dir := filepath.Join(k.cfg.DataDir, backupDir)
	if err := k.env.FS.RemoveAll(dir); err != nil {
		return admin.Answer{}, err
	}
	l := tree.NewLoader(k.treeOptions())
	_, err = snap.Read(k.env.FS, k.dir.snaps, m.Index, k.dir.id, l.Load)
	t, linkErr := l.Finish()
	if linkErr == nil {
		defer t.Close()
	}
	if err = cmpErr(err, linkErr); err != nil {
		return admin.Answer{}, err
	}
	name, err := zkfile.WriteSnapshot(k.env.FS, dir, t)
	if err != nil {
		return admin.Answer{}, err
	}
	f, err := k.env.FS.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return admin.Answer{}, err
	}
	n, err := f.Size()
	if err == nil {
		err = k.env.FS.RemoveAll(dir) // the open file stays until it is closed
	}
	if err != nil {
		_ = f.Close() // the first error says enough
		return admin.Answer{}, err
	}
	stream := struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, n), f}
	return admin.Answer{Headers: admin.Object{zxid, size(n)}, Stream: stream, Size: n}, nil
}

// restore puts the state that a snapshot of ZooKeeper holds in the place of what
// there is, on all members, and returns the zxid behind it.
func (k *Keeper) restore(ctx context.Context, body io.Reader) (int64, error) {
	if r := k.role.Load(); r != nil && !r.leading {
		leader, _ := r.config.Find(r.leader)
		return 0, fmt.Errorf("this member does not lead: restore goes to the leader, member %d at %s, and reaches all members from there", r.leader, leader.Host)
	}
	k.backup.Lock()
	defer k.backup.Unlock()
	t, err := k.readBackup(body)
	if err != nil {
		return 0, err
	}
	defer t.Close()
	k.log.Warn("restores a snapshot: what is served now goes, and all sessions end", "zxid", fmt.Sprintf("0x%x", t.LastZxid()), "nodes", t.NodeCount())
	s := t.BeginSnapshot()
	defer s.End()
	parts := int32(0)
	for more := true; more; {
		var chunk []byte
		chunk, more = s.Next(nil)
		for first := true; first || len(chunk) > 0; first = false {
			part := chunk[:min(len(chunk), maxBatchBytes)]
			chunk = chunk[len(part):]
			d := &dataCall{part: part, number: parts, whole: len(chunk) == 0}
			if _, err := k.restoreCall(ctx, callRestorePart, d); err != nil {
				return 0, err
			}
			parts++
		}
	}
	return k.restoreCall(ctx, callRestore, &dataCall{number: parts, above: t.LastZxid()})
}

// readBackup makes a tree of a snapshot in ZooKeeper's format. It has no sessions
// and nothing of theirs.
func (k *Keeper) readBackup(body io.Reader) (*tree.Tree, error) {
	dir := filepath.Join(k.cfg.DataDir, backupDir)
	if err := k.env.FS.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := env.MkdirDurable(k.env.FS, dir); err != nil {
		return nil, err
	}
	defer func() { _ = k.env.FS.RemoveAll(dir) }() // the next one removes it too
	name := filepath.Join(dir, "snapshot.0")
	if err := k.spool(name, body); err != nil {
		return nil, fmt.Errorf("snapshot not received: %w", err)
	}
	s, err := zkfile.ReadSnapshot(k.env.FS, zkfile.File{Name: name})
	if err != nil {
		return nil, err
	}
	s.Zxid = s.Reached
	clear(s.Sessions)
	s.EndDead()
	if _, ttls := s.Owned(); ttls > 0 && !k.cfg.ExtendedTypes {
		return nil, fmt.Errorf("%d nodes have a time to live, which needs extendedTypesEnabled=true", ttls)
	}
	b := tree.NewBuilder(k.treeOptions())
	err = s.Images(func(im *tree.Image) error {
		if im.ACL == nil { // ZooKeeper lists ACLs before it comes to nodes
			return fmt.Errorf("the ACL of %q is missing: it was changed while the snapshot was written; take another", im.Path)
		}
		return b.Add(im)
	})
	if err != nil {
		b.Close()
		return nil, err
	}
	return b.Finish(s.Reached)
}

// spool writes what comes to a file.
func (k *Keeper) spool(name string, body io.Reader) error {
	f, err := k.env.FS.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, 0), body)
	return cmpErr(err, f.Close())
}

// dataCall is a call that no client makes.
type dataCall struct {
	snapped chan<- snapResult // callSnapshot
	// Of a restore: a part, its number or how many there were, whether a chunk ends
	// with it, and the zxid that the state reached.
	part     []byte
	number   int32
	whole    bool
	above    int64
	restored chan<- restored
}

// restored is what became of a part of a restore.
type restored struct {
	zxid int64
	err  error
}

// restoreCall waits until a part is applied.
func (k *Keeper) restoreCall(ctx context.Context, kind callKind, d *dataCall) (int64, error) {
	answer := make(chan restored, 1)
	d.restored = answer
	if err := k.inbox.Put(ctx, &call{kind: kind, data: d}); err != nil {
		return 0, err
	}
	select {
	case r := <-answer:
		return r.zxid, r.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-k.group.Context().Done():
		return 0, errClosing
	}
}
