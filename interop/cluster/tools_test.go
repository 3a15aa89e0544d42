//go:build interop

package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// uses are what operators do with Apache's tools to a cluster of three gregor
// brokers, one after the other. Brokers 0 and 1 share a rack.
var uses = []struct {
	name string
	do   func(*testing.T, *cluster)
}{
	{"topics", toolTopics},
	{"reassign", toolReassign},
	{"reassign-throttled", toolThrottled},
	{"reassign-log-dirs", toolLogDirs},
	{"verifiable", toolVerifiable},
	{"under-replicated", toolUnderReplicated},
	{"leader-election", toolElection},
	{"replica-verification", toolReplicaVerification},
}

// TestTools uses Apache's tools of Kafka 3.9.1.
func TestTools(t *testing.T) {
	t.Parallel()
	c := clients(t, peer.StartCluster(t, peer.ClusterOptions{Brokers: []peer.Kind{gregor, gregor, gregor}, Keeper: gregor,
		Racks: []string{"a", "a", "b"}, LogDirs: 2}))
	for _, u := range uses {
		t.Run(u.name, func(t *testing.T) {
			defer c.restore(t)
			u.do(t, c)
		})
	}
}

// tool runs one of Kafka's scripts, which must succeed, and returns what it
// printed.
func (c *cluster) tool(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, errs, exit := c.tryTool(t, script, args...)
	if exit != 0 {
		t.Fatalf("%s %s: exit %d\n%s\n%s", script, strings.Join(args, " "), exit, out, errs)
	}
	return out
}

func (c *cluster) tryTool(t *testing.T, script string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	return peer.Tool(t, script, append([]string{"--bootstrap-server", c.Bootstrap()}, args...)...)
}

// file writes a file for a tool to read.
func file(t *testing.T, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "tool.json")
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in\n%s", w, out)
		}
	}
}

func lines(out string) []string {
	return slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
}

// toolTopics creates topics over racks and by hand, and gives them more
// partitions.
func toolTopics(t *testing.T, c *cluster) {
	const racks, manual = "tool-racks", "tool-manual"
	topics := func(args ...string) string { return c.tool(t, "kafka-topics", args...) }
	contains(t, topics("--create", "--topic", racks, "--partitions", "6", "--replication-factor", "2"), "Created topic "+racks+".")
	overRacks := func(partitions int) {
		t.Helper()
		c.inSync(t, racks)
		got := c.mustTopic(t, racks).Partitions
		leaders := map[int32]int{}
		for p, r := range got {
			if len(r.Replicas) != 2 || !slices.Contains(r.Replicas, 2) {
				t.Errorf("%s-%d has replicas %v, all in one rack", racks, p, r.Replicas)
			}
			leaders[r.Replicas[0]]++
		}
		if len(got) != partitions || len(leaders) != 3 {
			t.Errorf("%d partitions, preferred leaders %v", len(got), leaders)
		}
	}
	overRacks(6)
	topics("--alter", "--topic", racks, "--partitions", "9")
	overRacks(9)
	out := topics("--describe", "--topic", racks)
	contains(t, out, "PartitionCount: 9\tReplicationFactor: 2")
	for _, l := range lines(out)[1:] {
		p := field(l, "Partition:")
		if field(l, "Leader:") == "none" || !sameSet(ids(t, field(l, "Replicas:")), ids(t, field(l, "Isr:"))) || p == "" {
			t.Errorf("described as %s", l)
		}
	}
	topics("--create", "--topic", manual, "--replica-assignment", "2:1:0,0:2:1", "--config", "min.insync.replicas=2")
	out = topics("--describe", "--topic", manual)
	contains(t, out, "ReplicationFactor: 3\tConfigs: min.insync.replicas=2", "Partition: 0\tLeader: 2\tReplicas: 2,1,0", "Partition: 1\tLeader: 0\tReplicas: 0,2,1")
	_, errs, exit := c.tryTool(t, "kafka-topics", "--create", "--topic", "tool-four", "--partitions", "1", "--replication-factor", "4")
	if exit == 0 {
		t.Error("a topic with four replicas was created")
	}
	contains(t, errs, "Replication factor: 4 larger than available brokers: 3.")
	topics("--delete", "--topic", manual)
	c.deleted(t, manual, 2)
}

// field returns the word behind a name in a line of kafka-topics.
func field(line, name string) string {
	_, rest, _ := strings.Cut(line, name)
	f := strings.Fields(rest)
	if len(f) == 0 {
		return ""
	}
	return f[0]
}

// ids reads a list of broker ids.
func ids(t *testing.T, list string) []int32 {
	t.Helper()
	var out []int32
	if err := json.Unmarshal([]byte("["+list+"]"), &out); err != nil {
		t.Fatalf("broker ids %q: %v", list, err)
	}
	return out
}

// move is one line of the file that kafka-reassign-partitions reads.
type move struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Replicas  []int32  `json:"replicas"`
	LogDirs   []string `json:"log_dirs,omitempty"`
}

func plan(t *testing.T, moves ...move) string {
	t.Helper()
	return file(t, map[string]any{"version": 1, "partitions": moves})
}

// completed lets the tool verify a plan until it is done.
func (c *cluster) completed(t *testing.T, planFile string, moves ...move) string {
	t.Helper()
	var out string
	peer.Eventually(t, patience, func() error {
		out = c.tool(t, "kafka-reassign-partitions", "--verify", "--reassignment-json-file", planFile)
		for _, m := range moves {
			if want := fmt.Sprintf("Reassignment of partition %s-%d is completed.", m.Topic, m.Partition); !strings.Contains(out, want) {
				return errors.New(out)
			}
		}
		return nil
	})
	return out
}

// toolReassign generates a plan, executes and verifies it.
func toolReassign(t *testing.T, c *cluster) {
	const topic = "tool-moves"
	c.createTopic(t, topic, [][]int32{{0}, {1}, {0}})
	l := c.startLoad(t, topic, 3)
	l.more(t, 100)
	reassign := func(args ...string) string { return c.tool(t, "kafka-reassign-partitions", args...) }
	out := reassign("--generate", "--broker-list", "1,2", "--topics-to-move-json-file",
		file(t, map[string]any{"version": 1, "topics": []map[string]string{{"topic": topic}}}))
	_, proposal, ok := strings.Cut(out, "Proposed partition reassignment configuration\n")
	var proposed struct{ Partitions []move }
	if err := json.Unmarshal([]byte(proposal), &proposed); !ok || err != nil || len(proposed.Partitions) != 3 {
		t.Fatalf("%v in\n%s", err, out)
	}
	moves := []move{{Topic: topic, Partition: 0, Replicas: []int32{1, 2}}, {Topic: topic, Partition: 1, Replicas: []int32{2, 0}}, {Topic: topic, Partition: 2, Replicas: []int32{2}}}
	planFile := plan(t, moves...)
	contains(t, reassign("--execute", "--reassignment-json-file", planFile), "Successfully started partition reassignments for "+topic+"-0,"+topic+"-1,"+topic+"-2")
	c.completed(t, planFile, moves...)
	c.assigned(t, topic, map[int32][]int32{0: {1, 2}, 1: {2, 0}, 2: {2}})
	contains(t, reassign("--list"), "No partition reassignments found.")
	l.more(t, 100)
	l.finish(t)
	_, errs, exit := c.tryTool(t, "kafka-reassign-partitions", "--execute", "--reassignment-json-file", plan(t, move{Topic: topic, Partition: 0, Replicas: []int32{1, 9}}))
	if exit == 0 {
		t.Errorf("moved to a broker that is not there: %s", errs)
	}
}

// toolThrottled moves a partition so slowly that it can be looked at and
// cancelled, then again at another pace until it is done.
func toolThrottled(t *testing.T, c *cluster) {
	const topic = "tool-throttled"
	c.createTopic(t, topic, [][]int32{{0, 1}})
	p := check.Partition{Topic: topic}
	// A throttled follower takes one fetch in eleven seconds, the quota's windows:
	// there has to be more than the tools take until they cancel.
	const records = 30
	large := make([]byte, 500_000)
	for range records {
		peer.Eventually(t, patience, func() error { return put(c.Brokers[0], p, -1, large) })
	}
	reassign := func(args ...string) string { return c.tool(t, "kafka-reassign-partitions", args...) }
	m := move{Topic: topic, Replicas: []int32{0, 2}}
	planFile := plan(t, m)
	out := reassign("--execute", "--reassignment-json-file", planFile, "--throttle", "1000")
	contains(t, out, "The inter-broker throttle limit was set to 1000 B/s", "Successfully started partition reassignment for "+topic+"-0")
	contains(t, reassign("--list"), topic+"-0: replicas: 0,2,1. adding: 2. removing: 1.")
	contains(t, reassign("--verify", "--reassignment-json-file", planFile), "Reassignment of partition "+topic+"-0 is still in progress.")
	c.throttled(t, topic, true)
	contains(t, reassign("--cancel", "--reassignment-json-file", planFile), "Successfully cancelled partition reassignment for: "+topic+"-0",
		"Clearing broker-level throttles on brokers 0,1,2", "Clearing topic-level throttles on topic "+topic)
	c.assigned(t, topic, map[int32][]int32{0: {0, 1}})
	c.throttled(t, topic, false)
	contains(t, reassign("--execute", "--reassignment-json-file", planFile, "--throttle", "50000"), "Successfully started")
	contains(t, reassign("--execute", "--additional", "--reassignment-json-file", planFile, "--throttle", "100000000"),
		"The inter-broker throttle limit was set to 100000000 B/s")
	contains(t, c.completed(t, planFile, m), "Clearing broker-level throttles on brokers 0,1,2", "Clearing topic-level throttles on topic "+topic)
	c.assigned(t, topic, map[int32][]int32{0: {0, 2}})
	c.throttled(t, topic, false)
	if log := c.sameReplicas(t, p); len(log) != records {
		t.Errorf("%s holds %d records", p, len(log))
	}
}

// throttled checks whether the throttles of a move are set: lists of replicas
// at the topic, rates at the brokers.
func (c *cluster) throttled(t *testing.T, topic string, want bool) {
	t.Helper()
	got := c.overrides(t, c.Brokers[0], kmsg.ConfigResourceTypeTopic, topic)
	if want != (got["leader.replication.throttled.replicas"] != "") || want != (got["follower.replication.throttled.replicas"] != "") {
		t.Errorf("%s is configured %v, throttled is to be %v", topic, got, want)
	}
	for _, b := range c.Brokers {
		got := c.overrides(t, b, kmsg.ConfigResourceTypeBroker, fmt.Sprint(b.ID))
		for _, rate := range []string{"leader.replication.throttled.rate", "follower.replication.throttled.rate"} {
			if want != (got[rate] != "") {
				t.Errorf("broker %d has %s=%q, throttled is to be %v", b.ID, rate, got[rate], want)
			}
		}
	}
}

// overrides asks a broker for the dynamic configs of a resource.
func (c *cluster) overrides(t *testing.T, b *peer.Broker, kind kmsg.ConfigResourceType, name string) map[string]string {
	t.Helper()
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kind, name
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, rr)
	resp, err := c.askOf(b, req)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range resp.(*kmsg.DescribeConfigsResponse).Resources[0].Configs {
		switch e.Source {
		case kmsg.ConfigSourceDynamicTopicConfig, kmsg.ConfigSourceDynamicBrokerConfig:
			if e.Value != nil {
				out[e.Name] = *e.Value
			}
		}
	}
	return out
}

// toolLogDirs moves replicas from one directory of a broker to another while
// they are in use, and looks at them with kafka-log-dirs.
func toolLogDirs(t *testing.T, c *cluster) {
	const topic, partitions = "tool-dirs", 3
	c.createTopic(t, topic, rotated(partitions, all...), "segment.bytes=200000")
	l := c.startLoad(t, topic, partitions)
	l.more(t, 500)
	var moves []move
	for p := range int32(partitions) {
		m := move{Topic: topic, Partition: p, Replicas: c.mustTopic(t, topic).Partitions[p].Replicas}
		for _, id := range m.Replicas {
			m.LogDirs = append(m.LogDirs, otherDir(c.Brokers[id], check.Partition{Topic: topic, Index: p}))
		}
		moves = append(moves, m)
	}
	planFile := plan(t, moves...)
	out := c.tool(t, "kafka-reassign-partitions", "--execute", "--reassignment-json-file", planFile, "--replica-alter-log-dirs-throttle", "10000000")
	contains(t, out, "The replica-alter-dir throttle limit was set to 10000000 B/s")
	for _, m := range moves {
		for i, id := range m.Replicas {
			contains(t, out, fmt.Sprintf("Successfully started moving log directory to %s for replica %s-%d with broker %d", m.LogDirs[i], topic, m.Partition, id))
		}
	}
	peer.Eventually(t, patience, func() error {
		out := c.tool(t, "kafka-reassign-partitions", "--verify", "--reassignment-json-file", planFile)
		if n := strings.Count(out, "completed successfully."); n != partitions*len(all) {
			return fmt.Errorf("%d moves are done\n%s", n, out)
		}
		return nil
	})
	l.more(t, 100)
	l.finish(t)
	sizes := c.describeDirs(t, topic)
	for _, m := range moves {
		for i, id := range m.Replicas {
			part := check.Partition{Topic: topic, Index: m.Partition}
			if got := filepath.Dir(replicaDir(c.Brokers[id], part)); got != m.LogDirs[i] {
				t.Errorf("%s of broker %d lies in %s, want %s", part, id, got, m.LogDirs[i])
			}
			if log, err := replicaLog(c.Brokers[id], part); err != nil || sizes[id][m.LogDirs[i]][part.String()] != int64(len(log)) {
				t.Errorf("%s of broker %d: said to have %d bytes, has %d, %v", part, id, sizes[id][m.LogDirs[i]][part.String()], len(log), err)
			}
		}
	}
}

// otherDir is the directory in which a broker does not keep a partition.
func otherDir(b *peer.Broker, p check.Partition) string {
	if filepath.Dir(replicaDir(b, p)) == b.LogDirs[0] {
		return b.LogDirs[1]
	}
	return b.LogDirs[0]
}

// describeDirs returns the sizes that kafka-log-dirs prints by broker,
// directory and partition. There must be no error, lag or future replica.
func (c *cluster) describeDirs(t *testing.T, topic string) map[int32]map[string]map[string]int64 {
	t.Helper()
	out := c.tool(t, "kafka-log-dirs", "--describe", "--topic-list", topic)
	var report struct {
		Brokers []struct {
			Broker  int32
			LogDirs []struct {
				Error      *string
				LogDir     string
				Partitions []struct {
					Partition string
					Size      int64
					OffsetLag int64
					IsFuture  bool
				}
			}
		}
	}
	i := strings.Index(out, "{")
	if i < 0 {
		t.Fatal(out)
	}
	if err := json.Unmarshal([]byte(out[i:]), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	sizes := map[int32]map[string]map[string]int64{}
	for _, b := range report.Brokers {
		sizes[b.Broker] = map[string]map[string]int64{}
		for _, d := range b.LogDirs {
			sizes[b.Broker][d.LogDir] = map[string]int64{}
			for _, p := range d.Partitions {
				sizes[b.Broker][d.LogDir][p.Partition] = p.Size
				if d.Error != nil || p.IsFuture || p.OffsetLag != 0 {
					t.Errorf("broker %d, %s: %+v", b.Broker, d.LogDir, p)
				}
			}
		}
	}
	return sizes
}

// toolUnderReplicated lets kafka-topics find what lacks a broker.
func toolUnderReplicated(t *testing.T, c *cluster) {
	const topic = "tool-lacking"
	down := c.Brokers[1]
	c.createTopic(t, topic, [][]int32{{1, 0, 2}, {0, 2, 1}}, "min.insync.replicas=3")
	const single = "tool-single"
	c.createTopic(t, single, [][]int32{{1}, {2}})
	describe := func(which string) string {
		return strings.Join(slices.DeleteFunc(lines(c.tool(t, "kafka-topics", "--describe", which)), func(l string) bool {
			return !strings.Contains(l, topic) && !strings.Contains(l, single)
		}), "\n")
	}
	for _, which := range []string{"--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"} {
		if out := describe(which); out != "" {
			t.Errorf("%s with all brokers: %s", which, out)
		}
	}
	contains(t, describe("--at-min-isr-partitions"), "Topic: "+topic+"\tPartition: 0\tLeader: 1\tReplicas: 1,0,2\tIsr: ")
	down.Stop(t)
	c.registered(t, down, false)
	c.without(t, topic, down)
	peer.Eventually(t, patience, func() error {
		if out := describe("--under-replicated-partitions"); len(lines(out)) != 2 || strings.Contains(out, single) {
			return errors.New(out)
		}
		return nil
	})
	if out := describe("--under-min-isr-partitions"); len(lines(out)) != 3 {
		t.Errorf("below min.insync.replicas: %s", out)
	}
	out := describe("--unavailable-partitions")
	if len(lines(out)) != 1 {
		t.Errorf("unavailable: %s", out)
	}
	contains(t, out, "Topic: "+single+"\tPartition: 0\tLeader: none\tReplicas: 1\tIsr: 1")
	down.Start(c.scope)
	c.inSync(t, topic)
	c.inSync(t, single)
	peer.Eventually(t, patience, func() error {
		if out := describe("--under-replicated-partitions"); out != "" {
			return errors.New(out)
		}
		return nil
	})
}

// toolElection elects the preferred leaders after a restart, and an unclean
// one when nobody else is left.
func toolElection(t *testing.T, c *cluster) {
	const topic = "tool-elected"
	c.createTopic(t, topic, rotated(3, all...))
	c.Brokers[0].Stop(t)
	c.Brokers[0].Start(c.scope)
	states := c.inSync(t, topic)
	if states[0].Leader == 0 {
		t.Errorf("broker 0 still leads: %+v", states[0])
	}
	election := func(args ...string) string { return c.tool(t, "kafka-leader-election", args...) }
	contains(t, election("--election-type", "preferred", "--topic", topic, "--partition", "0"), "Successfully completed leader election (PREFERRED) for partitions "+topic+"-0")
	contains(t, election("--election-type", "preferred", "--path-to-json-file", file(t, map[string]any{"partitions": []map[string]any{{"topic": topic, "partition": 0}, {"topic": topic, "partition": 1}}})),
		"Valid replica already elected for partitions")
	election("--election-type", "preferred", "--all-topic-partitions")
	for p, st := range c.inSync(t, topic) {
		if st.Leader != p {
			t.Errorf("%s-%d: leader %d", topic, p, st.Leader)
		}
	}

	part := check.Partition{Topic: "tool-unclean"}
	c.createTopic(t, part.Topic, [][]int32{{0, 1}})
	c.Brokers[1].Stop(t)
	c.without(t, part.Topic, c.Brokers[1])
	c.Brokers[0].Stop(t)
	c.leaderless(t, part, c.Brokers[0])
	c.Brokers[1].Start(c.scope)
	out, errs, exit := c.tryTool(t, "kafka-leader-election", "--election-type", "preferred", "--topic", part.Topic, "--partition", "0")
	if exit == 0 || !strings.Contains(out+errs, "PreferredLeaderNotAvailableException") {
		t.Errorf("exit %d\n%s\n%s", exit, out, errs)
	}
	contains(t, election("--election-type", "unclean", "--topic", part.Topic, "--partition", "0"), "Successfully completed leader election (UNCLEAN) for partitions "+part.Topic+"-0")
	if st := c.mustStates(t, part.Topic)[0]; st.Leader != 1 {
		t.Errorf("%+v", st)
	}
	c.Brokers[0].Start(c.scope)
	c.inSync(t, part.Topic)
}

// toolReplicaVerification compares what all replicas answer.
func toolReplicaVerification(t *testing.T, c *cluster) {
	const topic = "tool-verified"
	c.createTopic(t, topic, rotated(3, all...))
	for p := range int32(3) {
		for range 20 {
			peer.Eventually(t, patience, func() error {
				return put(c.Brokers[p], check.Partition{Topic: topic, Index: p}, -1, []byte("to be verified"))
			})
		}
	}
	c.allSame(t, topic)
	tool := peer.StartJavaTool(t, peer.Tools["kafka-replica-verification"], []string{"--broker-list", c.Bootstrap(), "--topics-include", topic,
		"--report-interval-ms", "500", "--max-wait-ms", "300"}, "")
	peer.Eventually(t, patience, func() error {
		if out := tool.Stdout(); !strings.Contains(out, "verification process is started") || !strings.Contains(out, " at offset 20 among 3 partitions") {
			return errors.New(out + tool.Stderr())
		}
		return nil
	})
	if out := tool.Stdout(); strings.Contains(out, "not match") || strings.Contains(out, "Exception") {
		t.Error(out)
	}
}

// toolVerifiable kills a broker under the programs of Kafka's system tests:
// everything that was acknowledged is read.
func toolVerifiable(t *testing.T, c *cluster) {
	const topic = "tool-verifiable"
	c.createTopic(t, topic, rotated(3, all...), "min.insync.replicas=2")
	consumer := peer.StartJavaTool(t, peer.Tools["kafka-verifiable-consumer"], []string{"--bootstrap-server", c.Bootstrap(), "--topic", topic,
		"--group-id", "tool-group", "--verbose", "--reset-policy", "earliest", "--session-timeout", "6000"}, "")
	// By itself it tries everything once.
	retrying := filepath.Join(t.TempDir(), "producer.properties")
	if err := os.WriteFile(retrying, []byte("retries=1000000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	producer := peer.StartJavaTool(t, peer.Tools["kafka-verifiable-producer"], []string{"--bootstrap-server", c.Bootstrap(), "--topic", topic,
		"--acks", "-1", "--throughput", "300", "--max-messages", "6000", "--producer.config", retrying}, "")
	soFar := func(n int) {
		t.Helper()
		peer.Eventually(t, patience, func() error {
			if got := strings.Count(consumer.Stdout(), `"record_data"`); got < n {
				return fmt.Errorf("%d of %d records are read\n%s", got, n, consumer.Stderr())
			}
			return nil
		})
	}
	soFar(300)
	victim := c.Brokers[c.mustStates(t, "__consumer_offsets")[0].Leader] // coordinates the group
	victim.Kill(t)
	c.registered(t, victim, false)
	c.without(t, topic, victim)
	soFar(2500)
	victim.Start(c.scope)
	out, errs, exit := producer.Output(t)
	if exit != 0 {
		t.Fatalf("producer: exit %d, %s", exit, errs)
	}
	sent := map[string]bool{}
	for _, e := range events(t, out) {
		switch e.Name {
		case "producer_send_success":
			sent[e.Value] = true
		case "producer_send_error":
			t.Errorf("%+v", e)
		}
	}
	if len(sent) != 6000 {
		t.Errorf("%d of 6000 were acknowledged", len(sent))
	}
	peer.Eventually(t, patience, func() error {
		for _, e := range events(t, consumer.Stdout()) {
			if e.Name == "record_data" {
				delete(sent, e.Value)
			}
		}
		if len(sent) > 0 {
			return fmt.Errorf("%d are never read", len(sent))
		}
		return nil
	})
	consumer.Stop(t)
	c.inSync(t, topic)
	c.allSame(t, topic)
}

type event struct {
	Name  string
	Value string
}

// events reads what the verifiable programs print, but for a line that is
// still being written.
func events(t *testing.T, out string) []event {
	t.Helper()
	var all []event
	whole := out[:strings.LastIndexByte(out, '\n')+1]
	for _, l := range lines(whole) {
		var e event
		if err := json.Unmarshal([]byte(l), &e); err != nil && !strings.Contains(err.Error(), "cannot unmarshal") {
			t.Fatalf("%v in %q", err, l)
		}
		all = append(all, e)
	}
	return all
}
