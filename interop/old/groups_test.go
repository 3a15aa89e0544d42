//go:build interop

package old

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// group is a group in ZooKeeper that tools look at.
type group struct {
	*stage
	name, topic string
	partitions  int32
	ends        map[int32]int64 // of the partitions
}

func (s *stage) group(name, topic string, partitions int32) *group {
	return &group{stage: s, name: name, topic: topic, partitions: partitions, ends: map[int32]int64{}}
}

// fill writes n records to each partition, and one more with each number.
func (g *group) fill(n int) {
	g.t.Helper()
	for p := range g.partitions {
		var values []string
		for i := range n + int(p) {
			values = append(values, fmt.Sprintf("record %d", i))
		}
		g.write(g.kafka, g.topic, p, values...)
		g.ends[p] += int64(len(values))
	}
}

// java joins with the consumer of 0.8.2.2, which keeps its offsets in ZooKeeper.
func (g *group) java(name string) *peer.Process {
	g.t.Helper()
	return peer.StartJavaSource(g.t, "kafka-0.8.2.2", "../consumers/testdata/Member.java",
		[]string{g.Ensemble.Addr, g.name, name, g.topic, "zookeeper", "false"}, "")
}

// golang is gregor's consumer as a member.
type golang struct {
	g     *group
	c     *client.GroupConsumer
	leave func()
	mu    struct {
		sync.Mutex
		got []string // partition and offset of each record
	}
}

func (g *group) golang(name string, offsets client.ConsumerOption) *golang {
	g.t.Helper()
	c, err := client.NewGroupConsumer(g.ctx, g.Ensemble.Addr, g.name, client.Topics(g.topic), client.ConsumerID(g.name+"_"+name), offsets,
		client.StartAt(client.Earliest), client.AutoCommit(200*time.Millisecond), client.RebalanceBackoff(500*time.Millisecond), client.RebalanceRetries(100))
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(g.ctx)
	done := make(chan struct{})
	m := &golang{g: g, c: c}
	m.leave = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := c.Close(context.Background()); err != nil {
			g.t.Error(err)
		}
	})
	g.t.Cleanup(m.leave)
	go m.play(ctx, done)
	return m
}

func (m *golang) play(ctx context.Context, done chan struct{}) {
	defer close(done)
	for {
		records, err := m.c.Poll(ctx)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, client.ErrClosed) {
				m.g.t.Error(err)
			}
			return
		}
		m.mu.Lock()
		for _, r := range records {
			m.mu.got = append(m.mu.got, fmt.Sprintf("%d %d", r.Partition, r.Offset))
		}
		m.mu.Unlock()
	}
}

func (m *golang) read() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(slices.Values(m.mu.got))
}

// owner is what an owner node holds, and the id of the change that made it.
type owner struct {
	thread string
	czxid  int64
}

func (g *group) owners() map[int32]owner {
	g.t.Helper()
	out := map[int32]owner{}
	for p := range g.partitions {
		data, stat, err := g.zk.Get(g.ctx, znode.OwnerPath(g.name, g.topic, p), false)
		if err == nil {
			out[p] = owner{string(data), stat.Czxid}
		} else if !errors.Is(err, zk.ErrNoNode) {
			g.t.Fatal(err)
		}
	}
	return out
}

// dealt waits until partitions are owned as told, from 0 on: "a a b".
func (g *group) dealt(want string) {
	g.t.Helper()
	peer.Eventually(g.t, patience, func() error {
		owners := g.owners()
		var got []string
		for p := range g.partitions {
			id, _, _ := znode.ParseThreadID(owners[p].thread)
			got = append(got, strings.TrimPrefix(id, g.name+"_"))
		}
		if text := strings.Join(got, " "); text != want {
			return fmt.Errorf("the partitions are dealt as %q, not %q", text, want)
		}
		return nil
	})
}

// caughtUp waits until all that is in the topic is committed in ZooKeeper.
func (g *group) caughtUp() {
	g.t.Helper()
	peer.Eventually(g.t, patience, func() error {
		for p, end := range g.ends {
			data, _, err := g.zk.Get(g.ctx, znode.OffsetPath(g.name, g.topic, p), false)
			if err != nil || string(data) != fmt.Sprint(end) {
				return fmt.Errorf("offset %s of partition %d, want %d: %w", data, p, end, err)
			}
		}
		return nil
	})
}

// quietly looks at the group at a moment when no partition changes hands, and
// again if one did meanwhile.
func (g *group) quietly(look func()) map[int32]string {
	g.t.Helper()
	names := map[int32]string{}
	peer.Eventually(g.t, patience, func() error {
		before := g.owners()
		look()
		if after := g.owners(); !maps.Equal(before, after) {
			return fmt.Errorf("the owners were %v, and then %v", before, after)
		}
		for p, o := range before {
			names[p] = o.thread
		}
		return nil
	})
	return names
}

const verify = "kafka.tools.VerifyConsumerRebalance"

// verified lets VerifyConsumerRebalance look at the group. That of 0.10.2 has to
// be content; that of 0.8.2 never is, whatever the broker, because it compares
// numbers with texts; but it names the owners, too.
func (g *group) verified() {
	g.t.Helper()
	for library, verdict := range map[string]string{"kafka-0.10.2.2": "Rebalance operation successful !", "kafka-0.8.2.2": "Rebalance operation failed !"} {
		var printed []string
		var logged string
		owners := g.quietly(func() {
			printed, logged = g.run(library, verify, "--zookeeper.connect", g.Ensemble.Addr, "--group", g.name)
		})
		equal(g.t, library, printed, []string{verdict})
		if got := g.named(logged); !maps.Equal(got, owners) || len(got) != int(g.partitions) {
			g.t.Errorf("%s names the owners %v, they are %v\n%s", library, got, owners, logged)
		}
	}
}

var naming = regexp.MustCompile(`Owner of partition \[(.+),(\d+)\] is (\S+)|Owner (\S+) for partition \[(.+),(\d+)\]`)

// named are the owners that VerifyConsumerRebalance tells of.
func (g *group) named(logged string) map[int32]string {
	g.t.Helper()
	out := map[int32]string{}
	for _, m := range naming.FindAllStringSubmatch(logged, -1) {
		p, err := strconv.ParseInt(m[2]+m[6], 10, 32)
		if err != nil || m[1]+m[5] != g.topic {
			g.t.Errorf("no partition: %q", m[0])
		}
		out[int32(p)] = m[3] + m[4]
	}
	return out
}

// unowned takes a partition away from its owner: now 0.10.2 must not be content.
func (g *group) unowned(partition int32) {
	g.t.Helper()
	if err := g.zk.Delete(g.ctx, znode.OwnerPath(g.name, g.topic, partition), -1); err != nil {
		g.t.Fatal(err)
	}
	printed, logged := g.run("kafka-0.10.2.2", verify, "--zookeeper.connect", g.Ensemble.Addr, "--group", g.name)
	equal(g.t, "without an owner", printed, []string{"Rebalance operation failed !"})
	if want := fmt.Sprintf("No owner for partition [%s,%d]", g.topic, partition); !strings.Contains(logged, want) {
		g.t.Errorf("no %q in\n%s", want, logged)
	}
}

// checked lets ConsumerOffsetChecker tell offsets, lags and owners.
func (g *group) checked(offsets map[int32]int64) {
	g.t.Helper()
	for _, library := range []string{"kafka-0.8.2.2", "kafka-0.10.2.2"} {
		var printed []string
		owners := g.quietly(func() {
			printed, _ = g.run(library, "kafka.tools.ConsumerOffsetChecker", "--zookeeper", g.Ensemble.Addr, "--group", g.name, "--topic", g.topic)
		})
		want := []string{"Group Topic Pid Offset logSize Lag Owner"}
		for p := range g.partitions {
			who := "none"
			if o := owners[p]; o != "" {
				who = o
			}
			want = append(want, fmt.Sprint(g.name, " ", g.topic, " ", p, " ", offsets[p], " ", g.ends[p], " ", g.ends[p]-offsets[p], " ", who))
		}
		equal(g.t, "ConsumerOffsetChecker of "+library, printed, want)
	}
}

// described lets kafka-consumer-groups of 0.10.2 tell the same.
func (g *group) described(offsets map[int32]int64) {
	g.t.Helper()
	patient := file(g.t, "channelSocketTimeoutMs=60000", "channelRetryBackoffMsOpt=300")
	var printed []string
	owners := g.quietly(func() {
		printed, _ = g.run("kafka-0.10.2.2", "kafka.admin.ConsumerGroupCommand", "--zookeeper", g.Ensemble.Addr, "--describe", "--group", g.name,
			"--command-config", patient)
	})
	want := []string{"TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID"}
	for p := range g.partitions {
		id, _, _ := znode.ParseThreadID(owners[p])
		want = append(want, fmt.Sprint(g.topic, " ", p, " ", offsets[p], " ", g.ends[p], " ", g.ends[p]-offsets[p], " ", id))
	}
	slices.Sort(want[1:])
	slices.Sort(printed[min(1, len(printed)):])
	equal(g.t, "kafka-consumer-groups --describe", printed, want)
	printed, _ = g.run("kafka-0.10.2.2", "kafka.admin.ConsumerGroupCommand", "--zookeeper", g.Ensemble.Addr, "--list")
	if !slices.Contains(printed, g.name) {
		g.t.Errorf("kafka-consumer-groups --list has no %s: %v", g.name, printed)
	}
}

// offsetLines are offsets in the form of ExportZkOffsets.
func (g *group) offsetLines(offsets map[int32]int64) []string {
	var out []string
	for p, o := range offsets {
		out = append(out, fmt.Sprintf("%s:%d", znode.OffsetPath(g.name, g.topic, p), o))
	}
	return slices.Sorted(slices.Values(out))
}

// exported lets ExportZkOffsets write the offsets to a file.
func (g *group) exported(library string, offsets map[int32]int64) {
	g.t.Helper()
	name := filepath.Join(g.t.TempDir(), "offsets")
	g.run(library, "kafka.tools.ExportZkOffsets", "--zkconnect", g.Ensemble.Addr, "--group", g.name, "--output-file", name)
	text, err := os.ReadFile(name)
	if err != nil {
		g.t.Fatal(err)
	}
	equal(g.t, "ExportZkOffsets of "+library, slices.Sorted(slices.Values(lines(string(text)))), g.offsetLines(offsets))
}

// imported lets ImportZkOffsets set them.
func (g *group) imported(library string, offsets map[int32]int64) {
	g.t.Helper()
	g.run(library, "kafka.tools.ImportZkOffsets", "--zkconnect", g.Ensemble.Addr, "--input-file", file(g.t, g.offsetLines(offsets)...))
	g.has(offsets)
}

// has compares the offsets in ZooKeeper.
func (g *group) has(want map[int32]int64) {
	g.t.Helper()
	got := map[int32]int64{}
	for p := range g.partitions {
		got[p] = g.offset(g.name, g.topic, p)
	}
	if !maps.Equal(got, want) {
		g.t.Errorf("the offsets are %v, want %v", got, want)
	}
}

// resumed checks that a new member reads just what is behind these offsets.
func (g *group) resumed(name string, from map[int32]int64) {
	g.t.Helper()
	m := g.golang(name, client.OffsetsInZooKeeper())
	var want []string
	for p, end := range g.ends {
		for o := from[p]; o < end; o++ {
			want = append(want, fmt.Sprintf("%d %d", p, o))
		}
	}
	slices.Sort(want)
	g.caughtUp()
	m.leave()
	equal(g.t, "the records behind the imported offsets", m.read(), want)
}

// back are offsets that lie before the ends, each partition's own way.
func (g *group) back(n int64) map[int32]int64 {
	out := map[int32]int64{}
	for p, end := range g.ends {
		out[p] = end - n - int64(p)
	}
	return out
}

// TestToolsOnGroup looks with old tools at a group of the consumer of 0.8.2.2 and
// gregor's while members come and go, then moves its offsets about.
func TestToolsOnGroup(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const topic, partitions = "held", 6
	s.create(topic, partitions)
	g := s.group("held-group", topic, partitions)
	g.fill(10)
	a := g.java("a")
	g.dealt("a a a a a a")
	g.verified()
	g.unowned(3)
	b := g.golang("b", client.OffsetsInZooKeeper())
	g.dealt("a a a b b b")
	g.caughtUp()
	g.verified()
	g.checked(g.ends)
	g.described(g.ends)
	a.Stop(t)
	g.dealt("b b b b b b")
	g.verified()
	b.leave()

	was := maps.Clone(g.ends)
	g.fill(5)
	g.checked(was)
	g.exported("kafka-0.8.2.2", was)
	g.exported("kafka-0.10.2.2", was)
	g.imported("kafka-0.8.2.2", g.back(3))
	g.resumed("c", g.back(3))
	g.imported("kafka-0.10.2.2", g.back(2))
	g.exported("kafka-0.10.2.2", g.back(2))
	g.resumed("d", g.back(2))
	g.updated()
	g.removed()

	// A group that there was not before.
	n := s.group("imported-group", topic, partitions)
	n.ends = g.ends
	n.imported("kafka-0.10.2.2", n.back(4))
	n.resumed("e", n.back(4))
}

// updated lets UpdateOffsetsInZK go back to the beginning.
func (g *group) updated() {
	g.t.Helper()
	properties := file(g.t, "zookeeper.connect="+g.Ensemble.Addr, "group.id="+g.name)
	printed, _ := g.run("kafka-0.10.2.2", "kafka.tools.UpdateOffsetsInZK", "earliest", properties, g.topic)
	if want := fmt.Sprintf("updated the offset for %d partitions", g.partitions); !slices.Contains(printed, want) {
		g.t.Errorf("no %q in %v", want, printed)
	}
	begin := map[int32]int64{}
	for p := range g.partitions {
		begin[p] = 0
	}
	g.has(begin)
}

// removed lets kafka-consumer-groups delete the group.
func (g *group) removed() {
	g.t.Helper()
	printed, _ := g.run("kafka-0.10.2.2", "kafka.admin.ConsumerGroupCommand", "--zookeeper", g.Ensemble.Addr, "--delete", "--group", g.name)
	equal(g.t, "kafka-consumer-groups --delete", printed, []string{"Deleted all consumer group information for group '" + g.name + "' in zookeeper."})
	if _, err := g.zk.Exists(g.ctx, znode.GroupPath(g.name), false); !errors.Is(err, zk.ErrNoNode) {
		g.t.Errorf("the group is still there: %v", err)
	}
}

// TestCheckerOnOffsetsInKafka lets ConsumerOffsetChecker ask the coordinator for
// offsets that are not in ZooKeeper.
func TestCheckerOnOffsetsInKafka(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const topic, partitions = "kept", 3
	s.create(topic, partitions)
	g := s.group("kept-group", topic, partitions)
	g.fill(4)
	m := g.golang("a", client.OffsetsInKafka())
	peer.Eventually(t, patience, func() error {
		got, err := s.admin.FetchOffsets(s.ctx, g.name)
		if err != nil {
			return err
		}
		for p, end := range g.ends {
			if o := got[topic][p]; o.At != end {
				return fmt.Errorf("partition %d is committed at %d, want %d", p, o.At, end)
			}
		}
		return nil
	})
	g.checked(g.ends)
	m.leave()
	was := maps.Clone(g.ends)
	g.fill(2)
	g.checked(was)
}
