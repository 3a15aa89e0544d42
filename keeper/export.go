package keeper

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/zkfile"
)

// Exported says what Export wrote.
type Exported struct {
	// Nodes counts znodes, the root among them; Ephemerals those of sessions.
	Nodes, Sessions, Ephemerals int
	// Ended is how many sessions were left out, with their nodes: those that lived
	// in the keeper's own process.
	Ended int
	// Zxid is the last transaction; ZooKeeper goes on behind it.
	Zxid int64
	// File is the snapshot's path.
	File string
	// Warnings are what was passed over.
	Warnings []string
}

// Export writes what a stopped keeper's directory holds as a dataDir of Apache
// ZooKeeper, 3.5 or later; logDir is empty for the same as dataDir. to must not
// exist, or be empty; after an error there is nothing. The keeper's directory
// does not change.
func Export(e env.Env, dataDir, logDir, to string) (out *Exported, err error) {
	made := newArrival(e.FS, ".exporting", to)
	if err := made.check(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	o, err := openOffline(e, dataDir, logDir)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	defer func() { err = errors.Join(err, o.close()) }()
	p, passed, err := o.newest()
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	defer p.tree.Close()
	out = &Exported{Ended: endLocal(p.tree, e.Clock.Now().UnixMilli()), Zxid: p.tree.LastZxid(), Nodes: p.tree.NodeCount() - 1}
	out.Sessions, out.Ephemerals = p.tree.SessionCount(), p.tree.EphemeralCount()
	for _, err := range passed {
		out.Warnings = append(out.Warnings, fmt.Sprintf("a snapshot was passed over, the log leads to the same state from the one before: %v", err))
	}
	err = made.make(func() error {
		out.File, err = zkfile.WriteSnapshot(e.FS, made.temporary(to), p.tree)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	out.File = filepath.Join(to, "version-2", filepath.Base(out.File))
	return out, nil
}

// endLocal ends the sessions that lived in the keeper's process, as its next start
// would, and returns how many.
func endLocal(t *tree.Tree, now int64) (ended int) {
	prep := tree.NewPreparer(t)
	for _, id := range t.Sessions() {
		if s, _ := t.Session(id); s.Member != 0 {
			x := prep.CloseSession(t.LastZxid()+1, now, id, 0)
			t.Apply(&x, &tree.Result{})
			prep.Applied(&x)
			ended++
		}
	}
	return ended
}
