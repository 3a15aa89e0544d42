package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/test/port"
)

// Ensemble is ZooKeeper without Kafka: a server that is alone, or several
// members. Its methods are called by one goroutine.
type Ensemble struct {
	name    string
	dir     string
	members []broker
}

// zooSample are the settings of ZooKeeper's zoo_sample.cfg, and two that no
// figure depends on but whether it can be had: clients of one address may be
// many, and sessions may be idle for long. The admin server of Apache is left
// out, which spares it some memory and time.
var zooSample = []string{
	"tickTime=2000",
	"initLimit=10",
	"syncLimit=5",
	"maxClientCnxns=0",
	"maxSessionTimeout=600000",
	"admin.enableServer=false",
}

// NewGregorEnsemble prepares so many members in a fresh directory below parent.
func NewGregorEnsemble(binary, parent string, members int) (*Ensemble, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	return newEnsemble("gregor", parent, members, func(_, config string) []string {
		return []string{binary, "keeper", "--config", config}
	})
}

// NewApacheEnsemble is NewGregorEnsemble for Apache ZooKeeper, as its zkServer.sh
// starts it. The jars are those of FetchZooKeeperJars.
func NewApacheEnsemble(jars, parent string, members int) (*Ensemble, error) {
	e, err := newEnsemble("Apache ZooKeeper "+ZooKeeperVersion, parent, members, func(dir, config string) []string {
		return []string{"java", "-Dzookeeper.log.dir=" + dir, "-Dzookeeper.log.file=zookeeper-server.log",
			"-XX:+HeapDumpOnOutOfMemoryError", "-XX:OnOutOfMemoryError=kill -9 %p", "-cp", filepath.Join(jars, "*"), "-Xmx1000m",
			"-Dlogback.configurationFile=" + filepath.Join(dir, "logback.xml"), "-Dcom.sun.management.jmxremote",
			"-Dcom.sun.management.jmxremote.local.only=false", "org.apache.zookeeper.server.quorum.QuorumPeerMain", config}
	})
	if err != nil {
		return nil, err
	}
	for i := range e.members {
		if err := os.WriteFile(filepath.Join(e.members[i].dir, "logback.xml"), []byte(logback), 0o644); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// logback logs what ZooKeeper's own conf/logback.xml logs: everything from INFO
// on, to the console.
const logback = `<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder>
      <pattern>%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n</pattern>
    </encoder>
  </appender>
  <root level="INFO">
    <appender-ref ref="CONSOLE" />
  </root>
</configuration>
`

// newEnsemble writes the configurations; argv is the command line of a member
// with a directory of its own.
func newEnsemble(name, parent string, members int, argv func(dir, config string) []string) (*Ensemble, error) {
	root, err := os.MkdirTemp(parent, "ensemble-")
	if err != nil {
		return nil, err
	}
	e := &Ensemble{name: name, dir: root, members: make([]broker, members)}
	var servers []string
	for i := range members {
		var ports [2]int
		for j := range ports {
			if ports[j], err = port.Free(); err != nil {
				return nil, err
			}
		}
		servers = append(servers, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, ports[0], ports[1]))
	}
	if members == 1 {
		servers = nil
	}
	for i := range e.members {
		if err := e.prepare(i, servers, argv); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// prepare writes what one member begins with.
func (e *Ensemble) prepare(i int, servers []string, argv func(dir, config string) []string) error {
	m := &e.members[i]
	m.dir = filepath.Join(e.dir, fmt.Sprint("member-", i+1))
	data, config := filepath.Join(m.dir, "data"), filepath.Join(m.dir, "zoo.cfg")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	p, err := port.Free()
	if err != nil {
		return err
	}
	m.addr = port.Loopback(p)
	m.launch = func() (*process, error) { return start(m.dir, "zookeeper", nil, argv(m.dir, config)...) }
	lines := append(append([]string{}, zooSample...), "dataDir="+data, "clientPort="+strconv.Itoa(p), "clientPortAddress=127.0.0.1")
	if len(servers) == 0 {
		return writeProperties(config, lines...)
	}
	if err := os.WriteFile(filepath.Join(data, "myid"), fmt.Appendln(nil, i+1), 0o644); err != nil {
		return err
	}
	return writeProperties(config, append(lines, servers...)...)
}

// Name is what tables call it.
func (e *Ensemble) Name() string { return e.name }

// Dir is the directory that holds the data of all members.
func (e *Ensemble) Dir() string { return e.dir }

// Addrs are where clients connect, by member.
func (e *Ensemble) Addrs() []string {
	var out []string
	for i := range e.members {
		out = append(out, e.members[i].addr)
	}
	return out
}

// Start starts all members that do not run and returns how long it took until
// ready (the wait given) succeeded for all of them.
func (e *Ensemble) Start(ctx context.Context, ready func(ctx context.Context, addr string) error) (time.Duration, error) {
	began := time.Now()
	done := make(chan error, len(e.members))
	for i := range e.members {
		m := &e.members[i]
		if m.process != nil && !m.process.ended() {
			done <- nil
			continue
		}
		go func() {
			_, err := m.Start(ctx, ready)
			done <- err
		}()
	}
	var err error
	for range e.members {
		err = errors.Join(err, <-done)
	}
	return time.Since(began), err
}

// Stop ends all members with SIGTERM.
func (e *Ensemble) Stop() error {
	var err error
	for i := range e.members {
		err = errors.Join(err, e.members[i].Stop())
	}
	return err
}

// Kill ends a member with SIGKILL.
func (e *Ensemble) Kill(member int) { e.members[member].Kill() }

// Usage adds up all members that run.
func (e *Ensemble) Usage() (Usage, error) {
	var sum Usage
	for i := range e.members {
		p := e.members[i].process
		if p == nil || p.ended() {
			continue
		}
		u, err := usageOf(p.cmd.Process.Pid)
		if err != nil {
			return Usage{}, err
		}
		sum = sum.plus(u)
	}
	return sum, nil
}

// Close kills every member and removes the directory.
func (e *Ensemble) Close() error {
	for i := range e.members {
		e.members[i].process.kill()
	}
	return os.RemoveAll(e.dir)
}
