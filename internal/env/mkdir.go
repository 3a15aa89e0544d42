package env

import (
	"path/filepath"
	"slices"
)

// MkdirDurable makes a directory with its missing parents so that a power cut
// does not take it away again: each parent that got an entry is synced.
func MkdirDurable(files FS, dir string) error {
	var grown []string
	for p := filepath.Clean(dir); p != filepath.Dir(p); p = filepath.Dir(p) {
		if _, err := files.Stat(p); err == nil {
			break
		}
		grown = append(grown, filepath.Dir(p))
	}
	if err := files.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range slices.Backward(grown) {
		if err := files.SyncDir(p); err != nil {
			return err
		}
	}
	return nil
}
