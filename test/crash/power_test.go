package crash

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"path"
	"runtime"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/node"
	"github.com/gregor-mq/gregor/storage/checkpoint"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/gregor-mq/gregor/test/inside"
)

// durability is what a broker is set to, and what that promises.
type durability struct {
	name              string
	properties, topic map[string]string
	// every is after how many records a topic is flushed: what is behind may be
	// lost; 0 says that nothing is promised but what a checkpoint says.
	every int64
	// offsets says that commits are flushed as well.
	offsets bool
}

var durabilities = []durability{
	{"flush each", map[string]string{"log.flush.interval.messages": "1"}, nil, 1, true},
	{"flush each of the topic", nil, map[string]string{"flush.messages": "1"}, 1, false},
	{"flush every 20", nil, map[string]string{"flush.messages": "20"}, 20, false},
	{"page cache", nil, nil, 0, false},
}

// TestPowerCut takes the power away at random moments, some of them while the
// broker starts. Writes that were not synced survive by chance, in any order.
func TestPowerCut(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, d := range durabilities {
		t.Run(d.name, func(t *testing.T) {
			eachSeed(t, []uint64{1, 2}, func(t *testing.T, _ uint64, rng *rand.Rand) { powerCuts(t, d, rng) })
		})
	}
	gregor.Eventually(t, patience, "goroutines of abandoned brokers", func() error {
		if now := runtime.NumGoroutine(); now > before+2 {
			return fmt.Errorf("%d goroutines, %d before", now, before)
		}
		return nil
	})
}

// powered is a machine with the broker that runs on it.
type powered struct {
	*inside.Machine
	t *testing.T
	n *node.Node
}

func powerCuts(t *testing.T, d durability, rng *rand.Rand) {
	properties := map[string]string{
		"log.dirs": pick(rng, "/data/logs", "/a/b/logs,/c/logs", "/logs-0,/logs-1,/logs-2"),
		"log.flush.offset.checkpoint.interval.ms": "50", "replica.high.watermark.checkpoint.interval.ms": "50",
		"gregor.keeper.snap.count": pick(rng, "20", "500"), "offsets.topic.segment.bytes": pick(rng, "5000", "1000000"),
		"log.index.interval.bytes": pick(rng, "0", "4096"),
	}
	maps.Copy(properties, d.properties)
	topic := map[string]string{"segment.bytes": pick(rng, "4000", "50000")}
	maps.Copy(topic, d.topic)
	t.Logf("settings %v, topics %v", properties, topic)
	m := &powered{Machine: inside.New(0, properties), t: t}
	hist, opts := newHistory(), clientOptions(inside.Kafka, m.Options()...)
	t.Cleanup(func() {
		_ = inside.Stop(m.n) // a failed test's
		if t.Failed() {
			for _, line := range m.Logs.With() {
				t.Log(line)
			}
		}
	})
	m.start()
	l := hist.begin(t, opts, rng, topic)
	for range rounds(t, 5) {
		if err := l.awaitAcks(t.Context(), 1+rng.Int64N(300)); err != nil {
			t.Fatal(err)
		}
		pause(t.Context(), time.Duration(rng.IntN(30_000))*time.Microsecond)
		m.cut(rng)
		if !d.offsets { // what was acknowledged may be gone: these clients could not go on
			l.stop()
		}
		m.cutAgain(rng)
		m.start()
		m.born(hist)
		if !d.offsets {
			hist.verify(t, opts, m.promised(hist, d))
			l = hist.begin(t, opts, rng, topic)
		}
	}
	l.finish(t, 100)
	t.Logf("%d records acknowledged, %d topics created", hist.records.AckedCount(), hist.names.Load())
	hist.verify(t, opts, hist.kept())
	if err := inside.Stop(m.n); err != nil {
		t.Fatal(err)
	}
	m.start()
	hist.verify(t, opts, hist.kept())
	err := inside.Stop(m.n)
	m.n = nil
	if err != nil {
		t.Fatal(err)
	}
}

func (m *powered) start() {
	m.t.Helper()
	n, err := m.Start(m.t.Context())
	if err != nil {
		m.t.Fatalf("start on what the power cut left: %v", err)
	}
	m.n = n
}

// cut takes the power away.
func (m *powered) cut(rng *rand.Rand) {
	m.t.Helper()
	m.PowerCut(someCrash(rng))
	old := m.n
	m.n = nil
	_ = inside.Stop(old) // on a disk and a network that are no more
}

// cutAgain takes it away while the next life begins, by chance.
func (m *powered) cutAgain(rng *rand.Rand) {
	m.t.Helper()
	for rng.IntN(3) == 0 {
		if err := m.Try(m.t.Context(), func() { pause(m.t.Context(), time.Duration(rng.IntN(25_000))*time.Microsecond) }, someCrash(rng)); err != nil {
			m.t.Fatalf("start on what the power cut left: %v", err)
		}
	}
}

func someCrash(rng *rand.Rand) memfs.Crash {
	return memfs.Crash{Rand: rand.New(rand.NewPCG(rng.Uint64(), 3)), KeepPercent: pick(rng, 0, 20, 50, 80, 100)}
}

// promised is what d lets a power cut take. It is worked out from the disk as
// the broker found it, for offsets that a checkpoint says are flushed.
func (m *powered) promised(h *history, d durability) promise {
	floors := map[check.Partition]int64{}
	for _, dir := range m.n.Config().LogDirs {
		text, err := m.Disk.ReadFile(path.Join(dir, "recovery-point-offset-checkpoint"))
		if err != nil {
			continue // none was written yet
		}
		points, err := checkpoint.DecodeOffsets(text)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, o := range points {
			p := check.Partition{Topic: o.Topic, Index: o.Partition}
			floors[p] = max(floors[p], min(o.Offset, h.records.AckedEnd(p)))
		}
	}
	return promise{offsets: d.offsets, floor: func(p check.Partition) int64 {
		if d.every > 0 {
			return max(floors[p], h.records.AckedEnd(p)-d.every+1)
		}
		return floors[p]
	}}
}

// born notes when the registration and the topics were created.
func (m *powered) born(hist *history) {
	m.t.Helper()
	conn, _, err := zk.Connect([]string{inside.ZooKeeper}, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(quiet{}),
		zk.WithDialer(func(network, address string, _ time.Duration) (net.Conn, error) {
			return m.Net.Dial(m.t.Context(), network, address)
		}))
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	if err := noteBirths(conn, "", hist); err != nil {
		m.t.Fatal(err)
	}
}

func noteBirths(conn *zk.Conn, root string, hist *history) error {
	_, stat, err := conn.Get(root + "/brokers/ids/0")
	if err == nil {
		err = hist.births.Next("registration of broker 0", stat.Czxid)
	}
	if err != nil {
		return err
	}
	topics, _, err := conn.Children(root + "/brokers/topics")
	if err != nil {
		return err
	}
	var errs []error
	for _, topic := range topics {
		ok, stat, err := conn.Exists(root + "/brokers/topics/" + topic)
		if err == nil && ok {
			err = hist.births.Note("topic "+topic, stat.Czxid)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
