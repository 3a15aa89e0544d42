package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

const (
	// DefaultZooKeeper is where `gregor server` and `gregor keeper` listen.
	DefaultZooKeeper = "127.0.0.1:2181"
	// ConnectTimeout bounds how long a verb waits for a first answer.
	ConnectTimeout = 10 * time.Second
	// dialsPerServer is after how many failed dials a server counts as down: one
	// more than one, since servers restart.
	dialsPerServer = 2
)

// ZooKeeper says where the ensemble is.
type ZooKeeper struct {
	// Connect is in the form of zookeeper.connect; empty when it is not wanted.
	Connect string
	// Auth are ids "scheme:id" that the session has, "digest:user:password".
	Auth []string
}

// Flags adds --zookeeper and --zookeeper-auth to a command and all below it.
func (z *ZooKeeper) Flags(cmd *cobra.Command, byDefault string) {
	cmd.PersistentFlags().StringVar(&z.Connect, "zookeeper", byDefault, "ZooKeeper as `HOST:PORT[,…][/CHROOT]`")
	cmd.PersistentFlags().StringArrayVar(&z.Auth, "zookeeper-auth", nil, "an id of the session, `SCHEME:ID`, digest:user:password (may be repeated)")
}

// Dial makes a session. The error says why no server took it.
func (z *ZooKeeper) Dial(ctx context.Context, e env.Env) (*session.Session, error) {
	servers, chroot, err := znode.ParseConnect(z.Connect)
	if err != nil {
		return nil, fmt.Errorf("--zookeeper %q: %w", z.Connect, err)
	}
	cfg := session.Config{Servers: servers, Chroot: chroot}
	if cfg.Auth, err = z.Ids(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &witness{Net: e.Net, left: dialsPerServer * len(servers), giveUp: cancel}
	e.Net = w
	timer := e.Clock.AfterFunc(ConnectTimeout, func() { cancel(w.timeout()) })
	defer timer.Stop()
	s, err := session.Dial(ctx, cfg, e)
	w.done()
	return s, err
}

// CheckChroot returns an error when the chroot of Connect does not exist: most
// likely it is misspelt.
func (z *ZooKeeper) CheckChroot(ctx context.Context, s *session.Session) error {
	_, chroot, err := znode.ParseConnect(z.Connect)
	if err != nil || chroot == "" {
		return err
	}
	if _, err = s.Exists(ctx, "/", false); errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("--zookeeper %s: the chroot %s does not exist", z.Connect, chroot)
	}
	return err
}

// Ids returns Auth taken apart.
func (z *ZooKeeper) Ids() ([]session.AuthInfo, error) {
	var out []session.AuthInfo
	for _, a := range z.Auth {
		scheme, id, ok := strings.Cut(a, ":")
		if !ok || scheme == "" {
			return nil, fmt.Errorf("--zookeeper-auth %q: want SCHEME:ID, such as digest:user:password", a)
		}
		out = append(out, session.AuthInfo{Scheme: scheme, Auth: []byte(id)})
	}
	return out, nil
}

// witness remembers why dialling failed, and gives up on servers that are down:
// a session would try for ever.
type witness struct {
	env.Net
	giveUp context.CancelCauseFunc

	mu   sync.Mutex // guards what follows
	left int        // dials that may still fail; negative when it no longer counts
	last error
}

// Dial implements env.Net.
func (w *witness) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := w.Net.Dial(ctx, network, address)
	if err == nil {
		return conn, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
	if w.left--; w.left == 0 {
		w.giveUp(err)
	}
	return nil, err
}

// done says that the session is made: it may connect again as often as it likes.
func (w *witness) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = -1
}

func (w *witness) timeout() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil {
		return fmt.Errorf("no server answers within %v: %w", ConnectTimeout, w.last)
	}
	return fmt.Errorf("no server answers within %v", ConnectTimeout)
}
