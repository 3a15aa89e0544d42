package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gregor-mq/gregor/bench/load"
)

// startPatience bounds a start: Apache with 2,000 partitions after kill -9
// takes most of a minute.
const startPatience = 3 * time.Minute

// restartPause lies between two tries to start a server that died while it
// started, as systemd's default RestartSec.
const restartPause = 100 * time.Millisecond

// Server is one broker with the ensemble that it needs. Its methods are called
// by one goroutine.
type Server interface {
	// Name is what tables call it.
	Name() string
	// Addr is where clients connect.
	Addr() string
	// Start starts all processes that do not run and returns how long it took
	// until ready (the wait given) succeeded. A broker that dies meanwhile is
	// started again, as a supervisor would.
	Start(ctx context.Context, ready func(ctx context.Context, addr string) error) (time.Duration, error)
	// Stop ends the broker with SIGTERM and returns when it is gone.
	Stop() error
	// Kill ends the broker with SIGKILL.
	Kill()
	// Usage adds up all processes.
	Usage() (Usage, error)
	// Debug is the loopback address of net/http/pprof, "" if there is none.
	Debug() string
	// Close kills every process and removes the directory.
	Close() error
}

// broker is what both servers have.
type broker struct {
	dir     string
	addr    string
	process *process
	launch  func() (*process, error)
}

// Addr implements Server.
func (b *broker) Addr() string { return b.addr }

// Stop implements Server.
func (b *broker) Stop() error { return b.process.stop() }

// Kill implements Server.
func (b *broker) Kill() { b.process.kill() }

// Start implements Server.
func (b *broker) Start(ctx context.Context, ready func(ctx context.Context, addr string) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	began := time.Now()
	answered := make(chan error, 1)
	go func() { answered <- ready(ctx, b.addr) }()
	for {
		p, err := b.launch()
		if err != nil {
			fail(err)
			<-answered
			return 0, err
		}
		b.process = p
		select {
		case err := <-answered:
			if err != nil {
				return 0, fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.tail())
			}
			return time.Since(began), nil
		case <-p.done:
		}
		pause := time.NewTimer(restartPause)
		select {
		case err := <-answered:
			pause.Stop()
			return 0, fmt.Errorf("%s ended (%v) while it started: %w\n%s", p.name, p.err, errors.Join(err, context.Cause(ctx)), p.tail())
		case <-pause.C:
		}
	}
}

// Ready is the wait of an ordinary start: the first answer to Metadata that
// names a broker.
func Ready(ctx context.Context, addr string) error { return load.WaitMetadata(ctx, addr) }

// Leaders is the wait of a restart: all topics with so many partitions each
// have their leaders.
func Leaders(partitions int, topics ...string) func(ctx context.Context, addr string) error {
	return func(ctx context.Context, addr string) error {
		return load.WaitLeaders(ctx, addr, partitions, topics...)
	}
}

// writeProperties writes a properties file, lines in the order given.
func writeProperties(path string, lines ...string) error {
	var text []byte
	for _, l := range lines {
		text = append(append(text, l...), '\n')
	}
	return os.WriteFile(path, text, 0o644)
}

// samples are the settings of Kafka's sample server.properties that are not
// its defaults, for both servers; ports and directories are added.
var samples = []string{
	"broker.id=0",
	"num.network.threads=3",
	"num.io.threads=8",
	"socket.send.buffer.bytes=102400",
	"socket.receive.buffer.bytes=102400",
	"socket.request.max.bytes=104857600",
	"num.partitions=1",
	"num.recovery.threads.per.data.dir=1",
	"offsets.topic.replication.factor=1",
	"transaction.state.log.replication.factor=1",
	"transaction.state.log.min.isr=1",
	"log.retention.hours=168",
	"log.retention.check.interval.ms=300000",
	"zookeeper.connection.timeout.ms=18000",
	"group.initial.rebalance.delay.ms=0",
}
