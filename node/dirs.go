package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// openDirs opens and locks every entry of log.dirs. A directory that another
// process holds, or that holds what is no partition, is an error; one whose disk fails is left out with a line in
// the log, as long as another one works.
func openDirs(e env.Env, paths []string, log *slog.Logger) (dirs []*storage.Dir, missing []replica.MissingDir, err error) {
	var failures []error
	for _, path := range paths {
		d, err := storage.OpenDir(e, path, storage.DirOptions{Log: log})
		if err == nil {
			// What does not belong there shows before anything is written.
			if _, err = d.Partitions(); err == nil {
				dirs = append(dirs, d)
				continue
			}
			err = errors.Join(err, d.Close())
		}
		if _, broken := errors.AsType[*storage.DirError](err); !broken {
			return nil, nil, errors.Join(err, closeDirs(dirs))
		}
		failures = append(failures, err)
		missing = append(missing, replica.MissingDir{Path: path, Err: err})
	}
	if len(dirs) == 0 {
		return nil, nil, fmt.Errorf("no entry of log.dirs can be used: %w", errors.Join(failures...))
	}
	for _, m := range missing {
		log.Error("log directory cannot be used", "dir", m.Path, "error", m.Err)
	}
	return dirs, missing, nil
}

func closeDirs(dirs []*storage.Dir) error {
	var errs []error
	for _, d := range dirs {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// dirFailed hears that a log directory went offline. The controller is told, so
// that it gives the partitions other leaders; a broker without any directory
// ends.
func (n *Node) dirFailed(failure *storage.DirError, live int) {
	if live == 0 {
		n.fail(fmt.Errorf("no log directory is left: %w", failure))
		return
	}
	n.runTask("log-dir-failure", func(ctx context.Context) {
		z, data := n.zk.Load().Retrying(), znode.EncodeLogDirEvent(n.settings.Broker().ID)
		if _, _, err := z.Create(ctx, znode.LogDirEventPrefix, data, n.acl(znode.LogDirEventPrefix), zk.PersistentSequential); err != nil {
			n.log.Error("cannot tell the controller of a failed log directory", "dir", failure.Dir, "error", err)
		}
	})
}
