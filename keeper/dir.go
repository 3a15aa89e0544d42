package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// The names inside a keeper's directories.
const (
	metaName = "keeper.meta"
	lockName = "keeper.lock"
	myidName = "myid" // the administrator's
	snapDir  = "snapshots"
	logDir   = "log"
)

// metaVersion is the version of the directory's layout. Version 1 knew no raft and
// no ensemble.
const metaVersion = 2

// directory is an opened and locked data directory.
type directory struct {
	snaps, logs string
	locks       []io.Closer
	identity
}

// identity is what keeper.meta says.
type identity struct {
	// id is written into every file, to notice strangers.
	id uint64
	// raft is who this directory is among the members; the lowest byte is the
	// member's number. Another directory of the same member is somebody else: it
	// does not know what this one promised. 0 while that is not decided.
	raft uint64
	// ensemble is the id of the ensemble, 0 before it exists.
	ensemble uint64
	state    dirState
}

// dirState says how far a directory has come.
type dirState string

const (
	dirNew     dirState = "new"     // nothing was ever stored
	dirDamaged dirState = "damaged" // what was stored is lost or was set aside
	dirReady   dirState = "ready"   // there is a log
)

// fresh reports whether there is no log yet.
func (id identity) fresh() bool { return id.state != dirReady }

// openDirectory locks the directories and checks that they are a keeper's or
// empty. It overwrites nothing that it does not know.
func openDirectory(e env.Env, c Config) (*directory, error) {
	d := &directory{snaps: filepath.Join(c.DataDir, snapDir), logs: filepath.Join(c.DataLogDir, logDir)}
	for _, dir := range slices.Compact([]string{c.DataDir, c.DataLogDir}) {
		if err := env.MkdirDurable(e.FS, dir); err != nil {
			return nil, errors.Join(fmt.Errorf("keeper: cannot make %s: %w", dir, err), d.close())
		}
		lock, err := e.FS.Lock(filepath.Join(dir, lockName))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("keeper: %s is in use: %w; stop the other keeper or choose another directory", dir, err), d.close())
		}
		d.locks = append(d.locks, lock)
	}
	if err := d.identify(e, c); err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), d.close())
	}
	return d, nil
}

func (d *directory) close() error {
	var errs []error
	for _, l := range d.locks {
		errs = append(errs, l.Close())
	}
	d.locks = nil
	return errors.Join(errs...)
}

// identify reads the directory's meta data, or makes a fresh directory.
func (d *directory) identify(e env.Env, c Config) error {
	name := filepath.Join(c.DataDir, metaName)
	text, err := e.FS.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.mustBeEmpty(e.FS, c); err != nil {
			return err
		}
		return d.create(e, c)
	}
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", name, err)
	}
	return d.parse(name, string(text), c.Member)
}

// mustBeEmpty refuses directories that hold something else.
func (d *directory) mustBeEmpty(fsys env.FS, c Config) error {
	for _, dir := range []string{c.DataDir, c.DataLogDir, d.snaps, d.logs} {
		files, err := fsys.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot read %s: %w", dir, err)
		}
		for _, f := range files {
			switch name := f.Name(); {
			case name == lockName, name == "lost+found", name == myidName, f.IsDir() && (name == snapDir || name == logDir),
				dir == c.DataDir && name == metaName+".tmp":
			case name == "version-2":
				return fmt.Errorf("%s holds Apache ZooKeeper's data (%s); give gregor a directory of its own", dir, name)
			case dir == d.logs && strings.HasSuffix(name, ".log"), dir == c.DataDir && name == endName:
				return fmt.Errorf("%s holds a keeper's log, but %s is missing; put it back or choose an empty directory",
					dir, filepath.Join(c.DataDir, metaName))
			default:
				return fmt.Errorf("%s holds %q, which is not a keeper's; choose an empty directory", dir, name)
			}
		}
	}
	return nil
}

// create makes directories, then the meta data, which must be durable before
// anything is stored.
func (d *directory) create(e env.Env, c Config) error {
	for _, dir := range []string{d.snaps, d.logs} {
		if err := env.MkdirDurable(e.FS, dir); err != nil {
			return fmt.Errorf("cannot make %s: %w", dir, err)
		}
	}
	var id [8]byte
	e.Rand.Read(id[:])
	d.id, d.state = binary.BigEndian.Uint64(id[:]), dirNew
	if !c.inEnsemble() {
		d.raft, d.ensemble = c.Member, d.id
	}
	return d.writeMeta(e.FS, c)
}

// begin creates the log of a fresh directory. From then on a missing log is an
// error, not a fresh start.
func (d *directory) begin(e env.Env, c Config, opts wal.Options) (*wal.Log, error) {
	if err := wal.Remove(e.FS, d.logs); err != nil {
		return nil, err
	}
	l, err := wal.Create(e.FS, d.logs, opts)
	if err != nil {
		return nil, err
	}
	d.state = dirReady
	if err := d.writeMeta(e.FS, c); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

const (
	metaForm  = "version=%d\nid=%016x\nmember=%d\nraft=%016x\nensemble=%016x\nstate=%s\n"
	metaForm1 = "version=%d\nid=%016x\nmember=%d\nstate=%s\n"
)

// writeMeta replaces the directory's meta data, durably.
func (d *directory) writeMeta(fsys env.FS, c Config) error {
	return d.writeMetaTo(fsys, c, filepath.Join(c.DataDir, metaName))
}

func (d *directory) writeMetaTo(fsys env.FS, c Config, name string) error {
	text := fmt.Sprintf(metaForm, metaVersion, d.id, c.Member, d.raft, d.ensemble, d.state)
	f, err := fsys.Open(name+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.WriteAt([]byte(text), 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(name+".tmp", name)
	}
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

func (d *directory) parse(name, text string, member uint64) error {
	var version int
	var of uint64
	if n, _ := fmt.Sscanf(text, "version=%d\n", &version); n == 1 && (version < 1 || version > metaVersion) {
		return fmt.Errorf("%s says version %d, this program reads 1 to %d; use the program that wrote it", name, version, metaVersion)
	}
	var err error
	if version == 1 {
		_, err = fmt.Sscanf(text, metaForm1, &version, &d.id, &of, &d.state)
		d.raft, d.ensemble = of, d.id
	} else {
		_, err = fmt.Sscanf(text, metaForm, &version, &d.id, &of, &d.raft, &d.ensemble, &d.state)
	}
	switch {
	case err != nil || d.state != dirNew && d.state != dirDamaged && d.state != dirReady:
		return fmt.Errorf("%s is damaged; restore it from a backup of this directory", name)
	case of != member:
		return fmt.Errorf("%s says member %d, the configuration says %d; correct myid or the directory", name, of, member)
	}
	return nil
}
