package cli_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/test/gregor"
)

// patience bounds every wait; what takes longer hangs.
const patience = 30 * time.Second

// site is a directory and ports for one cluster.
type site struct {
	t          *testing.T
	dir        string
	port       int
	keeperPort int
	brokers    int
}

// A site gets portsEach ports; nextSite numbers the sites of this process, so
// that those of tests that run side by side differ.
const firstPort, portsEach, siteCount = 31000, 10, 90

var (
	firstSite = rand.Int64N(siteCount)
	nextSite  atomic.Int64
)

func newSite(t *testing.T, brokers int) *site {
	t.Helper()
	for range siteCount {
		base := firstPort + int((firstSite+nextSite.Add(1))%siteCount)*portsEach
		if allFree(base, brokers+1) {
			return &site{t: t, dir: filepath.Join(t.TempDir(), "D's"), port: base, keeperPort: base + brokers, brokers: brokers}
		}
	}
	t.Fatal("no free ports")
	return nil
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// run starts `gregor cluster VERB`.
func (s *site) run(verb string, more ...string) *gregor.Process {
	s.t.Helper()
	return gregor.Run(s.t, "", append([]string{"cluster", verb, "--dir", s.dir}, more...)...)
}

// up starts the cluster and waits for its screen.
func (s *site) up(more ...string) *gregor.Process {
	s.t.Helper()
	p := s.run("up", append([]string{"--brokers", fmt.Sprint(s.brokers), "--port", fmt.Sprint(s.port), "--keeper-port", fmt.Sprint(s.keeperPort)}, more...)...)
	if err := p.Await(s.t.Context(), "continues it.", patience); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// says runs a verb to its end and wants an exit code and texts in the output.
func (s *site) says(p *gregor.Process, code int, texts ...string) {
	s.t.Helper()
	got, err := p.Wait(s.t.Context(), patience)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	for _, want := range texts {
		if !strings.Contains(p.Output(), want) {
			s.t.Errorf("nothing is said of %q:\n%s", want, p.Output())
		}
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// stop ends a cluster with SIGTERM and wants a clean end.
func (s *site) stop(p *gregor.Process) {
	s.t.Helper()
	if err := p.Terminate(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.noneLeft(p)
}

// children reads the process ids from the screen, by name.
func (s *site) children(p *gregor.Process) map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^  (keeper|broker \d) +process (\d+), folder`).FindAllStringSubmatch(p.Output(), -1) {
		out[m[1]], _ = strconv.Atoi(m[2])
	}
	if len(out) != s.brokers+1 {
		s.t.Fatalf("the screen names %v:\n%s", out, p.Output())
	}
	return out
}

// noneLeft makes sure that all processes of a cluster have ended.
func (s *site) noneLeft(p *gregor.Process) {
	s.t.Helper()
	for name, pid := range s.children(p) {
		gregor.Eventually(s.t, patience, name+" ends", func() error {
			if err := syscall.Kill(pid, 0); err == nil {
				return fmt.Errorf("process %d still runs", pid)
			}
			return nil
		})
	}
}

func (s *site) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", s.port)), kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(-1))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

// TestClusterContinues: what a cluster holds is there when it is up again.
func TestClusterContinues(t *testing.T) {
	t.Parallel()
	s := newSite(t, 3)
	// One replica, so that this says nothing of replication.
	p := s.up("--override", "default.replication.factor=1")
	s.says(s.run("status"), 0, "run by process", "broker 2", "registered, controller", "0 under-replicated")
	rec := &kgo.Record{Topic: "precious", Value: []byte("kept")}
	if err := s.client(kgo.AllowAutoTopicCreation()).ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.says(s.run("down"), 0, "is down")
	if code, err := p.Wait(t.Context(), patience); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	s.noneLeft(p)
	s.says(s.run("down"), 0, "is not up")
	s.says(s.run("status"), 1, "not up", "no broker answers")
	p = gregor.Run(t, s.dir, "cluster", "up", "--dir", ".") // the shape is known
	if err := p.Await(t.Context(), "cluster of 3 brokers is up", patience); err != nil {
		t.Fatal(err)
	}
	fetches := s.client(kgo.ConsumeTopics("precious"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())).PollRecords(t.Context(), 1)
	if recs := fetches.Records(); len(recs) != 1 || string(recs[0].Value) != "kept" {
		t.Errorf("%v, %v", recs, fetches.Err())
	}
	s.stop(p)
}

// TestClusterLosesBroker: a broker's death is told, and it can be started by
// what is told.
func TestClusterLosesBroker(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	p := s.up("--override", "group.initial.rebalance.delay.ms=1", "--override", "zookeeper.session.timeout.ms=1000")
	if err := syscall.Kill(s.children(p)["broker 1"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	const told = "start it alone: "
	if err := p.Await(t.Context(), told, patience); err != nil {
		t.Fatal(err)
	}
	out := p.Output()
	if !strings.Contains(out, "broker 1 ended (signal: killed)") || !strings.Contains(out, "Ctrl-C stops it cleanly") {
		t.Errorf("its last lines are not told:\n%s", out)
	}
	gregor.Eventually(t, patience, "its registration ends", func() error {
		status := s.run("status")
		_, err := status.Wait(t.Context(), patience)
		if err != nil || !strings.Contains(status.Output(), "broker 1 is down; broker 1 is not registered") {
			return fmt.Errorf("%w\n%s", err, status.Output())
		}
		return nil
	})
	_, command, _ := strings.Cut(out, told)
	command, _, _ = strings.Cut(command, "\n")
	self, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.children(p)["keeper"]))
	if err != nil {
		t.Skip("this system does not tell which program it was: ", err)
	}
	alone := exec.Command("sh", "-c", strings.Replace(command, "&& gregor ", "&& exec "+self+" ", 1))
	if err := alone.Start(); err != nil {
		t.Fatal(err)
	}
	gregor.Eventually(t, patience, "it is back", func() error {
		status := s.run("status")
		if code, err := status.Wait(t.Context(), patience); err != nil || code != 0 {
			return fmt.Errorf("%w\n%s", err, status.Output())
		}
		return nil
	})
	s.says(s.run("status"), 0, "not run by it, but its port is served, registered")
	if err := syscall.Kill(s.children(p)["keeper"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), "keeper ended", patience); err != nil {
		t.Fatal(err)
	}
	s.says(s.run("status"), 1, "the keeper does not answer, so that nothing can change", "keeper is down")
	if err := alone.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := alone.Wait(); err != nil {
		t.Errorf("%s: %v", command, err)
	}
	s.stop(p)
}

// TestClusterLeavesNoOrphans: a cluster that is killed takes its processes along.
func TestClusterLeavesNoOrphans(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs Linux: ", err)
	}
	s := newSite(t, 2)
	p := s.up()
	p.Kill()
	s.noneLeft(p)
	s.stop(s.up()) // and what they left is a cluster still
}

// TestClusterSecondSignal: a member that does not stop holds nobody up who
// asks twice.
func TestClusterSecondSignal(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	p := s.up()
	if err := syscall.Kill(s.children(p)["broker 0"], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), "stopping the brokers", patience); err != nil {
		t.Fatal(err)
	}
	gregor.Eventually(t, patience, "it exits at once", func() error {
		if err := p.Signal(syscall.SIGINT); err == nil {
			return errors.New("it still takes signals")
		}
		return nil
	})
	s.says(p, 1, "second signal")
	s.noneLeft(p)
}

// TestClusterRefuses: what cannot work is told before anything is touched.
func TestClusterRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	ports := []string{"--brokers", "2", "--port", fmt.Sprint(s.port), "--keeper-port", fmt.Sprint(s.keeperPort)}
	refused := func(texts []string, flags ...string) {
		t.Helper()
		s.says(s.run("up", append(slices.Clone(ports), flags...)...), 1, texts...)
		if _, err := os.Stat(filepath.Join(s.dir, "broker-0")); err == nil {
			t.Fatalf("%v made a broker", flags)
		}
	}
	refused([]string{"brokers is 0", "from 1 to"}, "--brokers", "0")
	refused([]string{"keeper.port", "broker 0's port"}, "--keeper-port", fmt.Sprint(s.port))
	refused([]string{"need ports"}, "--port", "65535")
	s.says(s.run("status"), 1, "there is no cluster here")
	s.says(s.run("down"), 1, "there is no cluster here")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port+1))
	if err != nil {
		t.Fatal(err)
	}
	refused([]string{"broker 1 cannot have its port", fmt.Sprint(s.port + 1), "--port"})
	l.Close()
	if err := os.WriteFile(filepath.Join(s.dir, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused([]string{"holds letter.txt and no cluster", "empty directory"})
	if err := os.Remove(filepath.Join(s.dir, "letter.txt")); err != nil {
		t.Fatal(err)
	}
	p := s.up()
	s.says(s.run("up"), 1, "is up already (process ", "gregor cluster down")
	s.stop(p)
	s.says(s.run("up", "--brokers", "5"), 1, "--brokers 5: the cluster in", "was made with 2")
}

// TestClusterStartFails: when a member cannot start, its last lines are told
// and nothing is left running.
func TestClusterStartFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	p := s.run("up", "--brokers", "2", "--port", fmt.Sprint(s.port), "--keeper-port", fmt.Sprint(s.keeperPort), "--override", "num.partitions=none")
	s.says(p, 1, "ended (exit status 1)", "num.partitions", "start it alone", "D'\\''s", "ended while the cluster started")
	if !allFree(s.port, s.brokers+1) {
		t.Error("something still listens")
	}
}

// TestQuitPrintsStacks: kill -3 prints where all goroutines are, and the
// process goes on.
func TestQuitPrintsStacks(t *testing.T) {
	ports := gregor.FreePorts(t, 1)
	p := gregor.Run(t, t.TempDir(), "keeper", "--override", fmt.Sprintf("clientPort=%d", ports[0]))
	if err := p.Await(t.Context(), "listens on", patience); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SIGQUIT: the stacks", "goroutine 1 [", "cli.Program.keep("} {
		if err := p.Await(t.Context(), want, patience); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestVersion(t *testing.T) {
	flag, verb := gregor.Run(t, "", "--version"), gregor.Run(t, "", "version")
	for _, p := range []*gregor.Process{flag, verb} {
		if code, err := p.Wait(t.Context(), patience); err != nil || code != 0 || !strings.Contains(p.Output(), "Kafka 3.9.1") {
			t.Errorf("exit code %d, %v: %s", code, err, p.Output())
		}
	}
	if flag.Output() != verb.Output() {
		t.Errorf("%q and %q", flag.Output(), verb.Output())
	}
}
