package gregor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/port"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// startLimit bounds the wait for a broker's first metadata.
	startLimit = 30 * time.Second
	// stopLimit bounds the wait for a clean end.
	stopLimit = 30 * time.Second
)

// Broker is one gregor process with its embedded keeper, or Apache Kafka with
// its ZooKeeper when that is what the environment names.
type Broker struct {
	// Kafka and ZooKeeper are host:port of the two protocols.
	Kafka, ZooKeeper string
	// Dir holds the configuration, the log directory, the keeper's data and
	// the output of the process; empty for a broker from the environment.
	Dir string

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	exit error         // how it ended, valid after done
}

// Start runs a broker for one test, with properties set on top of small
// defaults, and waits until it answers. It is killed when the test ends; its
// output is shown when the test failed.
func Start(t testing.TB, properties map[string]string) *Broker {
	t.Helper()
	if External() {
		t.Skip("this test starts and stops its own broker")
	}
	b, err := newBroker(t.TempDir(), properties)
	if err == nil {
		err = b.start(t.Context())
	}
	if b != nil {
		t.Cleanup(func() {
			b.kill()
			b.ShowLog(t)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newBroker(dir string, properties map[string]string) (*Broker, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		Kafka: port.Loopback(ports[0]), ZooKeeper: port.Loopback(ports[1]), Dir: dir,
	}
	all := map[string]string{
		"broker.id":                                "0",
		"listeners":                                "PLAINTEXT://" + b.Kafka,
		"log.dirs":                                 filepath.Join(dir, "logs"),
		"gregor.keeper.data.dir":                   filepath.Join(dir, "keeper"),
		"gregor.keeper.client.port":                fmt.Sprint(ports[1]),
		"gregor.keeper.4lw.commands.whitelist":     "*",
		"gregor.keeper.max.client.connections":     "0",
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "5",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
		"transaction.state.log.num.partitions":     "5",
		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "500",
	}
	maps.Copy(all, properties)
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", k, all[k])
	}
	return b, os.WriteFile(b.config(), []byte(text.String()), 0o600)
}

func (b *Broker) config() string { return filepath.Join(b.Dir, "server.properties") }

// LogFile is where the output of the process goes, across restarts.
func (b *Broker) LogFile() string { return filepath.Join(b.Dir, "gregor.log") }

func (b *Broker) start(ctx context.Context) error {
	bin, err := binary()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(b.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	// Not CommandContext: the context of a test ends before its cleanup, which
	// is where brokers stop.
	b.cmd = exec.Command(bin, "server", "--config", b.config())
	b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr, b.cmd.SysProcAttr = b.Dir, out, out, childAttr()
	if err := b.cmd.Start(); err != nil {
		return err
	}
	b.done = make(chan struct{})
	go func() {
		b.exit = b.cmd.Wait()
		close(b.done)
	}()
	return b.waitReady(ctx)
}

// waitReady returns once metadata names a controller: requests of any kind
// then find an owner.
func (b *Broker) waitReady(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Kafka), kgo.DialTimeout(time.Second), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	return poll(ctx, startLimit, func() error {
		select {
		case <-b.done:
			return fmt.Errorf("gregor ended: %w\n%s", errors.Join(b.exit, os.ErrProcessDone), b.tail())
		default:
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{}
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		if resp.ControllerID < 0 || len(resp.Brokers) == 0 {
			return fmt.Errorf("metadata has %d brokers, controller %d", len(resp.Brokers), resp.ControllerID)
		}
		return nil
	})
}

// Stop ends the process with SIGTERM and fails the test unless it exits with 0.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
}

func (b *Broker) stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("SIGTERM: %w", err)
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-b.done:
		if b.exit != nil {
			return fmt.Errorf("gregor ended with %w after SIGTERM\n%s", b.exit, b.tail())
		}
		return nil
	case <-limit.C:
		_ = b.cmd.Process.Signal(syscall.SIGQUIT) // its stacks say what hangs
		return fmt.Errorf("gregor still runs %v after SIGTERM", stopLimit)
	}
}

// Kill ends the process with SIGKILL: what it had not written is gone.
func (b *Broker) Kill(t testing.TB) {
	t.Helper()
	select {
	case <-b.done:
		t.Fatalf("gregor had ended by itself: %v\n%s", b.exit, b.tail())
	default:
		b.kill()
	}
}

func (b *Broker) kill() {
	if b.done == nil {
		return
	}
	_ = b.cmd.Process.Kill() // an error says that it has ended, which is the aim
	<-b.done
}

// Restart starts the process again, with the same directories and ports.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if err := b.start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func freePorts(n int) ([]int, error) {
	out := make([]int, n)
	for i := range out {
		var err error
		if out[i], err = port.Free(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
