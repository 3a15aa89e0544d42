package badstart

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) { os.Exit(gregor.Main(m)) }

// patience bounds every wait.
const patience = 30 * time.Second

// site is where a broker runs: its own ports and directories.
type site struct {
	t         *testing.T
	dir       string
	kafka, zk int
	overrides map[string]string
}

func newSite(t *testing.T) *site {
	t.Helper()
	return siteIn(t, t.TempDir())
}

func siteIn(t *testing.T, dir string) *site {
	t.Helper()
	ports := gregor.FreePorts(t, 2)
	return &site{t: t, dir: dir, kafka: ports[0], zk: ports[1], overrides: map[string]string{}}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// start runs the broker with its own defaults, and overrides on top.
func (s *site) start() *gregor.Process {
	s.t.Helper()
	all := map[string]string{
		"listeners": fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", s.kafka), "log.dirs": s.path("logs"),
		"gregor.keeper.data.dir": s.path("keeper"), "gregor.keeper.client.port": fmt.Sprint(s.zk),
	}
	maps.Copy(all, s.overrides)
	args := []string{"server"}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "--override", k+"="+all[k])
	}
	return gregor.Run(s.t, os.TempDir(), args...)
}

// up starts a broker that must come up.
func (s *site) up() *gregor.Process {
	s.t.Helper()
	p := s.start()
	if err := p.Await(s.t.Context(), " is up after ", patience); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// used returns a site where a broker ran, had a topic with a record in it, and
// stopped cleanly.
func used(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	p := s.up()
	s.write("precious", "kept")
	if err := p.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", s.kafka)), kgo.RecordDeliveryTimeout(patience), kgo.AllowAutoTopicCreation(),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.FetchMaxWait(200 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

func (s *site) write(topic, value string) {
	s.t.Helper()
	if err := s.client().ProduceSync(s.t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// holds makes sure that a running broker still has a value.
func (s *site) holds(topic, value string) {
	s.t.Helper()
	cl := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	fetches := cl.PollRecords(s.t.Context(), 1)
	if got := fetches.Records(); len(got) == 0 || string(got[0].Value) != value {
		s.t.Fatalf("%s holds %v, want %q (%v)", topic, got, value, fetches.Err())
	}
}

// tree is the content of a directory: names with sizes and checksums. Locks
// are held by who runs, and say nothing.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == ".lock" || d.Name() == "keeper.lock" {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || d.IsDir() {
			out[rel] = "directory"
			return err
		}
		text, err := os.ReadFile(name)
		out[rel] = fmt.Sprintf("%d bytes, %x", len(text), sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unchanged(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := tree(t, dir)
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s was %s, is %s", name, was, after[name])
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
}

// refused starts a broker that must end by itself with one line that holds all
// of the texts, and leaves its directory as it is.
func (s *site) refused(texts ...string) {
	s.t.Helper()
	before := tree(s.t, s.dir)
	s.refusedAnyhow(texts...)
	unchanged(s.t, s.dir, before)
}

func (s *site) refusedAnyhow(texts ...string) {
	s.t.Helper()
	told(s.t, s.start(), texts...)
}

// told waits for the end of a process and looks at what it said.
func told(t *testing.T, p *gregor.Process, texts ...string) {
	t.Helper()
	code, err := p.Wait(t.Context(), patience)
	if err != nil {
		t.Fatal(err)
	}
	out := strings.TrimSpace(p.Output())
	if first, rest, more := strings.Cut(out, "\n"); more && strings.Contains(first, "waiting for who has it to go") {
		out = rest // that line says why the refusal takes its time
	}
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if strings.Count(out, "\n") > 0 || !strings.HasPrefix(out, "gregor: ") {
		t.Errorf("more than one clear line:\n%s", out)
	}
	for _, want := range texts {
		if !strings.Contains(out, want) {
			t.Errorf("the message does not say %q:\n%s", want, out)
		}
	}
}

func overwrite(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, change(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestSecondProcess(t *testing.T) {
	s := newSite(t)
	s.up()
	s.write("precious", "kept")
	other := siteIn(t, s.dir)
	other.refusedAnyhow(s.path("logs"), "in use by another broker", "stop it", "other log.dirs")
	other.overrides["log.dirs"] = filepath.Join(t.TempDir(), "logs")
	other.refusedAnyhow(s.path("keeper"), "in use", "stop the other keeper")
	s.holds("precious", "kept")
}

func TestPortInUse(t *testing.T) {
	s := used(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	s.overrides["listeners"] = "PLAINTEXT://" + addr
	s.refusedAnyhow("listener PLAINTEXT", addr, "in use", "stop it, or choose another port")
	delete(s.overrides, "listeners")
	s.overrides["gregor.keeper.client.port"] = fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	before := tree(t, s.dir)
	s.refusedAnyhow("keeper", addr, "in use", "stop it, or choose another port")
	unchanged(t, s.dir, before)
	delete(s.overrides, "gregor.keeper.client.port")
	s.up()
	s.holds("precious", "kept")
}

func TestMetaProperties(t *testing.T) {
	f := func(name string, change func([]byte) []byte, texts ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := used(t)
			meta := s.path("logs/meta.properties")
			text, err := os.ReadFile(meta)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, meta, change)
			logs := tree(t, s.path("logs"))
			s.refusedAnyhow(append(texts, meta)...)
			unchanged(t, s.path("logs"), logs)
			overwrite(t, meta, func([]byte) []byte { return text })
			s.up()
			s.holds("precious", "kept")
		})
	}
	f("garbage", func([]byte) []byte { return []byte{0xff, 0, '=', 1, '\n', 'x'} }, "restore it", "move it away")
	f("cut", func(b []byte) []byte { return b[:strings.Index(string(b), "broker.id=")+len("broker.id=")] }, "restore it")
	f("another broker", func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "broker.id=0", "broker.id=7")) },
		"broker.id is 7", "says 0", "its own log.dirs")
	f("another cluster", func(b []byte) []byte {
		i := strings.Index(string(b), "cluster.id=") + len("cluster.id=")
		return append(b[:i:i], append([]byte("AAAAAAAAAAAAAAAAAAAAAA"), b[i+22:]...)...)
	}, "cluster.id is \"AAAAAAAAAAAAAAAAAAAAAA\"", "zookeeper.connect", "empty log.dirs")
}

// An empty file says nothing that could be overwritten; Kafka fills it in, too.
func TestEmptyMetaProperties(t *testing.T) {
	s := used(t)
	overwrite(t, s.path("logs/meta.properties"), func([]byte) []byte { return nil })
	s.up()
	s.holds("precious", "kept")
}

func TestKeeperData(t *testing.T) {
	segment := "keeper/log/0000000000000001.log"
	f := func(name string, damage func(t *testing.T, s *site), texts ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := used(t)
			damage(t, s)
			s.refused(texts...)
		})
	}
	cut := func(part int) func(*testing.T, *site) {
		return func(t *testing.T, s *site) {
			overwrite(t, s.path(segment), func(b []byte) []byte { return b[:len(b)*part/4] })
		}
	}
	f("cut to a half", cut(2), segment, "cut off", "nothing was changed", "restore")
	f("cut to nothing", cut(0), segment, "cut off", "restore")
	f("flipped in the middle", func(t *testing.T, s *site) {
		overwrite(t, s.path(segment), func(b []byte) []byte { b[len(b)/2] ^= 0xff; return b })
	}, segment, "damaged at byte", "nothing was changed", "restore")
	f("log gone", func(t *testing.T, s *site) {
		if err := os.Remove(s.path(segment)); err != nil {
			t.Fatal(err)
		}
	}, segment, "missing", "put it back")
	f("meta gone", func(t *testing.T, s *site) {
		if err := os.Remove(s.path("keeper/keeper.meta")); err != nil {
			t.Fatal(err)
		}
	}, "keeper.meta is missing", "put it back")
	f("meta garbage", func(t *testing.T, s *site) {
		overwrite(t, s.path("keeper/keeper.meta"), func([]byte) []byte { return []byte("what?") })
	}, "keeper.meta is damaged", "restore")
}

// TestKeeperGone: a keeper that has lost everything must not begin a new
// cluster over the logs of the old one.
func TestKeeperGone(t *testing.T) {
	s := used(t)
	logs := tree(t, s.path("logs"))
	away := filepath.Join(t.TempDir(), "keeper")
	if err := os.Rename(s.path("keeper"), away); err != nil {
		t.Fatal(err)
	}
	s.refusedAnyhow(s.path("logs"), "cluster.id=", s.path("keeper")+" holds no cluster", "restore its data")
	unchanged(t, s.path("logs"), logs)
	if err := os.RemoveAll(s.path("keeper")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, s.path("keeper")); err != nil {
		t.Fatal(err)
	}
	s.up()
	s.holds("precious", "kept")
}

// TestKeeperLogCutAfterKill: without the mark of a stop, a cut cannot be told
// from a power cut. Whatever the keeper makes of it, no record is touched.
func TestKeeperLogCutAfterKill(t *testing.T) {
	for part := range 5 {
		t.Run(fmt.Sprintf("%d of 5", part), func(t *testing.T) {
			s := newSite(t)
			p := s.up()
			s.write("precious", "kept")
			p.Kill()
			overwrite(t, s.path("keeper/log/0000000000000001.log"), func(b []byte) []byte { return b[:len(b)*part/5] })
			record, err := os.ReadFile(s.path("logs/precious-0/00000000000000000000.log"))
			if err != nil {
				t.Fatal(err)
			}
			p = s.start()
			if err := p.Await(t.Context(), "gregor", patience); err != nil {
				t.Fatal(err)
			}
			p.Kill()
			after, err := os.ReadFile(s.path("logs/precious-0/00000000000000000000.log"))
			if err != nil || string(after) != string(record) {
				t.Errorf("the record's log has changed: %d bytes, %d before, %v", len(after), len(record), err)
			}
		})
	}
}

func TestForeignDirectories(t *testing.T) {
	f := func(name string, make func(t *testing.T, s *site), texts ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			mkdir(t, s.path("keeper"))
			mkdir(t, s.path("logs"))
			make(t, s)
			s.refused(texts...)
		})
	}
	f("logs hold pictures", func(t *testing.T, s *site) { mkdir(t, s.path("logs/holiday pictures")) },
		s0("logs"), `"holiday pictures"`, "move it away")
	f("logs are a file", func(t *testing.T, s *site) {
		if err := os.Remove(s.path("logs")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.path("logs"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}, s0("logs"), "is a file, not a directory")
	f("keeper holds a thesis", func(t *testing.T, s *site) {
		if err := os.WriteFile(s.path("keeper/thesis.tex"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}, s0("keeper"), `"thesis.tex"`, "choose an empty directory")
	f("keeper holds ZooKeeper's data", func(t *testing.T, s *site) { mkdir(t, s.path("keeper/version-2")) },
		s0("keeper"), "Apache ZooKeeper", "a directory of its own")
	f("keeper within logs", func(_ *testing.T, s *site) { s.overrides["gregor.keeper.data.dir"] = s.path("logs/keeper") },
		"gregor.keeper.data.dir", "beside each other")
}

// s0 is the end of a path below a site whose directory is not known yet.
func s0(name string) string { return "/" + name }

// TestBrokerIDTaken: two brokers with one id at one ZooKeeper.
func TestBrokerIDTaken(t *testing.T) {
	zk := newSite(t)
	keeper := gregor.Run(t, zk.dir, "keeper", "--override", "dataDir="+zk.path("zk"), "--override", fmt.Sprintf("clientPort=%d", zk.zk),
		"--override", "tickTime=100", "--override", "maxSessionTimeout=60000")
	if err := keeper.Await(t.Context(), "listens on", patience); err != nil {
		t.Fatal(err)
	}
	with := func(session string) *site {
		s := newSite(t)
		s.overrides["zookeeper.connect"] = fmt.Sprintf("127.0.0.1:%d", zk.zk)
		s.overrides["zookeeper.session.timeout.ms"] = session
		return s
	}
	// The second waits for its own session's time before it gives up; the first
	// must not lose its session meanwhile.
	first, second := with("60000"), with("2000")
	first.up()
	first.write("precious", "kept")
	second.refusedAnyhow("broker.id=0", "taken by the broker at 127.0.0.1:"+fmt.Sprint(first.kafka), "another broker.id")
	first.holds("precious", "kept")
	adm := kadm.NewClient(first.client())
	if brokers, err := adm.ListBrokers(t.Context()); err != nil || len(brokers) != 1 {
		t.Errorf("brokers %v, %v", brokers, err)
	}
}
