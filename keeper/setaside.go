package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/snap"
	"github.com/gregor-mq/gregor/keeper/wal"
)

// isDamage reports whether what is on disk cannot be what was written, so that
// another member's state is to be preferred.
func isDamage(err error) bool {
	_, log := errors.AsType[*wal.CorruptError](err)
	_, snapshot := errors.AsType[*snap.CorruptError](err)
	return log || snapshot || errors.Is(err, wal.ErrMissing)
}

// recoverOrRejoin recovers; a member of an ensemble whose data is damaged puts it
// aside and begins as one that has none.
func (k *Keeper) recoverOrRejoin() (*loop, *logWriter, error) {
	l, w, err := k.recover()
	if err == nil || k.dir.ensemble == 0 || !isDamage(err) {
		return l, w, err
	}
	where, asideErr := k.dir.setAside(k.env, k.cfg)
	if asideErr != nil {
		return nil, nil, errors.Join(err, asideErr)
	}
	k.log.Error("the data is damaged; it was put aside, and the other members' is taken over", "damage", err, "put_aside", where)
	return k.recover()
}

// setAside moves what a directory holds into one of its own, which nobody touches
// again, and makes the member a new one: it does not know any more what it promised.
// After a crash in between it is done again.
func (d *directory) setAside(e env.Env, c Config) (where string, err error) {
	name := "damaged-" + e.Clock.Now().UTC().Format("20060102-150405.000")
	where = filepath.Join(c.DataDir, name)
	moves := [][2]string{
		{filepath.Join(c.DataDir, metaName), filepath.Join(where, metaName)}, // a copy: it is written again
		{d.snaps, filepath.Join(where, snapDir)},
		{d.logs, filepath.Join(c.DataLogDir, name, logDir)},
		{filepath.Join(c.DataDir, endName), filepath.Join(where, endName)},
	}
	for _, dir := range []string{where, filepath.Join(c.DataLogDir, name)} {
		if err := env.MkdirDurable(e.FS, dir); err != nil {
			return "", fmt.Errorf("put damaged data aside: %w", err)
		}
	}
	for _, m := range moves[1:] {
		if err := e.FS.Rename(m[0], m[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("put damaged data aside: %w", err)
		}
	}
	for _, dir := range []string{d.snaps, d.logs} {
		if err := env.MkdirDurable(e.FS, dir); err != nil {
			return "", fmt.Errorf("put damaged data aside: %w", err)
		}
	}
	old := d.identity
	if err := d.writeMetaTo(e.FS, c, moves[0][1]); err != nil {
		return "", err
	}
	var id [8]byte
	e.Rand.Read(id[:])
	d.identity = identity{
		id: binary.BigEndian.Uint64(id[:]), raft: raftID(e.Rand.Uint64(), c.Member), ensemble: old.ensemble, state: dirDamaged,
	}
	return where, d.writeMeta(e.FS, c)
}
