package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/keeper/pipe"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/watch"
)

// Keeper is a running server.
type Keeper struct {
	cfg     Config
	quirks  quirks
	env     env.Env
	log     *slog.Logger
	started time.Time
	dir     *directory

	outer  *run.Group // waits for group
	group  *run.Group
	inbox  *run.Inbox[*call]
	memory requestMemory
	ready  chan struct{} // closed when clients may come
	done   chan struct{} // closed when all has ended
	err    error         // why, readable after done
	listen []net.Listener
	sites  []site     // over HTTP
	gate   gate       // before them
	audit  *auditor   // nil for none
	backup sync.Mutex // one backup or restore at a time

	// state is the tree. The loop alone changes it.
	state struct {
		sync.RWMutex
		tree *tree.Tree
	}
	watches  *watch.Table
	sessions sessionTable
	conns    connTable
	stats    serverStats
	measures *measures
	// traceMask is what stmk set and gtmk shows.
	traceMask atomic.Int64
	disk      diskSizes
	guard     guard
	words     map[string]bool // the four-letter words to answer, "*" for all

	// In an ensemble; quorum is nil for a keeper that is alone.
	quorum     *quorum
	role       atomic.Pointer[role]
	ensembleID atomic.Uint64
	touched    touchList
	retired    []*tree.Tree // replaced while a snapshot of them is written; the loop's
	until      atomic.Int64 // elapsed ms to which clients are served
	writer     *logWriter   // once there is one
}

// diskSizes are figures for conf and dirs, in bytes.
type diskSizes struct {
	logs, snaps atomic.Int64
	last        atomic.Pointer[lastSnapshot] // nil for none
}

// inboxLimit bounds writes that wait for the loop. Connections that would
// exceed it stop reading.
const inboxLimit = 4096

// Start opens the data directory, recovers, and serves clients. It returns when
// clients may come, or with the reason why not; ctx bounds the start only.
func Start(ctx context.Context, cfg Config, e env.Env, log *slog.Logger) (*Keeper, error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.check(), cfg.checkServers()); err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	k := &Keeper{
		cfg: cfg, env: e, log: log, started: e.Clock.Now(),
		inbox: run.NewInbox[*call](inboxLimit), memory: newRequestMemory(cfg.RequestMemory), ready: make(chan struct{}), done: make(chan struct{}),
		quirks: emulated[cfg.Emulate], watches: emulated[cfg.Emulate].watches(), words: map[string]bool{}, measures: newMeasures(),
	}
	k.traceMask.Store(traceMask)
	k.sessions.m, k.conns.m, k.conns.perAddr = map[int64]*session{}, map[watch.Conn]*conn{}, map[string]int{}
	for _, w := range cfg.FourLetterWords {
		k.words[w] = true
	}
	dir, err := openDirectory(e, cfg)
	if err != nil {
		return nil, err
	}
	k.dir = dir
	if err := k.openAudit(); err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), dir.close())
	}
	// Ports first: a keeper that cannot listen changes nothing on disk.
	if err := k.bind(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), dir.close())
	}
	if err := k.begin(context.WithoutCancel(ctx)); err != nil {
		return nil, errors.Join(err, k.unbind(), dir.close())
	}
	if cfg.inEnsemble() {
		return k, nil // clients are served once there is a majority
	}
	select {
	case <-k.ready:
		return k, nil
	case <-k.done:
		return nil, cmpErr(k.err, errors.New("keeper: ended while it started"))
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), k.Stop(context.WithoutCancel(ctx)))
	}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// bind opens the listeners; nothing is accepted before the keeper is ready.
func (k *Keeper) bind(ctx context.Context) error {
	ports, err := k.openGuard()
	if err != nil {
		return err
	}
	for _, p := range ports {
		l, err := k.env.Net.Listen(ctx, "tcp", p.addr)
		if err != nil {
			return errors.Join(fmt.Errorf("cannot listen on %s: %w", p.addr, err), k.unbind())
		}
		k.listen = append(k.listen, p.wrap(l))
	}
	if err := k.bindSites(ctx); err != nil {
		return errors.Join(err, k.unbind())
	}
	return nil
}

// unbind closes the listeners of a keeper that does not start.
func (k *Keeper) unbind() error {
	var errs []error
	for _, l := range k.listen {
		errs = append(errs, l.Close())
	}
	for _, s := range k.sites {
		errs = append(errs, s.ln.Close())
	}
	return errors.Join(errs...)
}

// begin recovers and starts all goroutines; ctx carries their labels and never
// ends. A member of an ensemble recovers later: first it must know whether it has
// ever been one.
func (k *Keeper) begin(ctx context.Context) error {
	k.ensembleID.Store(k.dir.ensemble)
	if k.cfg.inEnsemble() {
		var err error
		if k.quorum, err = k.newQuorum(); err != nil {
			return err
		}
		k.until.Store(unheard)
		k.launch(ctx, k.runMember)
		return nil
	}
	l, w, err := k.recover()
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	k.until.Store(math.MaxInt64)
	k.writer = w
	k.launch(ctx, func(ctx context.Context) error {
		k.group.Go("keeper-log", w.run)
		return l.run(ctx)
	})
	return nil
}

// launch starts all goroutines.
func (k *Keeper) launch(ctx context.Context, loop func(context.Context) error) {
	k.outer = run.NewGroup(ctx)
	k.group = run.NewGroup(k.outer.Context())
	k.group.Go("keeper-loop", loop)
	k.group.Go("keeper-closer", k.closeAll)
	for _, ln := range k.listen {
		k.group.Go("keeper-accept", func(ctx context.Context) error { return k.accept(ctx, ln) })
	}
	k.serveSites()
	k.startAudit()
	k.outer.Go("keeper-end", func(context.Context) error {
		k.end(k.group.Wait())
		return nil
	})
}

// end closes what is left when all goroutines are gone.
func (k *Keeper) end(err error) {
	if t := k.state.tree; t != nil {
		t.Close()
	}
	k.closeRetired()
	if w := k.writer; w != nil {
		err = errors.Join(err, w.log.Close())
		err = errors.Join(err, w.end.close(k.env.FS, w.log.End()))
	}
	if err = errors.Join(err, k.dir.close()); err != nil {
		k.err = fmt.Errorf("keeper: %w", err)
		k.log.Error("keeper ended", "error", k.err)
	}
	k.stopAudit()
	close(k.done)
}

// closeAll unblocks every goroutine once the keeper is to end.
func (k *Keeper) closeAll(ctx context.Context) error {
	<-ctx.Done()
	if k.quorum != nil {
		k.quorum.events.Close()
		_ = k.quorum.peers.Stop(context.WithoutCancel(ctx)) // nothing bounds it
	}
	k.closeSites()
	for _, l := range k.listen {
		// What Close could report is of no use any more.
		_ = l.Close()
	}
	for _, c := range k.conns.closeTable() {
		c.close()
	}
	return nil
}

// acceptPause is how long accept rests after the system refused a connection
// (too many open files): long enough not to spin.
const acceptPause = 50 * time.Millisecond

// accept takes connections of one listener. What the system refuses for a
// while must not take the keeper away from those that are connected.
func (k *Keeper) accept(ctx context.Context, l net.Listener) error {
	if k.quorum == nil { // or clients are told that there is no majority
		select {
		case <-k.ready:
		case <-ctx.Done():
			return nil
		}
	}
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		if err != nil {
			k.log.Error("cannot accept a connection", "listener", l.Addr(), "error", err)
			if env.Sleep(ctx, k.env.Clock, acceptPause) != nil {
				return nil
			}
			continue
		}
		if err := k.serve(nc, false); err != nil {
			k.measures.rejected.Add(1)
			k.log.Warn("connection refused", "remote", nc.RemoteAddr(), "reason", err)
			_ = nc.Close()
		}
	}
}

// pipeAddr is what both ends of a pipe say their address is: the host's own, so
// that ACLs of scheme ip treat the embedded broker as a local client.
type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "127.0.0.1:0" }

// Pipe returns a connection within this process. A session made over it ends
// with the process: the keeper closes it when it starts again. It counts as no
// network client.
func (k *Keeper) Pipe(ctx context.Context) (net.Conn, error) {
	select {
	case <-k.ready:
	case <-k.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	client, server := pipe.New(k.env.Clock, pipeAddr{}, pipeAddr{})
	if err := k.serve(server, true); err != nil {
		return nil, err
	}
	return client, nil
}

// Addrs returns the addresses on which the keeper listens.
func (k *Keeper) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, l := range k.listen {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// Stop ends the keeper and waits until all is closed, or ctx ends. Sessions
// stay: their clients may come back after a restart.
func (k *Keeper) Stop(ctx context.Context) error {
	k.group.Stop()
	select {
	case <-k.done:
		return k.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Done is closed when the keeper has ended, by Stop or by a failure.
func (k *Keeper) Done() <-chan struct{} { return k.done }

// Err returns why the keeper ended, nil while it runs and after Stop.
func (k *Keeper) Err() error {
	select {
	case <-k.done:
		return k.err
	default:
		return nil
	}
}

// elapsed is the time since the start in ms, which no clock change bends.
func (k *Keeper) elapsed() int64 { return k.env.Clock.Now().Sub(k.started).Milliseconds() }
