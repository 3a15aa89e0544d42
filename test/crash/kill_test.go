package crash

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kgo"
)

// host is where a broker's processes run: ports and directories that stay the
// same over all of its lives.
type host struct {
	t             *testing.T
	dir           string
	kafka, zk     string
	config        string // server.properties
	keeperConfig  string // zoo.cfg of a keeper of its own, "" when it is embedded
	broker, outer *gregor.Process
}

// startLimit is how long a start may take. It is far below every session
// timeout here: a broker that waits for its own old session fails the test.
const startLimit = 10 * time.Second

func newHost(t *testing.T, embedded bool, properties map[string]string) *host {
	t.Helper()
	ports := gregor.FreePorts(t, 2)
	h := &host{t: t, dir: t.TempDir(), kafka: fmt.Sprintf("127.0.0.1:%d", ports[0]), zk: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	all := map[string]string{
		"broker.id": "0", "listeners": "PLAINTEXT://" + h.kafka, "log.dirs": filepath.Join(h.dir, "logs"),
		"offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "3", "group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
		"auto.create.topics.enable": "false", "log.segment.delete.delay.ms": "500",
		"log.flush.offset.checkpoint.interval.ms": "200", "replica.high.watermark.checkpoint.interval.ms": "100",
		"zookeeper.session.timeout.ms": "60000",
	}
	if embedded {
		all["gregor.keeper.data.dir"] = filepath.Join(h.dir, "keeper")
		all["gregor.keeper.client.port"] = fmt.Sprint(ports[1])
		all["gregor.keeper.max.session.timeout.ms"] = "60000"
		all["gregor.keeper.snap.count"] = "200"
	} else {
		all["zookeeper.connect"] = h.zk + "/some/where"
		h.keeperConfig = filepath.Join(h.dir, "zoo.cfg")
		write(t, h.keeperConfig, fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nmaxSessionTimeout=60000\nsnapCount=200\n",
			filepath.Join(h.dir, "zookeeper"), ports[1]))
	}
	maps.Copy(all, properties)
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", k, strings.ReplaceAll(all[k], "$DIR", h.dir))
	}
	h.config = filepath.Join(h.dir, "server.properties")
	write(t, h.config, text.String())
	return h
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// launch starts the broker and does not wait.
func (h *host) launch() {
	h.t.Helper()
	if h.broker != nil {
		if err := h.broker.Trouble(); err != nil {
			h.t.Fatal(err)
		}
	}
	h.broker = gregor.Run(h.t, h.dir, "server", "--config", h.config)
}

// ready waits until the broker serves.
func (h *host) ready() {
	h.t.Helper()
	if err := h.broker.Await(h.t.Context(), " is up after ", startLimit); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) startKeeper() {
	h.t.Helper()
	h.outer = gregor.Run(h.t, h.dir, "keeper", "--config", h.keeperConfig)
	if err := h.outer.Await(h.t.Context(), "listens on", startLimit); err != nil {
		h.t.Fatal(err)
	}
}

// born notes when the broker's registration and its topics were created.
func (h *host) born(hist *history, root string) {
	h.t.Helper()
	conn, _, err := zk.Connect([]string{h.zk}, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if err := noteBirths(conn, root, hist); err != nil {
		h.t.Fatal(err)
	}
}

type quiet struct{}

// Printf implements zk.Logger.
func (quiet) Printf(string, ...any) {}

// killSettings are a broker's settings as the seed chooses them.
func killSettings(rng *rand.Rand) (properties, topic map[string]string) {
	dirs := []string{"$DIR/logs-0", "$DIR/logs-1", "$DIR/logs-2"}[:1+rng.IntN(3)]
	properties = map[string]string{
		"log.dirs": strings.Join(dirs, ","), "num.recovery.threads.per.data.dir": fmt.Sprint(1 + rng.IntN(3)),
		"log.index.interval.bytes":                 pick(rng, "0", "100", "4096"),
		"offsets.topic.compression.codec":          pick(rng, "0", "1", "2"),
		"gregor.keeper.snap.count":                 pick(rng, "20", "200", "2000"),
		"offsets.topic.segment.bytes":              pick(rng, "5000", "1000000"),
		"producer.id.expiration.check.interval.ms": "1000",
	}
	if rng.IntN(4) == 0 {
		properties["log.flush.interval.messages"] = "1"
	}
	// Smaller segments roll faster than a busy disk syncs them: then every life
	// recovers more than the one before, as with Kafka.
	topic = map[string]string{"segment.bytes": pick(rng, "30000", "100000", "1000000")}
	if rng.IntN(3) == 0 {
		topic["compression.type"] = pick(rng, "uncompressed", "lz4", "zstd", "snappy")
	}
	return properties, topic
}

// TestKillNine kills the broker at random moments, some of them while it
// starts; producers, consumers and an administrator go on over all its lives.
func TestKillNine(t *testing.T) {
	eachSeed(t, []uint64{1, 2}, func(t *testing.T, seed uint64, rng *rand.Rand) {
		embedded := seed%2 == 1 // the others have a keeper that is killed as well
		properties, topic := killSettings(rng)
		hist := newHistory()
		h := newHost(t, embedded, properties)
		t.Logf("settings %v, topics %v", properties, topic)
		root := ""
		if !embedded {
			root = "/some/where"
			h.startKeeper()
		}
		h.launch()
		h.ready()
		opts := clientOptions(h.kafka)
		l := hist.begin(t, opts, rng, topic)
		defer l.stop()
		for range rounds(t, 6) {
			h.disaster(l, rng)
			h.born(hist, root)
		}
		l.finish(t, 100)
		t.Logf("%d records acknowledged, %d topics created", hist.records.AckedCount(), hist.names.Load())
		hist.verify(t, opts, hist.kept())
		if err := h.broker.Terminate(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.launch()
		h.ready()
		hist.verify(t, opts, hist.kept())
	})
}

// disaster kills once and brings the broker back.
func (h *host) disaster(l *load, rng *rand.Rand) {
	h.t.Helper()
	if rng.IntN(2) == 0 {
		if err := l.awaitAcks(h.t.Context(), 1+rng.Int64N(500)); err != nil {
			h.t.Fatal(err)
		}
	} else {
		pause(h.t.Context(), time.Duration(rng.IntN(150_000))*time.Microsecond)
	}
	keeperToo := h.outer != nil && rng.IntN(2) == 0
	if keeperToo && rng.IntN(2) == 0 {
		h.outer.Kill() // the broker lives a moment longer than its ZooKeeper
		pause(h.t.Context(), time.Duration(rng.IntN(20_000))*time.Microsecond)
	}
	h.broker.Kill()
	if keeperToo {
		h.outer.Kill()
		h.startKeeper()
	}
	for rng.IntN(3) == 0 { // and again while it starts
		h.launch()
		pause(h.t.Context(), time.Duration(rng.IntN(40_000))*time.Microsecond)
		h.broker.Kill()
	}
	h.launch()
	h.ready()
}

// TestQuickReturn: after kill -9 the broker does not wait for its own old
// session, which would live another minute.
func TestQuickReturn(t *testing.T) {
	f := func(name string, embedded bool) {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, embedded, nil)
			root := ""
			if !embedded {
				root = "/some/where"
				h.startKeeper()
			}
			hist := newHistory()
			for range 3 {
				h.launch()
				h.ready()
				h.born(hist, root)
				h.broker.Kill()
			}
			h.launch()
			began := time.Now()
			h.ready()
			t.Logf("back after %v", time.Since(began))
			cl := newClient(t, clientOptions(h.kafka, kgo.AllowAutoTopicCreation()))
			defer cl.Close()
			if err := cl.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	f("embedded keeper", true)
	f("external keeper", false)
}
