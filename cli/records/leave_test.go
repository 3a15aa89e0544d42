package records_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/cli"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/verb"
)

// pipe is an output whose reader goes after some bytes.
type pipe struct{ left int }

func (p *pipe) Write(b []byte) (int, error) {
	if len(b) <= p.left {
		p.left -= len(b)
		return len(b), nil
	}
	n := p.left
	p.left = 0
	return n, syscall.EPIPE
}

// TestReaderGone: who cannot write any more has committed what was written, to the
// last whole record, and has left its group.
func TestReaderGone(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("1\n2\n3\n4\n5\n6\n", "-t", "t")
	groups := func(args ...string) string {
		t.Helper()
		return verb.Must(t, "", append([]string{"groups", "--zookeeper", p.c.ZooKeeper()}, args...)...)
	}
	f := func(group, kind string, args ...string) {
		t.Helper()
		var errs bytes.Buffer
		run := cli.Program{Env: env.Real(), Out: &pipe{7}, Err: &errs, Exit: func(int) {}}
		code := run.Run(t.Context(), append(args, "-t", "t", "-g", group, "--from-beginning"))
		if code != 1 || errs.String() != "gregor: standard output: broken pipe\n" {
			t.Errorf("%s: %d, %q", group, code, errs.String())
		}
		out := groups("describe", "-g", group, "--kind", kind)
		want := fmt.Sprintf("group %s in %s: Empty, 0 members\n\nTOPIC  PARTITION  OFFSET  END  LAG  OWNER\nt      0          3       6    3    -\n\n", group, kind)
		verb.Same(t, group, out, want)
		verb.Same(t, group+" goes on", verb.Must(t, "", append(args, "-t", "t", "-g", group, "-n", "3")...), "4\n5\n6\n")
	}
	f("new", "kafka", p.at("consume")...)
	f("old", "zookeeper", p.guided("consume")...)
	f("moved", "kafka", p.guided("consume", "--offset-storage", "kafka")...)
	f("both", "zookeeper", p.guided("consume", "--offset-storage", "both")...)
	if out := groups("describe", "-g", "both", "--kind", "kafka"); !strings.Contains(out, "t      0          6       6    0    -") {
		t.Error(out)
	}
}

// TestNoPartition: a member that never gets a partition ends with the reason, which
// it tells as soon as it knows.
func TestNoPartition(t *testing.T) {
	p := newPlace(t, "t")
	f := func(want string, args ...string) {
		t.Helper()
		verb.Fails(t, "", p.guided("consume", args...), "group g gave this member no partition: "+want)
	}
	f("others own them all, or there are none", "-t", "none", "-g", "g", "--timeout", "1s")
	verb.Must(t, "", "zk", "--zookeeper", p.c.ZooKeeper(), "create", "-p", "/consumers/g/owners/t/0", "somebody")
	w := verb.Start(t, nil, p.guided("consume", "-t", "t", "-g", "g")...)
	w.Await("gregor: warning: rebalance failed 1 times, last: znode /consumers/g/owners/t/0 ")
	w.Interrupt()
	if code := w.Wait(); code != 1 || !strings.Contains(w.Err(), "\ngregor: group g gave this member no partition: rebalance failed") {
		t.Errorf("%d: %s", code, w.Err())
	}
}

// TestCommitsWhileAtWork: offsets are stored now and then, not at the end alone.
func TestCommitsWhileAtWork(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("1\n2\n", "-t", "t")
	verb.Start(t, nil, p.guided("consume", "-t", "t", "-g", "g", "--from-beginning")...).Await("2\n")
	verb.Eventually(t, "an offset is stored", func() error {
		if got := p.offset("g"); got != "2" {
			return fmt.Errorf("offset %q, want 2", got)
		}
		return nil
	})
}

// TestZooKeeperAway: an outage is told, and nobody waits long for the end of it.
func TestZooKeeperAway(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("1\n", "-t", "t")
	g := newGate(t, p.c.ZooKeeper())
	w := verb.Start(t, nil, "consume", "--zookeeper", g.addr(), "-t", "t", "-g", "g", "--from-beginning")
	w.Await("1\n")
	g.set(false)
	w.Await("gregor: warning: ZooKeeper does not answer: trying again\n")
	g.set(true)
	w.Await("gregor: warning: ZooKeeper answers again\n")
	g.set(false)
	verb.Eventually(t, "the second outage is told", func() error {
		if strings.Count(w.Err(), "does not answer") != 2 {
			return errors.New(w.Err())
		}
		return nil
	})
	began := time.Now()
	w.Interrupt()
	if code := w.Wait(); code != 1 || !strings.Contains(w.Err(), "gregor: ZooKeeper does not answer, so that the member is gone with its session only") {
		t.Errorf("%d: %s", code, w.Err())
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// gate is a way to a server that can be shut.
type gate struct {
	listener net.Listener
	to       string
	mu       sync.Mutex // guards what follows
	shut     bool
	conns    []net.Conn
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, to: to}
	go g.serve()
	t.Cleanup(func() {
		_ = l.Close() // it is closed once
		g.set(false)
	})
	return g
}

func (g *gate) addr() string { return g.listener.Addr().String() }

func (g *gate) serve() {
	for {
		in, err := g.listener.Accept()
		if err != nil {
			return
		}
		out, err := new(net.Dialer).DialContext(context.Background(), "tcp", g.to)
		if err != nil {
			_ = in.Close() // the server is gone, and so is the test
			continue
		}
		g.mu.Lock()
		g.conns = append(g.conns, in, out)
		if g.shut {
			g.cutLocked()
		}
		g.mu.Unlock()
		go func() { _, _ = io.Copy(in, out) }() // ends with the connections
		go func() { _, _ = io.Copy(out, in) }()
	}
}

// set opens or shuts the way.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut = !open; g.shut {
		g.cutLocked()
	}
}

func (g *gate) cutLocked() {
	for _, c := range g.conns {
		_ = c.Close() // the other side may have been first
	}
	g.conns = nil
}
