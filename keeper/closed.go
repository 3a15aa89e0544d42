package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gregor-mq/gregor/internal/env"
)

// closedName is the file that says where the log ended when the keeper stopped
// in order. It exists only between a stop and the next start.
const closedName = "keeper.closed"

// logEnd is the content of closedName. A log that is shorter was cut by
// somebody: without it a cut looks like what a power cut leaves of a write that
// nobody was told of.
type logEnd struct {
	segment string
	size    int64 // in bytes
}

// noteEnd writes the mark; the log is closed and durable.
func (d *directory) noteEnd(files env.FS, dir string, end logEnd) error {
	name := filepath.Join(dir, closedName)
	f, err := files.Open(name+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "version=1\nlog=%s\nsize=%d\n", end.segment, end.size), 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = files.Rename(name+".tmp", name)
	}
	if err == nil {
		err = files.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// checkEnd refuses a log that is shorter than when the keeper stopped. It
// changes nothing.
func (d *directory) checkEnd(files env.FS, dir string) error {
	text, err := files.ReadFile(filepath.Join(dir, closedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var end logEnd
	if _, err := fmt.Sscanf(string(text), "version=1\nlog=%s\nsize=%d\n", &end.segment, &end.size); err != nil {
		return nil // it is evidence only, and says nothing
	}
	segment := filepath.Join(d.logs, filepath.Base(end.segment))
	st, err := files.Stat(segment)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("log %s is missing, it was there when the keeper stopped; nothing was changed: "+
			"put it back or check dataLogDir, or restore the directory from a backup", segment)
	case err != nil:
		return err
	case st.Size() < end.size:
		return fmt.Errorf("log %s has %d bytes, it had %d when the keeper stopped: acknowledged writes are cut off; nothing was changed: "+
			"restore the directory from a backup, or from another member of the ensemble", segment, st.Size(), end.size)
	}
	return nil
}

// forgetEnd removes the mark before anything is appended.
func (d *directory) forgetEnd(files env.FS, dir string) error {
	err := files.Remove(filepath.Join(dir, closedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, files.SyncDir(dir))
}
