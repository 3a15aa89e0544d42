package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/proc"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk/session"
)

// ensemble starts a keeper that is nobody's own.
func (m *machine) ensemble() (connect string, stop func()) {
	m.t.Helper()
	k, err := keeper.Start(m.t.Context(), keeper.Config{DataDir: "/zookeeper", Listen: []string{"127.0.0.1:2182"}, TickTime: time.Second}, m.env, slog.New(slog.DiscardHandler))
	if err != nil {
		m.t.Fatal(err)
	}
	return "zookeeper.connect=127.0.0.1:2182/kafka/one", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := k.Stop(ctx); err != nil {
			m.t.Error(err)
		}
	}
}

// process makes the memory disk tell of a process as Linux does.
func (m *machine) process(pid int, boot, started string) {
	m.t.Helper()
	m.write("/proc/sys/kernel/random/boot_id", boot+"\n")
	m.write(fmt.Sprintf("/proc/%d/stat", pid), fmt.Sprintf("%d (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %s 20 21\n", pid, started))
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	if err := m.fs.MkdirAll(name[:strings.LastIndexByte(name, '/')], 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := writePrivate(m.fs, name, []byte(content)); err != nil {
		m.t.Fatal(err)
	}
}

// cable is a network that one process can be cut off from.
type cable struct {
	env.Net
	mu    sync.Mutex
	gone  bool
	conns []net.Conn
}

func (c *cable) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil, syscall.ENETUNREACH
	}
	nc, err := c.Net.Dial(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, nc)
	}
	return nc, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for _, nc := range c.conns {
		_ = nc.Close()
	}
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = false
}

func TestExternalZooKeeper(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		connect, stop := m.ensemble()
		m.process(os.Getpid(), "boot-1", "100")
		n := m.start(connect)
		m.createTopic(n, "t", 1)
		m.wantProduced(n, "t", 0)
		src, err := m.fs.ReadFile("/logs/gregor.session")
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := decodeSession(src); !ok || f.id != n.zk.Load().ID() || f.Boot != "boot-1" || f.Started != "100" {
			t.Errorf("remembered %+v", f)
		}
		if n.KeeperAddrs() != nil {
			t.Error("a keeper of its own")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := m.fs.Stat("/logs/gregor.session"); err == nil {
			t.Error("a session that was closed is still remembered")
		}
		stop()
	})
}

// After kill -9 the broker's ephemeral node is there still. Who can prove that
// the process is gone ends its session; who cannot waits for its end.
func TestQuickReturnAfterKill(t *testing.T) {
	for name, c := range map[string]struct {
		file  string // "" keeps what the former life wrote
		quick bool
	}{
		"same boot, process gone":     {"", true},
		"another boot":                {"boot=boot-0", false},
		"process still there":         {"started=100", false},
		"file that makes no sense":    {"version=2", false},
		"session that ended long ago": {"session=0x1234", false},
	} {
		t.Run(name, func(t *testing.T) {
			onMachine(t, func(t *testing.T, m *machine) {
				connect, stop := m.ensemble()
				self := os.Getpid()
				m.process(self, "boot-1", "100")
				// The former life: a session that registered and is not renewed.
				n := m.start(connect, "zookeeper.session.timeout.ms=6000")
				src, err := m.fs.ReadFile("/logs/gregor.session")
				if err != nil {
					t.Fatal(err)
				}
				cfg := n.session
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if err := n.Stop(ctx); err != nil {
					t.Fatal(err)
				}
				mortal := m.env
				cable := &cable{Net: m.net}
				mortal.Net = cable
				former, err := session.Dial(t.Context(), cfg, mortal)
				if err != nil {
					t.Fatal(err)
				}
				f, _ := decodeSession(src)
				f.id, f.password, f.Started = former.ID(), former.Password(), "99"
				n.zk.Store(former)
				if err := n.register(t.Context()); err != nil {
					t.Fatal(err)
				}
				// kill -9: nobody speaks for the session any more.
				cable.cut()
				defer former.Close(ctx) // ends its goroutines; the error is the cut
				text := string(f.encode())
				if key, _, _ := strings.Cut(c.file, "="); key != "" {
					var lines []string
					for line := range strings.Lines(text) {
						if strings.HasPrefix(line, key+"=") {
							line = c.file + "\n"
						}
						lines = append(lines, line)
					}
					text = strings.Join(lines, "")
				}
				m.write("/logs/gregor.session", text)
				began := m.env.Clock.Now()
				n = m.start(connect, "zookeeper.session.timeout.ms=6000")
				if took := m.env.Clock.Now().Sub(began); (took < 3*time.Second) != c.quick {
					t.Errorf("back after %v", took)
				}
				if err := n.Stop(ctx); err != nil {
					t.Fatal(err)
				}
				stop()
			})
		})
	}
}

// An id that another session keeps alive is not taken.
func TestIDTaken(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		connect, stop := m.ensemble()
		n := m.start(connect)
		second := make(chan error, 1)
		var lines strings.Builder // to be read when it has ended
		go func() {
			_, err := Start(t.Context(), Options{
				Env: m.env, Config: properties(t, connect, "log.dirs=/other", "listeners=PLAINTEXT://127.0.0.1:9095"), Levels: NewLevels(&lines, slog.LevelWarn),
			})
			second <- err
		}()
		// While it waits it hears nobody: what a controller says is meant for the
		// one who has the id.
		<-m.env.Clock.NewTimer(time.Second).C()
		c := rpc.New(t.Context(), rpc.Config{Address: "127.0.0.1:9095", ClientID: "test", Timeout: time.Second}, m.env)
		if _, err := c.Ask(t.Context(), wire.NewApiVersionsRequest(), 3); !errors.Is(err, rpc.ErrTimeout) {
			t.Errorf("a broker without its id answers: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		err := <-second
		if err == nil || !strings.Contains(err.Error(), "broker.id=0: broker id is taken by the broker at 127.0.0.1:9092") {
			t.Errorf("a second broker 0: %v", err)
		}
		if got := lines.String(); strings.Count(got, "waiting for who has it") != 1 || !strings.Contains(got, "127.0.0.1:9092") || !strings.Contains(got, "level=INFO") {
			t.Errorf("on the screen:\n%s", got)
		}
		_, err = Start(t.Context(), Options{Env: m.env, Config: properties(t, connect, "log.dirs=/third", "broker.id=1", "listeners=PLAINTEXT://127.0.0.1:9096", "advertised.listeners=PLAINTEXT://127.0.0.1:9092")})
		if err == nil || !strings.Contains(err.Error(), "127.0.0.1:9092") {
			t.Errorf("endpoints of another broker: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		stop()
	})
}

// What the broker registered in a session that it lost may be there for as long as
// that session lasts: its next registration removes that at once, each time.
func TestRegistrationReplacesItsFormerOne(t *testing.T) {
	onMachine(t, func(t *testing.T, m *machine) {
		connect, stop := m.ensemble()
		defer stop()
		n := m.start(connect)
		cfg := n.session
		m.leave(n)
		for range 3 {
			z, err := session.Dial(t.Context(), cfg, m.env)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close(context.Background()) // which removes its registration, if that is there still
			n.zk.Store(z)
			began, before := m.env.Clock.Now(), n.epoch.Load()
			if err := n.register(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := m.env.Clock.Now().Sub(began); took > time.Second || n.epoch.Load() <= before {
				t.Errorf("registered after %v, broker epoch %d after %d", took, n.epoch.Load(), before)
			}
		}
	})
}

func FuzzDecodeSession(f *testing.F) {
	f.Add(formerSession{Life: proc.Life{Boot: "b", PID: 7, Started: "100"}, id: -5, password: []byte("secret")}.encode())
	f.Add([]byte("version=1\nsession=0x\n"))
	f.Add([]byte("=\n==\nversion"))
	f.Fuzz(func(t *testing.T, src []byte) {
		got, ok := decodeSession(src)
		if !ok {
			return
		}
		again, ok := decodeSession(got.encode())
		if !ok || again.Life != got.Life || again.id != got.id || string(again.password) != string(got.password) {
			t.Errorf("%+v became %+v", got, again)
		}
	})
}
