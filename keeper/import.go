package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/offheap"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/wal"
	"github.com/gregor-mq/gregor/keeper/zkfile"
)

// Imported says what Import took over.
type Imported struct {
	// Nodes counts znodes, the root among them; Ephemerals those of sessions,
	// TTLs those with a time to live.
	Nodes, Sessions, Ephemerals, TTLs int
	// Dead is how many ephemeral nodes were left out because their sessions had
	// ended, as ZooKeeper does it when it starts.
	Dead int
	// Zxid is the last transaction; the keeper goes on behind it.
	Zxid int64
	// Snapshot and Logs are the files that were used, Txns how many transactions
	// of the logs came after the snapshot.
	Snapshot string
	Logs     []string
	Txns     int
	// Checked says that the tree has the digest that ZooKeeper noted of it.
	Checked bool
	// Warnings are what was passed over.
	Warnings []string
}

// Import makes a keeper's directories, DataDir and DataLogDir of c, of what a
// stopped ZooKeeper left in its dataDir and dataLogDir (empty for the same). The
// keeper's must not exist, or be empty. They get their names when they are
// whole; after an error there is nothing.
func Import(e env.Env, dataDir, dataLogDir string, c Config) (*Imported, error) {
	c = c.withDefaults()
	made := newArrival(e.FS, ".importing", c.DataDir, c.DataLogDir)
	if err := made.check(); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	out, t, err := readZooKeeper(e, dataDir, dataLogDir, c)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer t.Close()
	at := Config{DataDir: made.temporary(c.DataDir), DataLogDir: made.temporary(c.DataLogDir), Member: c.Member}
	if err := made.make(func() error { return writeDirectory(e, at, t) }); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return out, nil
}

// readZooKeeper makes a tree of ZooKeeper's files.
func readZooKeeper(e env.Env, dataDir, dataLogDir string, c Config) (*Imported, *tree.Tree, error) {
	d, err := zkfile.Find(e.FS, dataDir, dataLogDir)
	if err != nil {
		return nil, nil, err
	}
	l, err := zkfile.Load(e.FS, d)
	if err != nil {
		return nil, nil, explainZooKeeper(err)
	}
	// A member may have agreed to an epoch in which nothing was written yet.
	out := &Imported{
		Sessions: len(l.Sessions), Dead: l.Dead, Zxid: max(l.Zxid, d.Epoch<<32),
		Snapshot: l.Snapshot, Logs: l.Logs, Txns: l.Txns, Checked: l.Checked && l.Mismatch == nil, Warnings: warnings(l),
	}
	out.Ephemerals, out.TTLs = l.Owned()
	if out.TTLs > 0 && !c.ExtendedTypes {
		return nil, nil, fmt.Errorf("%d nodes have a time to live, which needs extendedTypesEnabled=true", out.TTLs)
	}
	b := tree.NewBuilder(tree.Options{ExtendedTypes: c.ExtendedTypes, Seed: e.Rand.Uint64(), Memory: offheap.Memory{}})
	for id, timeout := range l.Sessions {
		b.Session(id, tree.Session{Timeout: timeout})
	}
	if err := l.Images(b.Add); err != nil {
		b.Close()
		return nil, nil, err
	}
	t, err := b.Finish(out.Zxid)
	if err != nil {
		return nil, nil, err
	}
	out.Nodes = t.NodeCount() - 1
	return out, t, nil
}

// warnings tells what does not keep the data from being used.
func warnings(l *zkfile.Loaded) []string {
	var out []string
	for _, err := range l.Passed {
		out = append(out, fmt.Sprintf("a snapshot was passed over, the log leads to the same state from the one before: %v", err))
	}
	if t := l.Torn; t != nil && t.Bytes > 0 {
		out = append(out, fmt.Sprintf("%s ends at byte %d within a write that was never acknowledged", t.File, t.Offset))
	}
	if l.Mismatch != nil {
		out = append(out, fmt.Sprintf("%v: look at the data before you use it", l.Mismatch))
	}
	return out
}

// explainZooKeeper adds what can be done about damage.
func explainZooKeeper(err error) error {
	if _, damaged := errors.AsType[*zkfile.CorruptError](err); damaged {
		return fmt.Errorf("%w; take the directory of another member, or a backup", err)
	}
	if errors.Is(err, zkfile.ErrGap) {
		return fmt.Errorf("%w; give the directory with the logs too (dataLogDir)", err)
	}
	return err
}

// writeDirectory makes a keeper's directory that begins with a tree: a snapshot up
// to the first entry of a log, which says nothing.
func writeDirectory(e env.Env, c Config, t *tree.Tree) (err error) {
	d, err := openDirectory(e, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	const term, index = 1, 1
	log, err := d.begin(e, c, wal.Options{DirID: d.id})
	if err != nil {
		return err
	}
	err = log.Append([]wal.Entry{{Term: term, Index: index}}, &wal.State{Term: term, Vote: d.raft, Commit: index})
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	m := snap.Meta{
		DirID: d.id, Index: index, Term: term, Zxid: t.LastZxid(),
		Members: snap.Members{Voters: []uint64{d.raft}}, Ensemble: d.ensemble,
	}
	s := t.BeginSnapshot()
	defer s.End()
	_, err = snap.Write(e.FS, d.snaps, m, s.Next, func() error { return nil })
	return err
}

// arrival makes directories under temporary names, beside those that they get when
// they are whole. What the administrator put there is kept: myid.
type arrival struct {
	fs     env.FS
	suffix string
	dirs   []string
	kept   map[string][]byte // myid by directory
	moved  []string          // directories that gave up their names for a while
	named  []string          // directories that have their names
}

// aside is added to the name of an empty directory while another takes its place.
const aside = ".before"

// newArrival takes directories that may be the same.
func newArrival(fsys env.FS, suffix string, dirs ...string) *arrival {
	a := &arrival{fs: fsys, suffix: suffix, kept: map[string][]byte{}}
	for _, dir := range dirs {
		if dir = filepath.Clean(dir); len(a.dirs) == 0 || a.dirs[0] != dir {
			a.dirs = append(a.dirs, dir)
		}
	}
	return a
}

func (a *arrival) temporary(dir string) string { return filepath.Clean(dir) + a.suffix }

// check refuses what holds something already.
func (a *arrival) check() error {
	for i, dir := range a.dirs {
		files, err := a.fs.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot read %s: %w", dir, err)
		}
		for _, f := range files {
			if f.Name() != myidName {
				return fmt.Errorf("%s is not empty, it holds %q; choose a directory that does not exist", dir, f.Name())
			}
			if a.kept[dir], err = a.fs.ReadFile(filepath.Join(dir, myidName)); err != nil {
				return fmt.Errorf("cannot read %s: %w", dir, err)
			}
		}
		for _, other := range a.dirs[:i] {
			if strings.HasPrefix(dir+"/", other+"/") || strings.HasPrefix(other+"/", dir+"/") {
				return fmt.Errorf("%s and %s lie in each other; choose directories side by side", other, dir)
			}
		}
	}
	return nil
}

// make fills the directories and gives them their names, the first one last.
func (a *arrival) make(fill func() error) error {
	err := errors.Join(a.clear(), fill(), a.keep())
	for _, dir := range slices.Backward(a.dirs) {
		if err == nil {
			err = a.name(dir)
		}
	}
	if err != nil {
		return errors.Join(err, a.back(), a.clear())
	}
	for _, dir := range a.moved {
		_ = a.fs.RemoveAll(dir + aside) // all is done; what would be left has nothing in it, or a copy
	}
	return nil
}

// clear deletes what lies under the temporary names, also of an attempt before.
func (a *arrival) clear() error {
	var errs []error
	for _, dir := range a.dirs {
		errs = append(errs, a.fs.RemoveAll(a.temporary(dir)))
	}
	return errors.Join(errs...)
}

// keep writes what was in the directories into those that take their place.
func (a *arrival) keep() error {
	for dir, text := range a.kept {
		f, err := a.fs.Open(filepath.Join(a.temporary(dir), myidName), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(text, 0)
		if err = errors.Join(err, f.Sync(), f.Close(), a.fs.SyncDir(a.temporary(dir))); err != nil {
			return err
		}
	}
	return nil
}

// name gives a directory its name.
func (a *arrival) name(dir string) error {
	err := a.fs.Rename(dir, dir+aside)
	if err == nil {
		a.moved = append(a.moved, dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be replaced: %w; choose a directory that does not exist", dir, err)
	}
	if err := a.fs.Rename(a.temporary(dir), dir); err != nil {
		return err
	}
	a.named = append(a.named, dir)
	return a.fs.SyncDir(filepath.Dir(dir))
}

// back undoes all that name did.
func (a *arrival) back() error {
	var errs []error
	for _, dir := range a.named {
		errs = append(errs, a.fs.RemoveAll(dir))
	}
	for _, dir := range a.moved {
		errs = append(errs, a.fs.Rename(dir+aside, dir))
	}
	return errors.Join(errs...)
}
