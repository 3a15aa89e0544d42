package keeper

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/wal"
	"github.com/gregor-mq/gregor/keeper/zkfile"
	"github.com/gregor-mq/gregor/zk"
)

// Check reads all of a stopped keeper's directory, or of one of ZooKeeper, and
// changes nothing; logDir is empty for the same as dataDir. It tells say, a line
// at a time, what is whole, and returns what is not.
func Check(e env.Env, dataDir, logDir string, say func(line string)) (err error) {
	o, err := openOffline(e, dataDir, logDir)
	if errors.Is(err, errNoKeeper) && zkfile.Is(e.FS, dataDir) {
		d, err := zkfile.Find(e.FS, dataDir, logDir)
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		say(fmt.Sprintf("%s is a data directory of Apache ZooKeeper", dataDir))
		return zkfile.Check(e.FS, d, say)
	}
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer func() { err = errors.Join(err, o.close()) }()
	say(fmt.Sprintf("%s is locked, %s is whole: directory %016x of member %d", dataDir, metaName, o.dir.id, o.cfg.Member))
	if o.dir.fresh() && len(o.snapshots) == 0 {
		say("nothing was ever stored in it")
		return nil
	}
	if o.durable.Segment != "" {
		say(fmt.Sprintf("%s: the log is durable up to byte %d of %s", endName, o.durable.Size, o.durable.Segment))
	}
	if err := o.checkPasts(say); err != nil || o.dir.fresh() {
		return err
	}
	return o.checkSegments(say)
}

// checkPasts loads every snapshot with the log behind it: all must lead to the same
// state.
func (o *offline) checkPasts(say func(string)) error {
	indexes := o.snapshots
	if len(indexes) == 0 {
		indexes = []uint64{0}
	}
	var errs []error
	same := map[[sha256.Size]byte]bool{}
	for _, index := range indexes {
		p, err := o.load(index)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		name := "no snapshot"
		if index != 0 {
			name = fmt.Sprintf("%016x.snap: %d znodes up to transaction 0x%x", index, p.nodes, p.meta.Zxid)
		}
		say(fmt.Sprintf("%s, with %d log entries (%d transactions) behind it %d znodes and %d sessions up to transaction 0x%x",
			name, len(p.found.Entries), p.txns, p.tree.NodeCount()-1, p.tree.SessionCount(), p.tree.LastZxid()))
		if p.found.Cut > 0 {
			say(fmt.Sprintf("%s ends with %d bytes of a write that was never acknowledged", filepath.Base(p.found.CutFile), p.found.Cut))
		}
		if len(indexes) > 1 {
			same[fingerprint(p.tree)] = true
		}
		p.tree.Close()
	}
	if len(same) > 1 {
		errs = append(errs, fmt.Errorf("the snapshots in %s lead to different states; restore the directory from a backup", o.dir.snaps))
	}
	return errors.Join(errs...)
}

// fingerprint is a hash of all that a tree holds.
func fingerprint(t *tree.Tree) [sha256.Size]byte {
	h := sha256.New()
	e := zk.NewEncoder(nil)
	e.Long(t.LastZxid())
	for _, id := range t.Sessions() {
		s, _ := t.Session(id)
		e.Long(id)
		e.Int(s.Timeout)
		e.Long(int64(s.Member))
	}
	_ = t.Images(func(im *tree.Image) error {
		e.String(im.Path)
		e.Buffer(im.Data)
		e.ACLs(im.ACL)
		for _, v := range []int64{im.Czxid, im.Mzxid, im.Pzxid, im.Ctime, im.Mtime, im.Owner} {
			e.Long(v)
		}
		for _, v := range []int32{im.Version, im.Aversion, im.Creates} {
			e.Int(v)
		}
		_, _ = h.Write(e.Bytes()) // a hash takes everything
		e = zk.NewEncoder(e.Bytes()[:0])
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil))
}

// checkSegments reads the whole log, also what is older than every snapshot.
func (o *offline) checkSegments(say func(string)) error {
	segments, bytes, err := wal.Verify(o.env.FS, o.dir.logs, wal.Options{DirID: o.dir.id, Durable: o.durable})
	if err != nil {
		return explain(err)
	}
	say(fmt.Sprintf("%d segments of the log, %d bytes", segments, bytes))
	return nil
}
