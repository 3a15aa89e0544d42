package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// until waits for a file, the sign of life of a script.
func until(name string) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		for ctx.Err() == nil {
			if _, err := os.Stat(name); err == nil {
				return nil
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		return context.Cause(ctx)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// script is a broker that is a shell script.
func script(t *testing.T, text string) (*broker, string) {
	dir := t.TempDir()
	b := &broker{dir: dir}
	b.launch = func() (*process, error) { return start(dir, "script", nil, "sh", "-c", text) }
	t.Cleanup(func() { b.process.kill() })
	return b, filepath.Join(dir, "up")
}

func TestStopIsClean(t *testing.T) {
	b, up := script(t, `trap 'echo bye; touch stopped; exit 0' TERM; touch up; while :; do sleep 0.01; done`)
	if _, err := b.Start(t.Context(), until(up)); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "stopped")); err != nil || !strings.Contains(b.process.tail(), "bye") {
		t.Errorf("%v, output %q", err, b.process.tail())
	}
	if err := b.Stop(); err != nil {
		t.Errorf("stopping what has stopped: %v", err)
	}
}

func TestKillIsNot(t *testing.T) {
	b, up := script(t, `trap 'touch stopped' TERM; touch up; while :; do sleep 0.01; done`)
	if _, err := b.Start(t.Context(), until(up)); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	if _, err := os.Stat(filepath.Join(b.dir, "stopped")); err == nil || !b.process.ended() {
		t.Error("kill -9 was noticed or survived")
	}
}

func TestABrokerThatDiesIsStartedAgain(t *testing.T) {
	b, up := script(t, `echo try; [ -e tried ] && touch up && exec sleep 60; touch tried; exit 1`)
	if _, err := b.Start(t.Context(), until(up)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.process.tail(), "try"); n != 2 {
		t.Errorf("%d tries", n)
	}
}

func TestStartGivesUp(t *testing.T) {
	b, up := script(t, `echo cannot; touch up; exit 3`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := b.Start(ctx, func(ctx context.Context, addr string) error {
		if err := until(up)(ctx, addr); err != nil {
			return err
		}
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "cannot") {
		t.Errorf("%v", err)
	}
	b.launch = func() (*process, error) { return start(b.dir, "absent", nil, filepath.Join(b.dir, "absent")) }
	if _, err := b.Start(t.Context(), until(up)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestServersDifferInPortsAndDirectoriesOnly(t *testing.T) {
	parent := t.TempDir()
	g, err := NewGregor("gregor", parent, true)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewApache("jars", parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Server{g, a} {
		dir := s.Name()
		text, err := os.ReadFile(filepath.Join(map[bool]string{true: g.dir, false: a.dir}[s == Server(g)], "server.properties"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if !slices.Equal(lines[:len(samples)], samples) {
			t.Errorf("%s lacks the samples:\n%s", dir, text)
		}
		if !slices.Contains(lines, "listeners=PLAINTEXT://"+s.Addr()) {
			t.Errorf("%s does not listen on %s", dir, s.Addr())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("%d directories left, %v", len(left), err)
	}
	if g.Addr() == a.Addr() || g.Debug() == g.Addr() || a.Debug() != "" {
		t.Errorf("addresses %s %s %s %q", g.Addr(), g.Debug(), a.Addr(), a.Debug())
	}
}

func TestClustersDifferInPortsAndDirectoriesOnly(t *testing.T) {
	parent := t.TempDir()
	g, err := NewGregorCluster("gregor", parent)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewApacheCluster("jars", parent)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range []*Cluster{g, a} {
		for i, addr := range c.Addrs() {
			text, err := os.ReadFile(filepath.Join(c.brokers[i].dir, fmt.Sprintf("broker-%d.properties", i)))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			if !slices.Equal(lines[:len(clustered)], clustered) {
				t.Errorf("%s lacks the samples:\n%s", c.Name(), text)
			}
			for _, want := range []string{fmt.Sprint("broker.id=", i), "listeners=PLAINTEXT://" + addr, "zookeeper.connect=" + c.ZooKeeper(),
				"offsets.topic.replication.factor=3", "transaction.state.log.min.isr=2"} {
				if !slices.Contains(lines, want) {
					t.Errorf("%s, broker %d, lacks %s:\n%s", c.Name(), i, want, text)
				}
			}
			if seen[addr] {
				t.Errorf("two listen on %s", addr)
			}
			seen[addr] = true
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("%d directories left, %v", len(left), err)
	}
}

func TestMembersDifferInPortsAndDirectoriesOnly(t *testing.T) {
	parent := t.TempDir()
	for _, members := range []int{1, 3} {
		g, err := NewGregorEnsemble("gregor", parent, members)
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewApacheEnsemble("jars", parent, members)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, e := range []*Ensemble{g, a} {
			for i, addr := range e.Addrs() {
				if seen[addr] {
					t.Errorf("two listen on %s", addr)
				}
				seen[addr] = true
				checkMember(t, e, i, members)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("%d directories left, %v", len(left), err)
	}
}

func checkMember(t *testing.T, e *Ensemble, i, members int) {
	t.Helper()
	m := e.members[i]
	text, err := os.ReadFile(filepath.Join(m.dir, "zoo.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if !slices.Equal(lines[:len(zooSample)], zooSample) {
		t.Errorf("%s lacks the sample:\n%s", e.Name(), text)
	}
	_, port, _ := strings.Cut(m.addr, ":")
	if !slices.Contains(lines, "clientPort="+port) || !slices.Contains(lines, "dataDir="+filepath.Join(m.dir, "data")) {
		t.Errorf("%s, member %d:\n%s", e.Name(), i, text)
	}
	id, err := os.ReadFile(filepath.Join(m.dir, "data", "myid"))
	if members == 1 {
		if err == nil || strings.Contains(string(text), "server.") {
			t.Errorf("%s is alone, but has the id %q:\n%s", e.Name(), id, text)
		}
		return
	}
	if string(id) != fmt.Sprintln(i+1) || strings.Count(string(text), "\nserver.") != members {
		t.Errorf("%s, member %d, id %q: %v\n%s", e.Name(), i, id, err, text)
	}
}

func TestEnsembleStartsWhatDoesNotRun(t *testing.T) {
	e := &Ensemble{members: make([]broker, 3)}
	started := make(chan int, 10)
	for i := range e.members {
		m := &e.members[i]
		m.dir = t.TempDir()
		m.launch = func() (*process, error) {
			started <- i
			return start(m.dir, "script", nil, "sleep", "60")
		}
		t.Cleanup(m.Kill)
	}
	ready := func(context.Context, string) error { return nil }
	if _, err := e.Start(t.Context(), ready); err != nil || len(started) != 3 {
		t.Fatalf("%d of 3 started: %v", len(started), err)
	}
	e.Kill(1)
	if left, err := e.Usage(); err != nil || left.RSS == 0 {
		t.Errorf("%+v, %v", left, err)
	}
	for range 3 {
		<-started
	}
	if _, err := e.Start(t.Context(), ready); err != nil || len(started) != 1 || <-started != 1 {
		t.Errorf("the killed one alone should start: %v", err)
	}
	if err := e.Stop(); err != nil {
		t.Error(err)
	}
	for i := range e.members {
		if !e.members[i].process.ended() {
			t.Errorf("member %d runs", i)
		}
	}
	if none, err := e.Usage(); err != nil || none != (Usage{}) {
		t.Errorf("%+v is used by none, %v", none, err)
	}
}

func TestUsageLeavesOutTheKilled(t *testing.T) {
	c := &Cluster{}
	for _, b := range c.all() {
		b.dir = t.TempDir()
		b.launch = func() (*process, error) { return start(b.dir, "script", nil, "sleep", "60") }
		if _, err := b.Start(t.Context(), func(context.Context, string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Kill)
	}
	c.Kill(1)
	brokers, keeper, err := c.Usage()
	if err != nil || len(brokers) != ClusterSize-1 || keeper.RSS == 0 || brokers[0].RSS == 0 {
		t.Errorf("%+v, %+v, %v", brokers, keeper, err)
	}
}

func TestJavaIsStartedAsTheScriptsDo(t *testing.T) {
	got := strings.Join(java("/d", "kafkaServer", "1G", "/j/*", "kafka.Kafka", "/d/server.properties"), " ")
	const want = "java -Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 " +
		"-XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15 -Djava.awt.headless=true " +
		"-Xlog:gc*:file=/d/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M " +
		"-Dcom.sun.management.jmxremote=true -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false " +
		"-Dkafka.logs.dir=/d -Dlog4j.configuration=file:/d/log4j.properties -cp /j/* kafka.Kafka /d/server.properties"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFetchedJarsAreNotFetchedAgain(t *testing.T) {
	cache := t.TempDir()
	if err := os.WriteFile(filepath.Join(cache, "pom.xml"), pom, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // no Maven
	if got, err := FetchJars(cache); err != nil || got != filepath.Join(cache, "jars") {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(cache, "pom.xml"), []byte("<project/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := FetchJars(cache); err == nil || !strings.Contains(err.Error(), KafkaVersion) {
		t.Errorf("another version's jars: %v", err)
	}
	if _, err := FetchZooKeeperJars(cache); err == nil || !strings.Contains(err.Error(), "ZooKeeper "+ZooKeeperVersion) {
		t.Errorf("another program's jars: %v", err)
	}
}
