package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/internal/run"
)

const (
	// upLimit bounds the wait for all brokers: a broker that finds the id of
	// its former life taken waits for the end of that session.
	upLimit = 60 * time.Second
	// upPoll is the pause between two looks at a cluster that starts.
	upPoll = 20 * time.Millisecond
	// askTimeout bounds one look at a member.
	askTimeout = time.Second
	// lastGrace is how much longer than its own limit a member may take to stop.
	lastGrace = 5 * time.Second
)

var errInterruptedUp = errors.New("interrupted while starting")

// upOptions are the flags of `cluster up`.
type upOptions struct {
	shape     shape
	overrides []string
	level     string
}

// cluster is a local cluster that this process runs.
type cluster struct {
	Program
	dir      *clusterDir
	options  upOptions
	signals  chan os.Signal
	group    *run.Group
	children []*child // the keeper first
	ended    chan *child
}

// clusterUp runs a cluster until a signal, or until its last process has ended.
// given are the flags of the shape that were set.
func (p Program) clusterUp(ctx context.Context, dir string, o upOptions, given map[string]int) (err error) {
	d, err := newClusterDir(p.Env.FS, dir)
	if err != nil {
		return err
	}
	release, err := d.claim(o.shape, given)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := p.freePorts(ctx, d); err != nil {
		return err
	}
	if err := errors.Join(d.furnish(), d.writePID(d.in(pidFile), os.Getpid())); err != nil {
		return err
	}
	c := &cluster{Program: p, dir: d, options: o, signals: make(chan os.Signal, 2), group: run.NewGroup(ctx), ended: make(chan *child, d.brokers+1)}
	signal.Notify(c.signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(c.signals)
	defer p.stacksOnQuit(ctx)()
	// A child dies with the thread that started it (see childAttr): this one
	// stays until the last of them is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer c.killAll()
	return c.live(ctx)
}

// freePorts makes sure that every member can have its port, so that a clash is
// told before anything has started.
func (p Program) freePorts(ctx context.Context, d *clusterDir) error {
	for _, m := range d.members() {
		l, err := p.Env.Net.Listen(ctx, "tcp", m.addr)
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			return fmt.Errorf("%s cannot have its port: %v; stop who has it, or choose others with --port and --keeper-port and another --dir", m.name, err)
		}
	}
	return nil
}

func (c *cluster) live(ctx context.Context) error {
	began := c.Env.Clock.Now()
	if err := c.start(ctx); err != nil {
		_ = c.stop() // a member that was just starting ends with an error: this one matters
		return err
	}
	c.screen(c.Env.Clock.Now().Sub(began))
	for {
		select {
		case s := <-c.signals:
			fmt.Fprintf(c.Out, "%s: stopping the brokers, then the keeper\n", s)
			return c.stop()
		case dead := <-c.ended:
			c.report(dead)
			if len(c.living()) == 0 {
				return errors.New("no process of the cluster is left")
			}
		}
	}
}

// start brings all members up and waits until every broker knows all of them.
func (c *cluster) start(ctx context.Context) error {
	if err := c.launch(c.dir.keeper()); err != nil {
		return err
	}
	if err := c.await(ctx, c.keeperServes); err != nil {
		return err
	}
	for id := range c.dir.brokers {
		if err := c.launch(c.dir.broker(id)); err != nil {
			return err
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.dir.bootstrap()...), kgo.DialTimeout(askTimeout), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	return c.await(ctx, func(ctx context.Context) error { return c.allKnown(ctx, cl) })
}

func (c *cluster) launch(m member) error {
	overrides := c.options.overrides
	if m.verb == "keeper" {
		overrides = nil
	}
	child, err := c.dir.launch(c.group, m, m.arguments(overrides, c.options.level), c.ended)
	if child != nil {
		c.children = append(c.children, child)
	}
	return err
}

// await polls until ok returns nil. It gives up when a member ends, a signal
// comes, or it takes too long.
func (c *cluster) await(ctx context.Context, ok func(context.Context) error) error {
	deadline := c.Env.Clock.Now().Add(upLimit)
	for {
		bounded, cancel := context.WithTimeout(ctx, askTimeout)
		err := ok(bounded)
		cancel()
		if err == nil {
			return nil
		}
		if c.Env.Clock.Now().After(deadline) {
			return fmt.Errorf("the cluster is not up after %v: %w; its log files are %s in %s", upLimit, err, outputFile, c.dir.path)
		}
		if err := c.pauseUp(ctx); err != nil {
			return err
		}
	}
}

// pauseUp waits for upPoll, or returns what must end the start.
func (c *cluster) pauseUp(ctx context.Context) error {
	t := c.Env.Clock.NewTimer(upPoll)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-c.signals:
		return errInterruptedUp
	case dead := <-c.ended:
		c.report(dead)
		return fmt.Errorf("%s ended while the cluster started", dead.name)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *cluster) keeperServes(ctx context.Context) error {
	conn, err := c.Env.Net.Dial(ctx, "tcp", c.dir.keeper().addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// allKnown asks every broker for the brokers that it knows.
func (c *cluster) allKnown(ctx context.Context, cl *kgo.Client) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for id, b := range cl.SeedBrokers() {
		resp, err := req.RequestWith(ctx, b)
		switch {
		case err != nil:
			return fmt.Errorf("broker %d: %w", id, err)
		case len(resp.Brokers) < c.dir.brokers || resp.ControllerID < 0:
			return fmt.Errorf("broker %d knows %d of %d brokers, controller %d", id, len(resp.Brokers), c.dir.brokers, resp.ControllerID)
		}
	}
	return nil
}

// screen tells what listens where and what to type next.
func (c *cluster) screen(took time.Duration) {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", label, fmt.Sprintf(format, args...))
	}
	bootstrap := c.dir.bootstrap()
	fmt.Fprintf(&b, "gregor cluster of %s is up after %d ms\n\n", count(c.dir.brokers, "broker"), took.Milliseconds())
	line("kafka", "%s", strings.Join(bootstrap, ","))
	line("zookeeper", "%s", c.dir.keeper().addr)
	for _, m := range c.children {
		line(m.name, "process %d, folder %s, output in its %s", m.cmd.Process.Pid, m.dir, outputFile)
	}
	b.WriteString("\n  try\n")
	fmt.Fprintf(&b, "    echo hello | gregor produce --bootstrap-server %s --topic greetings\n", bootstrap[0])
	fmt.Fprintf(&b, "    gregor consume --bootstrap-server %s --topic greetings --from-beginning --exit-at-end\n", bootstrap[len(bootstrap)-1])
	fmt.Fprintf(&b, "    gregor zk --zookeeper %s ls -R /brokers\n", c.dir.keeper().addr)
	fmt.Fprintf(&b, "    kill -9 %d\n", c.children[len(c.children)-1].cmd.Process.Pid)
	fmt.Fprintf(&b, "    gregor cluster status --dir %s\n", quoted(c.dir.path))
	fmt.Fprintf(&b, "  Ctrl-C stops it cleanly; gregor cluster up --dir %s continues it.\n", quoted(c.dir.path))
	fmt.Fprint(c.Out, b.String())
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// report says that a member ended by itself, and how to go on without it.
func (c *cluster) report(dead *child) {
	how := "exit code 0"
	if dead.err != nil {
		how = dead.err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "gregor: %s ended (%s)", dead.name, how)
	lines, err := c.dir.tail(dead.output(), dead.from)
	switch {
	case err != nil:
		fmt.Fprintf(&b, "; its output cannot be read: %v\n", err)
	case len(lines) == 0:
		b.WriteString(" and has written nothing\n")
	default:
		fmt.Fprintf(&b, "; the end of %s:\n", dead.output())
		for _, l := range lines {
			fmt.Fprintf(&b, "    %s\n", l)
		}
	}
	fmt.Fprintf(&b, "  start it alone: %s\n", dead.command(dead.args))
	fmt.Fprint(c.Err, b.String())
}

func (c *cluster) living() []*child {
	var out []*child
	for _, m := range c.children {
		if !m.ended() {
			out = append(out, m)
		}
	}
	return out
}

// stop ends the brokers, all at once, and then the keeper, which they need to
// leave in order. What does not end in time is killed.
func (c *cluster) stop() error {
	if len(c.children) == 0 {
		return nil
	}
	began := c.Env.Clock.Now()
	err := c.terminate(c.children[1:], began)
	if !errors.Is(err, errSecondSignal) {
		err = errors.Join(err, c.terminate(c.children[:1], began))
	}
	return err
}

var errSecondSignal = errors.New("second signal: all processes were killed; the next start recovers the logs")

// terminate stops processes cleanly and says which of them were not. began is
// when the stop began: signals right after it are the first one still.
func (c *cluster) terminate(all []*child, began time.Time) error {
	var stopping []*child
	for _, m := range all {
		if !m.ended() {
			m.signal(syscall.SIGTERM)
			stopping = append(stopping, m)
		}
	}
	limit := c.Env.Clock.NewTimer(stopTimeout + lastGrace)
	defer limit.Stop()
	var errs []error
	for _, m := range stopping {
		for !m.ended() {
			select {
			case <-m.done:
			case <-c.signals:
				if c.Env.Clock.Now().Sub(began) >= sameSignal {
					c.killAll()
					return errSecondSignal
				}
			case <-limit.C():
				errs = append(errs, fmt.Errorf("%s does not stop: killed", m.name))
				m.signal(syscall.SIGKILL)
				<-m.done
				limit.Reset(0) // nor do the others get more time
			}
		}
		if m.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w; its output is %s", m.name, m.err, m.output()))
		}
	}
	return errors.Join(errs...)
}

// killAll leaves no process behind.
func (c *cluster) killAll() {
	for _, m := range c.living() {
		m.signal(syscall.SIGKILL)
		<-m.done
	}
	_ = c.group.Wait() // its goroutines return no errors
}
