package reach

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// maxNamed is how many paths an error names: more do not help, and the first of
// many mostly stand for all.
const maxNamed = 10

// Unreadable is the error of nodes whose ACL does not allow to read them, nil for
// none.
func Unreadable(paths []string) error {
	switch n := len(paths); {
	case n == 0:
		return nil
	case n > maxNamed:
		return fmt.Errorf("%d nodes may not be read, %s and %d more: %w", n, strings.Join(paths[:maxNamed], ", "), n-maxNamed, zk.ErrNoAuth)
	}
	return fmt.Errorf("%s may not be read: %w", strings.Join(paths, ", "), zk.ErrNoAuth)
}

// Denied adds to an error that an ACL is the reason of what helps.
func Denied(err error) error {
	if errors.Is(err, zk.ErrNoAuth) {
		return fmt.Errorf("%w: its ACL does not allow that (--zookeeper-auth adds an id)", err)
	}
	return err
}
