package gregor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tailLines is how much of a broker's log a failed test shows.
const tailLines = 30

var shared struct {
	mu     sync.Mutex
	broker *Broker
	err    error
	seen   map[testing.TB]bool // tests that show the log when they fail
}

// External reports whether the environment names the broker to test.
func External() bool { return os.Getenv("GREGOR_TEST_KAFKA") != "" }

// Shared returns the broker that all tests of this binary use together,
// started on first use. Main must run the tests.
func Shared(t testing.TB) *Broker {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.broker == nil && shared.err == nil {
		shared.broker, shared.err = startShared()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if !shared.seen[t] {
		if shared.seen == nil {
			shared.seen = map[testing.TB]bool{}
		}
		shared.seen[t] = true
		t.Cleanup(func() { shared.broker.ShowLog(t) })
	}
	return shared.broker
}

func startShared() (*Broker, error) {
	if External() {
		return &Broker{Kafka: os.Getenv("GREGOR_TEST_KAFKA"), ZooKeeper: os.Getenv("GREGOR_TEST_ZOOKEEPER")}, nil
	}
	dir, err := scratch()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "shared")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	b, err := newBroker(dir, nil)
	if err != nil {
		return nil, err
	}
	// The broker outlives the test that asked first.
	return b, b.start(context.Background())
}

// Main runs the tests, then ends the shared broker, which must go cleanly and
// must not have panicked or raced; it returns the exit code of the binary.
// m is a *testing.M, or what runs the tests in its place.
func Main(m interface{ Run() int }) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if b := shared.broker; b != nil && b.done != nil {
		if err := b.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "shared broker:", err)
			code = max(code, 1)
		}
		b.kill()
		if trouble := b.trouble(); trouble != "" {
			fmt.Fprintln(os.Stderr, "shared broker:", trouble)
			code = max(code, 1)
		}
	}
	if dir, err := scratch(); err == nil {
		_ = os.RemoveAll(dir) // temporary by name; a leftover harms nobody
	}
	return code
}

// ShowLog writes the end of the broker's output to the log of a failed test.
func (b *Broker) ShowLog(t testing.TB) {
	if t.Failed() && b.Dir != "" {
		t.Logf("last lines of the broker:\n%s", b.tail())
	}
}

func (b *Broker) lines() []string {
	text, err := os.ReadFile(b.LogFile())
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (b *Broker) tail() string {
	lines := b.lines()
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// trouble returns the part of the log from the first panic or data race.
func (b *Broker) trouble() string {
	lines := b.lines()
	at := slices.IndexFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "panic:") || strings.Contains(l, "WARNING: DATA RACE") || strings.HasPrefix(l, "fatal error:")
	})
	if at < 0 {
		return ""
	}
	return strings.Join(lines[at:min(len(lines), at+tailLines)], "\n")
}
