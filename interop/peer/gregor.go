//go:build interop

package peer

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// TargetIsApache tells whether the client suites run against Apache Kafka
// instead of gregor.
func TargetIsApache() bool { return os.Getenv("GREGOR_INTEROP_TARGET") == "apache" }

// Target starts the broker under test: gregor, or Apache Kafka when the suite
// itself is to be proven.
func Target(s Scope, o Options) *Broker {
	s.Helper()
	if TargetIsApache() {
		return Kafka(s, "3.9.1", o)
	}
	return Gregor(s, o)
}

// sharedBuild compiles the program once for a package that has Run.
var sharedBuild = sync.OnceValues(func() (string, error) { return compile(whole.dir) })

// program returns the program, compiled from the tree that the test is in.
// GREGOR_INTEROP_BIN names a finished one instead.
func program(s Scope) string {
	s.Helper()
	if bin := os.Getenv("GREGOR_INTEROP_BIN"); bin != "" {
		return bin
	}
	build := sharedBuild
	if whole == nil {
		build = func() (string, error) { return compile(s.TempDir()) }
	}
	bin, err := build()
	if err != nil {
		s.Fatalf("%v", err)
	}
	return bin
}

func compile(dir string) (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	bin := filepath.Join(dir, "gregor")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/gregor")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/gregor: %w\n%s", err, out)
	}
	return bin, nil
}

// Gregor starts a gregor server from a configuration file, and waits until it
// leads the cluster. Unless the options name a ZooKeeper, it runs with its
// embedded keeper, which serves clients on a port of its own.
func Gregor(s Scope, o Options) *Broker {
	s.Helper()
	b := newGregor(s, o)
	b.Start(s)
	return b
}

// newGregor prepares a broker that is to be started.
func newGregor(s Scope, o Options) *Broker {
	s.Helper()
	b := newBroker(s, KindGregor, o)
	if o.ZooKeeper == "" {
		if o.DataDir == "" {
			o.DataDir = s.TempDir()
		}
		port := Port(s)
		b.ZooKeeper = loopback(port)
		maps.Copy(b.Properties, keeperProperties(o.DataDir, port))
		maps.Copy(b.Properties, o.Properties)
	} else {
		b.Properties["zookeeper.connect"] = o.ZooKeeper
	}
	b.run = func(s Scope) *Process {
		args := []string{"server", "--config", b.configFile(s)}
		for _, k := range slices.Sorted(maps.Keys(o.Overrides)) {
			args = append(args, "--override", k+"="+o.Overrides[k])
		}
		return gregor(s, args)
	}
	return b
}

// GregorKeeper starts gregor's keeper alone, on the same zoo.cfg as ZooKeeper.
func GregorKeeper(s Scope, o ZooKeeperOptions) *Ensemble {
	s.Helper()
	z, config := newEnsemble(s, o)
	z.run = func(s Scope) *Process { return gregor(s, []string{"keeper", "--config", config(s)}) }
	z.Start(s)
	return z
}

// TargetKeeper starts the ZooKeeper under test: gregor's keeper, or Apache's
// when the suite itself is to be proven.
func TargetKeeper(s Scope, o ZooKeeperOptions) *Ensemble {
	s.Helper()
	if TargetIsApache() {
		return ZooKeeper(s, "3.9.4", o)
	}
	return GregorKeeper(s, o)
}

func keeperProperties(dir string, port int) map[string]string {
	return map[string]string{
		"gregor.keeper.client.address":         "127.0.0.1",
		"gregor.keeper.client.port":            strconv.Itoa(port),
		"gregor.keeper.data.dir":               dir,
		"gregor.keeper.max.client.connections": "0",
		"gregor.keeper.4lw.commands.whitelist": "*",
	}
}

// RunGregor runs another verb of the program to its end.
func RunGregor(s Scope, stdin string, args ...string) (stdout, stderr string, exit int) {
	s.Helper()
	return start(s, "gregor", program(s), args, stdin).Output(s)
}

// StartGregor starts another verb of the program that may run for long.
func StartGregor(s Scope, args ...string) *Process {
	s.Helper()
	return gregor(s, args)
}

func gregor(s Scope, args []string) *Process {
	s.Helper()
	return start(s, "gregor", program(s), args, "")
}
