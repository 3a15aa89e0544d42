package node

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/storage"
)

// openDirs opens and locks every entry of log.dirs. A directory that another
// process holds is an error; one whose disk fails is left out with a line in
// the log, as long as another one works.
func openDirs(e env.Env, paths []string, log *slog.Logger) ([]*storage.Dir, error) {
	var dirs []*storage.Dir
	var failures []error
	for _, path := range paths {
		d, err := storage.OpenDir(e, path, storage.DirOptions{Log: log})
		if err == nil {
			dirs = append(dirs, d)
			continue
		}
		failures = append(failures, err)
		if _, ok := errors.AsType[*storage.LockedError](err); ok {
			return nil, errors.Join(err, closeDirs(dirs))
		}
		log.Error("log directory cannot be used", "dir", path, "error", err)
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no entry of log.dirs can be used: %w", errors.Join(failures...))
	}
	return dirs, nil
}

func closeDirs(dirs []*storage.Dir) error {
	var errs []error
	for _, d := range dirs {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
