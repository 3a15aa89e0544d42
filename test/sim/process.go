package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/node"
)

// program is what runs in a process.
type program interface {
	// Done is closed when it ended by itself.
	Done() <-chan struct{}
	Stop(ctx context.Context) error
}

// process keeps a program running on a machine: one that ends by itself is
// started again, as by a supervisor.
type process struct {
	*machine
	start func(ctx context.Context, e env.Env, levels *node.Levels) (program, error)
	// end ends the life that runs, nil while there is none; the program stops
	// cleanly when the cause is errStop.
	end   context.CancelCauseFunc
	ended sync.WaitGroup
	mu    struct {
		sync.Mutex
		program program   // nil while it is not up
		since   time.Time // when the life that runs began
		expired bool      // its session expired in it
	}
}

// note hears what the program logs.
func (p *process) note(line string) {
	p.w.ghosts.note(line, p.w.sched.Now())
	if strings.Contains(line, `msg="zookeeper session expired`) {
		p.mu.Lock()
		p.mu.expired = true
		p.mu.Unlock()
	}
}

// mayBelieveIn reports whether it may not know that a topic is gone.
func (p *process) mayBelieveIn(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.ghosts.mayHaunt(topic, p.mu.since, p.mu.expired)
}

var (
	errStop = fmt.Errorf("asked to stop")
	errKill = fmt.Errorf("killed")
)

// restartPause is how long a supervisor waits.
const restartPause = 500 * time.Millisecond

// boot starts the process; it does not wait until it is up.
func (p *process) boot() {
	ctx, end := context.WithCancelCause(context.Background())
	p.end = end
	p.w.sleep(time.Millisecond) // what begins together has no order
	p.w.trace.Add("%s boots", p.Name())
	p.ended.Go(func() {
		for ctx.Err() == nil {
			p.live(ctx)
			_ = env.Sleep(ctx, p.w.sched, restartPause) // ends with ctx, as the loop does
		}
	})
}

// live is one run of the program.
func (p *process) live(ctx context.Context) {
	p.mu.Lock()
	p.mu.since, p.mu.expired = p.w.sched.Now(), false
	p.mu.Unlock()
	out := &lines{p}
	prog, err := p.start(ctx, p.Boot(), node.NewLevels(out, slog.LevelInfo))
	if err != nil {
		p.w.trace.Add("%s does not start: %v", p.Name(), err)
		return
	}
	p.w.trace.Add("%s is up", p.Name())
	p.setProgram(prog)
	select {
	case <-prog.Done():
		p.w.trace.Add("%s ends by itself", p.Name())
	case <-ctx.Done():
	}
	p.setProgram(nil)
	limit := time.Nanosecond
	if errors.Is(context.Cause(ctx), errStop) {
		limit = stopLimit
	}
	stopping, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err = prog.Stop(stopping)
	p.w.trace.Add("%s is down: %v", p.Name(), err)
}

// stopLimit bounds a clean stop, as the program's own does.
const stopLimit = 30 * time.Second

func (p *process) setProgram(prog program) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.program = prog
}

// running returns the program that is up, nil without one.
func (p *process) running() program {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.program
}

// kill is kill -9; the machine and its disk stay.
func (p *process) kill() {
	if p.end == nil {
		return
	}
	p.Kill()
	p.finish(errKill)
}

// stop is SIGTERM; it returns when the process has ended.
func (p *process) stop() {
	if p.end != nil {
		p.Resume()
		p.finish(errStop)
	}
}

func (p *process) finish(why error) {
	p.w.trace.Add("%s: %v", p.Name(), why)
	p.end(why)
	p.ended.Wait()
	p.end = nil
}

// powerCut takes the power from the machine: what was not synced may be lost.
func (p *process) powerCut(keepPercent int) {
	p.Kill()
	p.disk = p.disk.CrashClone(memfs.Crash{Rand: p.w.rng.Std(), KeepPercent: keepPercent})
	p.PowerCut(p.disk)
	if p.end != nil {
		p.finish(errKill)
	}
}

// lines puts log lines into the event log.
type lines struct{ of *process }

// Write implements io.Writer; it gets whole lines.
func (l *lines) Write(b []byte) (int, error) {
	_, text, _ := strings.Cut(string(b), " ") // without the time, which the event log has
	l.of.w.trace.Add("%s: %s", l.of.Name(), strings.TrimSpace(text))
	l.of.note(text)
	return len(b), nil
}

const (
	zookeeperPort = "2181"
	kafkaPort     = "9092"
	zookeeperName = "zookeeper"
)

func (w *world) newKeeper() *process {
	m := w.newMachine(zookeeperName)
	return &process{machine: m, start: func(ctx context.Context, e env.Env, levels *node.Levels) (program, error) {
		cfg := keeper.Config{
			DataDir: "/keeper", Listen: []string{m.addr + ":" + zookeeperPort}, TickTime: 500 * time.Millisecond,
			MaxClientCnxns: -1, SnapCount: 1000, MaxSessionTimeout: time.Minute,
		}
		k, err := keeper.Start(ctx, cfg, e, levels.Logger("keeper"))
		if err != nil {
			return nil, err
		}
		return k, nil
	}}
}

// brokerName is what the world calls a broker.
func brokerName(id int) string { return fmt.Sprintf("broker-%d", id) }

func (w *world) newBroker(id int) *process {
	m := w.newMachine(brokerName(id))
	all := []string{
		fmt.Sprintf("broker.id=%d", id), "listeners=PLAINTEXT://" + m.addr + ":" + kafkaPort, "log.dirs=/data/a,/data/b",
		"zookeeper.connect=" + w.zookeeper.addr + ":" + zookeeperPort,
	}
	for name, value := range w.setup.properties {
		all = append(all, name+"="+value)
	}
	if rack := w.setup.rack(id); rack != "" {
		all = append(all, "broker.rack="+rack)
	}
	slices.Sort(all)
	return &process{machine: m, start: func(ctx context.Context, e env.Env, levels *node.Levels) (program, error) {
		cfg, _, err := config.Load(config.Source{File: []byte{}, Overrides: all})
		if err != nil {
			return nil, err
		}
		n, err := node.Start(ctx, node.Options{Config: cfg, Env: e, Levels: levels})
		if err != nil {
			return nil, err
		}
		return n, nil
	}}
}
