package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/offheap"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/wal"
	"github.com/gregor-mq/gregor/zk"
)

// offline is a keeper's directory that no keeper runs on, locked and looked at
// without a change.
type offline struct {
	env       env.Env // its disk is frozen
	cfg       Config
	dir       *directory
	snapshots []uint64 // indexes, newest first
	durable   wal.End
}

// errNoKeeper says that a directory holds no keeper's data.
var errNoKeeper = errors.New("holds no keeper's data")

// openOffline locks a directory; logDir is empty for the same.
func openOffline(e env.Env, dataDir, logDir string) (*offline, error) {
	e.FS = frozen{e.FS}
	name := filepath.Join(dataDir, metaName)
	text, err := e.FS.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %w (there is no %s)", dataDir, errNoKeeper, metaName)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	o := &offline{env: e, cfg: Config{DataDir: dataDir, DataLogDir: cmp.Or(logDir, dataDir), Member: memberIn(string(text))}}
	if o.dir, err = openDirectory(e, o.cfg); err != nil {
		return nil, err
	}
	if o.snapshots, err = snap.List(e.FS, o.dir.snaps); err == nil {
		o.durable, err = readEnd(e.FS, dataDir)
	}
	if _, missing := e.FS.Stat(o.dir.logs); err == nil && errors.Is(missing, fs.ErrNotExist) {
		err = fmt.Errorf("there is no log in %s; name the directory that it is in (dataLogDir)", o.cfg.DataLogDir)
	}
	if err != nil {
		return nil, errors.Join(err, o.dir.close())
	}
	return o, nil
}

// memberIn finds the member's number in meta data, 0 when it does not tell one.
func memberIn(meta string) uint64 {
	for line := range strings.Lines(meta) {
		if text, ok := strings.CutPrefix(line, "member="); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
			return n
		}
	}
	return 0
}

// close releases the directory.
func (o *offline) close() error { return o.dir.close() }

// past is the state after one snapshot and the log behind it.
type past struct {
	tree  *tree.Tree
	meta  snap.Meta // of no snapshot: zero
	nodes int       // in the snapshot
	found wal.Contents
	txns  int // of the log
}

// load reads a snapshot, or begins anew for index 0, and carries the log out over
// it.
func (o *offline) load(index uint64) (*past, error) {
	p := &past{}
	opts := tree.Options{ExtendedTypes: true, Seed: o.env.Rand.Uint64(), Memory: offheap.Memory{}}
	if index == 0 {
		p.tree = tree.New(opts)
	} else {
		l := tree.NewLoader(opts)
		m, err := snap.Read(o.env.FS, o.dir.snaps, index, o.dir.id, l.Load)
		t, linkErr := l.Finish()
		if err = cmpErr(err, linkErr); err != nil {
			if linkErr == nil {
				t.Close()
			}
			return nil, err
		}
		p.tree, p.meta = t, m
	}
	p.nodes = p.tree.NodeCount() - 1
	if err := o.replay(p, index); err != nil {
		p.tree.Close()
		return nil, err
	}
	return p, nil
}

// replay carries out what the log has behind an index.
func (o *offline) replay(p *past, index uint64) error {
	if o.dir.fresh() && (index == 0 || p.meta.Installed) {
		return nil // there is no log yet
	}
	log, found, err := wal.Open(o.env.FS, o.dir.logs, wal.Options{DirID: o.dir.id, Durable: o.durable, Behind: p.meta.Installed}, index)
	if err != nil {
		return explain(err)
	}
	if err := log.Close(); err != nil {
		return err
	}
	p.found = found
	var res tree.Result
	for i := range found.Entries {
		en := &found.Entries[i]
		if en.Type != 0 || len(en.Data) == 0 {
			continue // raft's own
		}
		b, err := decodeBatch(en.Data)
		if err != nil {
			return fmt.Errorf("log entry %d: %w", en.Index, err)
		}
		for j := range b.txns {
			x := &b.txns[j]
			p.tree.Apply(x, &res)
			if err := misfit(x, &res); err != nil {
				return fmt.Errorf("log entry %d: %w", en.Index, err)
			}
		}
		p.txns += len(b.txns)
	}
	return nil
}

// misfit tells a change that found the tree other than it was when the change was
// agreed on.
func misfit(x *tree.Txn, res *tree.Result) error {
	switch {
	case x.Op == zk.OpError || x.Err != zk.OK || x.Op == zk.OpCreateSession || x.Op < zk.OpCloseSession:
		return nil
	case res.Err != zk.OK:
		return fmt.Errorf("transaction 0x%x (%v %s) does not fit the tree: %w", x.Zxid, x.Op, x.Path, res.Err)
	}
	for i := range res.Ops {
		if err := res.Ops[i].Err; err != zk.OK {
			return fmt.Errorf("transaction 0x%x, operation %d, does not fit the tree: %w", x.Zxid, i, err)
		}
	}
	return nil
}

// newest loads what a keeper would start with, passing over snapshots that are
// damaged.
func (o *offline) newest() (*past, []error, error) {
	if len(o.snapshots) == 0 {
		p, err := o.load(0)
		return p, nil, err
	}
	var passed []error
	for _, index := range o.snapshots {
		p, err := o.load(index)
		if _, damaged := errors.AsType[*snap.CorruptError](err); damaged {
			passed = append(passed, err)
			continue
		}
		return p, passed, err
	}
	return nil, passed, fmt.Errorf("no snapshot can be used: %w", errors.Join(passed...))
}
