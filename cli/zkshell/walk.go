package zkshell

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// walkBatch is how many nodes are asked for without waiting in between: enough
// to hide the way to the server, and little memory in wide trees.
const walkBatch = 256

// walker goes over a tree, parents before their children, in order of names.
type walker struct {
	s     *session.Session
	visit func(path string, stat zk.Stat) error
	// denied are the paths whose ACL does not allow to read them.
	denied []string
}

// walk visits root and all below it. Nodes that go meanwhile are left out.
func walk(ctx context.Context, s *session.Session, root string, visit func(path string, stat zk.Stat) error) error {
	w := &walker{s: s, visit: visit}
	names, stat, err := s.Children(ctx, root, false)
	if err != nil {
		return explain(err)
	}
	if err := visit(root, stat); err != nil {
		return err
	}
	if err := w.below(ctx, root, names); err != nil {
		return err
	}
	return explain(reach.Unreadable(w.denied))
}

func (w *walker) below(ctx context.Context, parent string, names []string) error {
	slices.Sort(names)
	for batch := range slices.Chunk(names, walkBatch) {
		reqs := make([]zk.Request, len(batch))
		for i, name := range batch {
			reqs[i] = &zk.GetChildren2Request{Path: join(parent, name)}
		}
		for i, r := range w.s.Do(ctx, reqs) {
			path := join(parent, batch[i])
			switch {
			case errors.Is(r.Err, zk.ErrNoNode):
				continue
			case errors.Is(r.Err, zk.ErrNoAuth):
				w.denied = append(w.denied, path)
				continue
			case r.Err != nil:
				return fmt.Errorf("read %s: %w", path, r.Err)
			}
			node, ok := r.Body.(*zk.GetChildren2Response)
			if !ok {
				must.Bug("children of %s are a %T", path, r.Body)
			}
			if err := w.visit(path, node.Stat); err != nil {
				return err
			}
			if len(node.Children) == 0 {
				continue
			}
			if err := w.below(ctx, path, node.Children); err != nil {
				return err
			}
		}
	}
	return nil
}

// join makes the path of a child.
func join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}
