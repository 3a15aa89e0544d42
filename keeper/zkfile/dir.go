package zkfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
)

// versionDir is the directory inside dataDir and dataLogDir that holds all.
const versionDir = "version-2"

// The names of files begin with these, then the zxid in hex.
const (
	snapPrefix = "snapshot."
	logPrefix  = "log."
)

// File is one file of a directory.
type File struct {
	// Name is its path.
	Name string
	// Zxid is the one in its name: the last transaction that a snapshot surely
	// holds, or the first of a log.
	Zxid int64
}

// Dir is a data directory of ZooKeeper.
type Dir struct {
	// Snapshots and Logs are sorted by zxid, oldest first.
	Snapshots, Logs []File
	// Epoch is the highest that this member of an ensemble agreed to, 0 when
	// it was alone.
	Epoch int64
}

// ErrNone says that a directory holds nothing of ZooKeeper.
var ErrNone = errors.New("no snapshot and no log of ZooKeeper")

// Find lists the files of a dataDir and a dataLogDir, which may be empty for
// the same. Either may be named with or without its version-2.
func Find(fsys env.FS, dataDir, dataLogDir string) (*Dir, error) {
	snaps := inside(fsys, dataDir)
	logs := inside(fsys, cmp.Or(dataLogDir, dataDir))
	d := &Dir{}
	var err error
	if d.Snapshots, err = list(fsys, snaps, snapPrefix); err != nil {
		return nil, err
	}
	if d.Logs, err = list(fsys, logs, logPrefix); err != nil {
		return nil, err
	}
	if len(d.Snapshots) == 0 && len(d.Logs) == 0 {
		return nil, fmt.Errorf("%s: %w", dataDir, ErrNone)
	}
	for _, name := range []string{"acceptedEpoch", "currentEpoch"} {
		e, err := readEpoch(fsys, filepath.Join(snaps, name))
		if err != nil {
			return nil, err
		}
		d.Epoch = max(d.Epoch, e)
	}
	return d, nil
}

// Is reports whether a directory looks like ZooKeeper's.
func Is(fsys env.FS, dir string) bool {
	_, err := Find(fsys, dir, "")
	return !errors.Is(err, ErrNone) && !errors.Is(err, fs.ErrNotExist)
}

func inside(fsys env.FS, dir string) string {
	below := filepath.Join(dir, versionDir)
	if _, err := fsys.Stat(below); err == nil {
		return below
	}
	return dir
}

func list(fsys env.FS, dir, prefix string) ([]File, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("zookeeper data: %w", err)
	}
	var found []File
	for _, e := range entries {
		zxid, ok := zxidOf(e.Name(), prefix)
		if ok && !e.IsDir() {
			found = append(found, File{filepath.Join(dir, e.Name()), zxid})
		}
	}
	slices.SortStableFunc(found, func(a, b File) int { return cmp.Compare(a.Zxid, b.Zxid) })
	return found, nil
}

// zxidOf reads the zxid in a name, behind which only a snapshot may have more:
// how it is compressed.
func zxidOf(name, prefix string) (int64, bool) {
	text, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if prefix == snapPrefix {
		text, _ = strings.CutSuffix(text, packedGzip)
		text, _ = strings.CutSuffix(text, packedSnappy)
	}
	zxid, err := strconv.ParseInt(text, 16, 64)
	return zxid, err == nil && zxid >= 0
}

// readEpoch reads a file that an ensemble's member keeps, 0 when there is none.
func readEpoch(fsys env.FS, name string) (int64, error) {
	text, err := fsys.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("zookeeper data: %w", err)
	}
	e, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
	if err != nil || e < 0 {
		return 0, &CorruptError{File: name, Reason: fmt.Sprintf("%q is no epoch", text)}
	}
	return e, nil
}
