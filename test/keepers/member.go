package keepers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/ensemble"
)

// member is a machine on which a keeper is kept running: one that ends by itself
// is started again, as by a supervisor.
type member struct {
	*machine
	number uint64
	cfg    keeper.Config
	// listens is where a real process listens for clients.
	listens string
	// end ends the life that runs, nil while there is none; the keeper stops
	// cleanly when the cause is errStop.
	end   context.CancelCauseFunc
	ended sync.WaitGroup
	mu    struct {
		sync.Mutex
		leads bool
		// voters and learners are how many of each it knows, by what it logged last.
		voters, learners int
	}
}

const (
	clientPort = 2181
	quorumPort = 2888
	dataDir    = "/keeper"
)

// newMembers makes the machines of an ensemble.
func (w *world) newMembers() {
	var servers []ensemble.Server
	for i := range w.setup.voters + w.setup.observers {
		m := &member{machine: w.newMachine(fmt.Sprintf("keeper-%d", i+1)), number: uint64(i + 1)}
		w.members = append(w.members, m)
		servers = append(servers, ensemble.Server{
			Number: m.number, Host: m.addr, QuorumPort: quorumPort, ElectionPort: quorumPort + 1000, Observer: i >= w.setup.voters,
		})
	}
	for _, m := range w.members {
		m.cfg = keeper.Config{
			DataDir: dataDir, Listen: []string{m.client()}, TickTime: tick, MaxSessionTimeout: time.Minute,
			MaxClientCnxns: -1, SnapCount: w.setup.snapCount, Member: m.number, Servers: servers,
		}
	}
}

// client is where its clients find it.
func (m *member) client() string {
	if m.listens != "" {
		return m.listens
	}
	return fmt.Sprintf("%s:%d", m.addr, clientPort)
}

var (
	errStop = errors.New("asked to stop")
	errKill = errors.New("killed")
)

// restartPause is how long a supervisor waits.
const restartPause = 500 * time.Millisecond

// boot starts the process; it does not wait until it is up.
func (m *member) boot() {
	ctx, end := context.WithCancelCause(context.Background())
	m.end = end
	m.w.sleep(time.Millisecond) // what begins together has no order
	m.w.trace.Add("%s boots", m.Name())
	m.ended.Go(func() {
		for ctx.Err() == nil {
			m.live(ctx)
			_ = env.Sleep(ctx, m.w.sched, restartPause) // ends with ctx, as the loop does
		}
	})
}

// live is one run of the keeper.
func (m *member) live(ctx context.Context) {
	log := slog.New(slog.NewTextHandler(&lines{m}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	k, err := keeper.Start(ctx, m.cfg, m.Boot(), log)
	if err != nil {
		m.w.trace.Add("%s does not start: %v", m.Name(), err)
		return
	}
	select {
	case <-k.Done():
		m.w.trace.Add("%s ends by itself: %v", m.Name(), k.Err())
		m.mayEnd(k.Err())
	case <-ctx.Done():
	}
	m.note("msg=ends")
	limit := time.Nanosecond
	if errors.Is(context.Cause(ctx), errStop) {
		limit = stopLimit
	}
	stopping, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = k.Stop(stopping)
	m.w.trace.Add("%s is down: %v", m.Name(), err)
}

// mayEnd notes an end that no fault explains.
func (m *member) mayEnd(err error) {
	if text := fmt.Sprint(err); !strings.Contains(text, errFull.Error()) && !strings.Contains(text, "this process was killed") {
		m.w.problem("%s ended by itself: %v", m.Name(), err)
	}
}

// stopLimit bounds a clean stop.
const stopLimit = 30 * time.Second

// kill is kill -9; the machine and its disk stay.
func (m *member) kill() {
	if m.end != nil {
		m.Kill()
		m.finish(errKill)
	}
}

// stop is SIGTERM; it returns when the process has ended.
func (m *member) stop() {
	if m.end != nil {
		m.Resume()
		m.finish(errStop)
	}
}

func (m *member) finish(why error) {
	m.w.trace.Add("%s: %v", m.Name(), why)
	m.end(why)
	m.ended.Wait()
	m.end = nil
}

// powerCut takes the power from the machine: what was not synced may be lost.
func (m *member) powerCut(keepPercent int) {
	m.Kill()
	m.disk = m.disk.CrashClone(memfs.Crash{Rand: m.w.rng.Std(), KeepPercent: keepPercent})
	m.PowerCut(m.disk)
	if m.end != nil {
		m.finish(errKill)
	}
}

// loseDisk is the end of a machine that gets an empty disk.
func (m *member) loseDisk() {
	m.kill()
	m.disk = memfs.New(0, m.w.sched.Now)
	m.PowerCut(m.disk)
}

// lines puts log lines into the event log.
type lines struct{ of *member }

// Write implements io.Writer; it gets whole lines.
func (l *lines) Write(b []byte) (int, error) {
	_, text, _ := strings.Cut(string(b), " ") // without the time, which the event log has
	text = strings.TrimSpace(text)
	l.of.w.trace.Add("%s: %s", l.of.Name(), text)
	l.of.note(text)
	return len(b), nil
}

// note hears what the keeper logs.
func (m *member) note(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case strings.Contains(line, "msg=leads term="):
		m.mu.leads = true
	case strings.Contains(line, `msg="leads no longer"`):
		m.mu.leads = false
	case strings.Contains(line, "msg=ends"):
		m.mu.leads, m.mu.voters = false, 0
	case strings.Contains(line, "switched to configuration "):
		m.mu.voters, m.mu.learners = count(line, "voters=("), count(line, "learners=(")
	}
}

// count is how many ids a list of raft's has, 0 while members change.
func count(line, name string) int {
	_, rest, _ := strings.Cut(line, name)
	list, rest, _ := strings.Cut(rest, ")")
	if strings.HasPrefix(rest, "&&") {
		return 0
	}
	return len(strings.Fields(list))
}

func (m *member) leads() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.leads
}

// isMember reports whether it has been taken in since it began.
func (m *member) isMember() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.voters == m.w.setup.voters && m.mu.learners == m.w.setup.observers
}

// leader is the member that says it leads, nil for none.
func (w *world) leader() *member {
	for _, m := range w.members {
		if m.leads() {
			return m
		}
	}
	return nil
}

// whole reports whether the leader knows all members as what they are to be.
func (w *world) whole() bool {
	m := w.leader()
	if m == nil {
		return false
	}
	return m.isMember()
}
