//go:build interop

package peer

import (
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ZooKeeperOptions change how a ZooKeeper is started; the zero value will do.
type ZooKeeperOptions struct {
	DataDir    string            // an own one when empty
	Port       int               // for clients; a free one when 0
	Properties map[string]string // over those that the test needs
	JVM        []string          // more flags of Apache's JVM
}

// Ensemble is a running ZooKeeper (or keeper) of one member.
type Ensemble struct {
	Addr    string // host:port for clients
	DataDir string
	run     func(Scope) *Process
	*Process
}

// ZooKeeper starts Apache ZooKeeper ("3.8.4", "3.9.4", or "3.9.4-operate" with its
// servers over HTTP) and waits until it serves.
func ZooKeeper(s Scope, version string, o ZooKeeperOptions) *Ensemble {
	s.Helper()
	z, config := newEnsemble(s, o)
	z.run = func(s Scope) *Process {
		jvm := append([]string{"-Xmx256m", "-Dlogback.configurationFile=" + logback(s, "INFO")}, o.JVM...)
		return java(s, "zookeeper-"+version, Jars(s, "zookeeper-"+version), jvm,
			"org.apache.zookeeper.server.ZooKeeperServerMain", []string{config(s)}, "")
	}
	z.Start(s)
	return z
}

// newEnsemble settles what does not depend on the program: address, data and a
// zoo.cfg in which all four-letter words are allowed.
func newEnsemble(s Scope, o ZooKeeperOptions) (*Ensemble, func(Scope) string) {
	s.Helper()
	port := o.Port
	if port == 0 {
		port = Port(s)
	}
	if o.DataDir == "" {
		o.DataDir = s.TempDir()
	}
	p := map[string]string{
		"dataDir":                o.DataDir,
		"clientPort":             strconv.Itoa(port),
		"clientPortAddress":      "127.0.0.1",
		"tickTime":               "2000",
		"maxClientCnxns":         "0",
		"admin.enableServer":     "false",
		"extendedTypesEnabled":   "true",
		"4lw.commands.whitelist": "*",
	}
	maps.Copy(p, o.Properties)
	return &Ensemble{Addr: loopback(port), DataDir: o.DataDir}, func(s Scope) string {
		file := filepath.Join(s.TempDir(), "zoo.cfg")
		properties(s, file, slices.Sorted(maps.Keys(p)), func(k string) string { return p[k] })
		return file
	}
}

// Start starts a stopped member again, on its data and its port.
func (z *Ensemble) Start(s Scope) {
	s.Helper()
	z.Process = z.run(s)
	z.await(s, func() error { return answersWord(z.Addr) })
}

// Word sends a four-letter word and returns the answer.
func (z *Ensemble) Word(word string) (string, error) { return fourLetters(z.Addr, word) }

// answersWord checks that something serves ZooKeeper clients there.
func answersWord(addr string) error {
	answer, err := fourLetters(addr, "srvr")
	if err == nil && !strings.Contains(answer, "Mode: ") {
		err = fmt.Errorf("srvr: %q", answer)
	}
	return err
}

func fourLetters(addr, word string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	return string(answer), err
}
