//go:build interop

package peer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var apache = Once(func(s Scope) *Broker { return Kafka(s, "3.9.1", Options{}) })

// TestApacheServesItsTools is the proof that what the suites stand on works:
// a broker, its ZooKeeper, and every kind of client.
func TestApacheServesItsTools(t *testing.T) {
	b := apache(t)
	t.Run("java", func(t *testing.T) {
		t.Parallel()
		out, errs, exit := Tool(t, "kafka-topics", "--bootstrap-server", b.Addr, "--create", "--topic", "made-by-java")
		if exit != 0 || !strings.Contains(out, "Created topic made-by-java.") {
			t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
		}
		if _, err := os.Stat(filepath.Join(b.LogDir, "made-by-java-0")); err != nil {
			t.Error(err)
		}
	})
	t.Run("python", func(t *testing.T) {
		t.Parallel()
		out, errs, exit := Python(t, "import sys, kafka, confluent_kafka, kazoo; print(sys.argv[1], confluent_kafka.libversion()[0])", "hello")
		if exit != 0 || !strings.HasPrefix(out, "hello 2.") {
			t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
		}
	})
	t.Run("kcat", func(t *testing.T) {
		t.Parallel()
		out, errs, exit := Kcat(t, "", "-b", b.Addr, "-L")
		if exit != 0 || !strings.Contains(out, "broker 0 at "+b.Addr) {
			t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
		}
	})
	t.Run("zkCli", func(t *testing.T) {
		t.Parallel()
		out, errs, exit := ZooKeeperCLI(t, "3.8.4", b.ZooKeeper, "get /controller\nquit\n")
		if !strings.Contains(out, `"brokerid":0`) {
			t.Fatalf("exit %d\n%s\n%s", exit, out, errs)
		}
	})
}

func TestBrokerComesBackOnItsPort(t *testing.T) {
	b := Kafka(t, "3.9.1", Options{})
	first := b.Pid()
	b.Stop(t)
	b.Start(t)
	if b.Pid() == first {
		t.Fatal("the same process")
	}
}

func TestZooKeeper394Serves(t *testing.T) {
	z := ZooKeeper(t, "3.9.4", ZooKeeperOptions{})
	out, err := z.Word("srvr")
	if err != nil || !strings.HasPrefix(out, "Zookeeper version: 3.9.4-") {
		t.Fatalf("%q, %v", out, err)
	}
}

func TestCacheIsFilledOnce(t *testing.T) {
	t.Setenv("GREGOR_INTEROP_CACHE", t.TempDir())
	if _, err := cached("thing", func(dir string) error {
		os.WriteFile(filepath.Join(dir, "half"), nil, 0o644)
		return errors.New("no network")
	}); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Fatalf("a fetch that failed: %v", err)
	}
	var fills atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := cached("thing", func(dir string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
			})
			if err != nil || !exists(filepath.Join(dir, "whole")) || exists(filepath.Join(dir, "half")) {
				t.Errorf("%s, %v", dir, err)
			}
		})
	}
	wg.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("filled %d times", n)
	}
}
