//go:build interop

package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
)

// TestConsole sends lines with the console producer and reads them back with
// the console consumer, for every codec and kind of acknowledgement.
func TestConsole(t *testing.T) {
	b := broker(t)
	for i, c := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			topic := name(t, "t")
			createTopic(t, b, topic, 1)
			want := numbered(2000)
			acks := []string{"all", "1", "0"}[i%3]
			toolWithInput(t, strings.Join(want, "\n")+"\n", "kafka-console-producer", "--bootstrap-server", b.Addr, "--topic", topic,
				"--compression-codec", c, "--request-required-acks", acks)
			got := tool(t, "kafka-console-consumer", "--bootstrap-server", b.Addr, "--topic", topic, "--from-beginning", "--max-messages", "2000", "--timeout-ms", "20000")
			if !slices.Equal(lines(got), want) {
				t.Fatalf("%d lines came back, %d went in: %.300q", len(lines(got)), len(want), got)
			}
		})
	}
}

func TestConsoleKeysHeadersPartitions(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 4)
	var in, want []string
	for i := range 40 {
		in = append(in, fmt.Sprintf("h:%d\tkey%d\tvalue %d", i, i%7, i))
		want = append(want, fmt.Sprintf("h:%d\tkey%d\tvalue %d", i, i%7, i))
	}
	toolWithInput(t, strings.Join(in, "\n")+"\n", "kafka-console-producer", "--bootstrap-server", b.Addr, "--topic", topic,
		"--property", "parse.key=true", "--property", "parse.headers=true")
	out := tool(t, "kafka-console-consumer", "--bootstrap-server", b.Addr, "--topic", topic, "--from-beginning", "--max-messages", "40", "--timeout-ms", "20000",
		"--property", "print.key=true", "--property", "print.headers=true", "--property", "print.partition=true")
	home := map[string]string{} // a key lives in one partition
	var got []string
	for _, l := range lines(out) {
		partition, rest, _ := strings.Cut(l, "\t")
		got = append(got, rest)
		key := strings.Split(rest, "\t")[1]
		if was := home[key]; was != "" && was != partition {
			t.Errorf("%s in %s and %s", key, was, partition)
		}
		home[key] = partition
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 3, "retention.ms=3600000", "cleanup.policy=compact")
	bootstrap := func(args ...string) string {
		return tool(t, "kafka-topics", append([]string{"--bootstrap-server", b.Addr}, args...)...)
	}
	out := bootstrap("--describe", "--topic", topic)
	for _, want := range []string{"PartitionCount: 3", "ReplicationFactor: 1", "cleanup.policy=compact", "retention.ms=3600000",
		"Partition: 2\tLeader: 0\tReplicas: 0\tIsr: 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, errs, exit := peer.Tool(t, "kafka-topics", "--bootstrap-server", b.Addr, "--create", "--topic", topic)
	if exit == 0 || !strings.Contains(errs, "Topic '"+topic+"' already exists.") {
		t.Errorf("created twice: exit %d, %s", exit, errs)
	}
	bootstrap("--alter", "--topic", topic, "--partitions", "5")
	peer.Eventually(t, 10*time.Second, func() error {
		if out := bootstrap("--describe", "--topic", topic); !strings.Contains(out, "PartitionCount: 5") {
			return errors.New(out)
		}
		return nil
	})
	if out := bootstrap("--list"); !slices.Contains(lines(out), topic) {
		t.Errorf("list: %q", out)
	}
	bootstrap("--delete", "--topic", topic)
	peer.Eventually(t, 20*time.Second, func() error {
		if out := bootstrap("--list"); slices.Contains(lines(out), topic) {
			return errors.New("is still there: " + out)
		}
		return nil
	})
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 1)
	configs := func(args ...string) string {
		return tool(t, "kafka-configs", append([]string{"--bootstrap-server", b.Addr}, args...)...)
	}
	entity := []string{"--entity-type", "topics", "--entity-name", topic}
	configs(append(entity, "--alter", "--add-config", "retention.ms=77000,segment.bytes=1048576")...)
	out := configs(append(entity, "--describe")...)
	for _, want := range []string{"retention.ms=77000 sensitive=false", "DYNAMIC_TOPIC_CONFIG:retention.ms=77000", "DEFAULT_CONFIG:log.segment.bytes=1073741824"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	configs(append(entity, "--alter", "--delete-config", "retention.ms")...)
	if out := configs(append(entity, "--describe")...); strings.Contains(out, "retention.ms") || !strings.Contains(out, "segment.bytes=1048576") {
		t.Errorf("after the deletion:\n%s", out)
	}
	out = configs("--entity-type", "brokers", "--entity-name", "0", "--describe", "--all")
	for _, want := range []string{"log.dirs=" + b.LogDir, "STATIC_BROKER_CONFIG:offsets.topic.replication.factor=1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, errs, exit := peer.Tool(t, "kafka-configs", append([]string{"--bootstrap-server", b.Addr, "--alter", "--add-config", "retention.ms=soon"}, entity...)...)
	if exit == 0 || !strings.Contains(errs, "Invalid value soon for configuration retention.ms") {
		t.Errorf("a bad value: exit %d, %s", exit, errs)
	}
}

// TestGroup reads with a group, looks at it from all sides, moves it back, and
// deletes it.
func TestGroup(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic, group := name(t, "t"), name(t, "g")
	createTopic(t, b, topic, 2)
	var in []string
	for i, l := range numbered(100) {
		in = append(in, fmt.Sprintf("key%d:%s", i%20, l)) // keys reach both partitions
	}
	toolWithInput(t, strings.Join(in, "\n")+"\n", "kafka-console-producer", "--bootstrap-server", b.Addr, "--topic", topic,
		"--property", "parse.key=true", "--property", "key.separator=:")
	consume := func(n int) []string {
		got := lines(tool(t, "kafka-console-consumer", "--bootstrap-server", b.Addr, "--topic", topic, "--group", group,
			"--from-beginning", "--max-messages", fmt.Sprint(n), "--timeout-ms", "20000"))
		slices.Sort(got)
		return got
	}
	if got := consume(100); !slices.Equal(got, numbered(100)) {
		t.Fatalf("the group read %q", got)
	}
	groups := func(args ...string) string {
		// The tool's own patience is 5 s, its start included.
		return tool(t, "kafka-consumer-groups", append([]string{"--bootstrap-server", b.Addr, "--timeout", "60000"}, args...)...)
	}
	out := groups("--describe", "--group", group)
	if lag := sum(t, out, topic, 3); lag != 100 {
		t.Errorf("committed %d:\n%s", lag, out)
	}
	if lag := sum(t, out, topic, 5); lag != 0 {
		t.Errorf("lag %d:\n%s", lag, out)
	}
	if f := row(t, groups("--describe", "--group", group, "--state"), group); !slices.Contains(f, "Empty") {
		t.Errorf("state %q", f)
	}
	if f := row(t, groups("--list", "--state"), group); f[1] != "Empty" {
		t.Errorf("listed as %q", f)
	}
	groups("--group", group, "--topic", topic, "--reset-offsets", "--shift-by", "-10", "--execute")
	if lag := sum(t, groups("--describe", "--group", group), topic, 5); lag != 20 {
		t.Errorf("lag %d after going ten back in both partitions", lag)
	}
	if got := consume(20); len(got) != 20 {
		t.Errorf("read again %q", got)
	}
	groups("--delete-offsets", "--group", group, "--topic", topic+":0")
	if out := groups("--describe", "--group", group); strings.Contains(out, topic+" 0 ") {
		t.Errorf("the offset is still there:\n%s", out)
	}
	if out := groups("--delete", "--group", group); !strings.Contains(out, "was successful") {
		t.Error(out)
	}
	if out := groups("--list"); slices.Contains(lines(out), group) {
		t.Error("the group is still listed")
	}
}

// sum adds a column up over the lines of a topic.
func sum(t *testing.T, out, topic string, column int) (total int) {
	t.Helper()
	for _, l := range lines(out) {
		f := strings.Fields(l)
		if len(f) <= column || f[1] != topic {
			continue
		}
		n, err := strconv.Atoi(f[column])
		if err != nil {
			t.Fatalf("column %d of %q: %v", column, l, err)
		}
		total += n
	}
	return total
}

// TestLiveGroup looks at a group while its members work.
func TestLiveGroup(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic, group := name(t, "t"), name(t, "g")
	createTopic(t, b, topic, 4)
	start := func(id string) *peer.Process {
		return peer.StartJavaTool(t, peer.Tools["kafka-console-consumer"], []string{"--bootstrap-server", b.Addr, "--topic", topic, "--group", group,
			"--consumer-property", "client.id=" + id, "--consumer-property", "auto.commit.interval.ms=100"}, "")
	}
	one, two := start("one"), start("two")
	members := func() string {
		out, _, _ := peer.Tool(t, "kafka-consumer-groups", "--bootstrap-server", b.Addr, "--timeout", "60000", "--describe", "--group", group, "--members", "--verbose")
		return out
	}
	balanced := func(ids ...string) {
		t.Helper()
		peer.Eventually(t, 60*time.Second, func() error {
			out := members()
			for _, id := range ids {
				i := slices.IndexFunc(lines(out), func(l string) bool { return strings.Contains(l, " "+id+" ") })
				if i < 0 || !slices.Contains(strings.Fields(lines(out)[i]), fmt.Sprint(4/len(ids))) {
					return fmt.Errorf("%s has not %d partitions:\n%s", id, 4/len(ids), out)
				}
			}
			return nil
		})
	}
	balanced("one", "two")
	in := numbered(400)
	toolWithInput(t, strings.Join(in, "\n")+"\n", "kafka-console-producer", "--bootstrap-server", b.Addr, "--topic", topic, "--property", "parse.key=true", "--property", "key.separator= of")
	all := func() []string {
		got := append(lines(one.Stdout()), lines(two.Stdout())...)
		slices.Sort(got)
		return got
	}
	peer.Eventually(t, 60*time.Second, func() error {
		if n := len(all()); n != 400 {
			return fmt.Errorf("%d of 400 read", n)
		}
		return nil
	})
	if a, b := len(lines(one.Stdout())), len(lines(two.Stdout())); a == 0 || b == 0 {
		t.Errorf("one read %d, two %d", a, b)
	}
	two.Stop(t) // leaves the group
	balanced("one")
	one.Stop(t)
	if out := members(); strings.Contains(out, "one") && !strings.Contains(out, "no active members") {
		t.Errorf("members of an empty group:\n%s", out)
	}
}

func TestOffsetsAndRecords(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 2)
	toolWithInput(t, "a:1\na:2\na:3\na:4\n", "kafka-console-producer", "--bootstrap-server", b.Addr, "--topic", topic,
		"--property", "parse.key=true", "--property", "key.separator=:")
	offsets := func(at string) []string {
		return lines(tool(t, "kafka-get-offsets", "--bootstrap-server", b.Addr, "--topic", topic, "--time", at))
	}
	latest := offsets("latest")
	full := slices.IndexFunc(latest, func(l string) bool { return strings.HasSuffix(l, ":4") })
	if len(latest) != 2 || full < 0 || !strings.HasSuffix(latest[1-full], ":0") {
		t.Fatalf("latest %q", latest)
	}
	if got := offsets("earliest")[full]; got != fmt.Sprintf("%s:%d:0", topic, full) {
		t.Errorf("earliest %q", got)
	}
	if got := offsets("max-timestamp")[full]; !strings.HasPrefix(got, fmt.Sprintf("%s:%d:", topic, full)) {
		t.Errorf("max-timestamp %q", got)
	}
	file := filepath.Join(t.TempDir(), "cut.json")
	cut := fmt.Sprintf(`{"version":1,"partitions":[{"topic":%q,"partition":%d,"offset":3}]}`, topic, full)
	if err := os.WriteFile(file, []byte(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := tool(t, "kafka-delete-records", "--bootstrap-server", b.Addr, "--offset-json-file", file); !strings.Contains(out, "low_watermark: 3") {
		t.Error(out)
	}
	if got := offsets("earliest")[full]; got != fmt.Sprintf("%s:%d:3", topic, full) {
		t.Errorf("earliest after the cut %q", got)
	}
	got := tool(t, "kafka-console-consumer", "--bootstrap-server", b.Addr, "--topic", topic, "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000")
	if !slices.Equal(lines(got), []string{"4"}) {
		t.Errorf("left over: %q", got)
	}
}

func TestLogDirs(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 1)
	toolWithInput(t, "hello\n", "kafka-console-producer", "--bootstrap-server", b.Addr, "--topic", topic)
	out := tool(t, "kafka-log-dirs", "--bootstrap-server", b.Addr, "--describe", "--topic-list", topic)
	var report struct {
		Brokers []struct {
			Broker  int
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
	dir := report.Brokers[0].LogDirs[0]
	if dir.Error != nil || dir.LogDir != b.LogDir || len(dir.Partitions) != 1 {
		t.Fatalf("%s", out)
	}
	info, err := os.Stat(filepath.Join(b.LogDir, topic+"-0", "00000000000000000000.log"))
	if err != nil {
		t.Fatal(err)
	}
	if p := dir.Partitions[0]; p.Partition != topic+"-0" || p.Size != info.Size() || p.Size == 0 || p.OffsetLag != 0 || p.IsFuture {
		t.Errorf("%+v, the file has %d bytes", p, info.Size())
	}
}

func TestBrokerApiVersions(t *testing.T) {
	t.Parallel()
	b := broker(t)
	out := tool(t, "kafka-broker-api-versions", "--bootstrap-server", b.Addr)
	for _, want := range []string{"(id: 0 rack: null)", "Produce(0): 0 to 11 [usable: 11]", "Fetch(1): 0 to 17 [usable: 17]", "Metadata(3): 0 to 12 [usable: 12]",
		"CreateTopics(19): 0 to 7 [usable: 7]", "DescribeCluster(60): 0 to 1 [usable: 1]", "OffsetDelete(47): 0 [usable: 0]"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := tool(t, "kafka-cluster", "cluster-id", "--bootstrap-server", b.Addr); !strings.Contains(out, "Cluster ID: ") || len(strings.TrimSpace(out)) != len("Cluster ID: ")+22 {
		t.Errorf("cluster id: %q", out)
	}
}

// TestVerifiable runs the programs of Kafka's own system tests: every record is
// acknowledged, and every acknowledged one is read.
func TestVerifiable(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic, group := name(t, "t"), name(t, "g")
	createTopic(t, b, topic, 3)
	out := tool(t, "kafka-verifiable-producer", "--bootstrap-server", b.Addr, "--topic", topic, "--max-messages", "3000", "--acks", "-1", "--repeating-keys", "10")
	sent := map[string]bool{}
	for _, e := range events(t, out) {
		if e.Name == "producer_send_success" {
			sent[e.Value] = true
		}
		if e.Name == "producer_send_error" {
			t.Errorf("%+v", e)
		}
	}
	if len(sent) != 3000 {
		t.Fatalf("%d acknowledged", len(sent))
	}
	out = tool(t, "kafka-verifiable-consumer", "--bootstrap-server", b.Addr, "--topic", topic, "--group-id", group, "--max-messages", "3000", "--verbose",
		"--reset-policy", "earliest")
	committed := 0
	for _, e := range events(t, out) {
		if e.Name == "record_data" {
			delete(sent, e.Value)
		}
		if e.Name == "offsets_committed" && e.Success {
			committed++
		}
	}
	if len(sent) != 0 || committed == 0 {
		t.Errorf("%d never read, %d commits", len(sent), committed)
	}
}

type event struct {
	Name    string
	Value   string
	Success bool
}

func events(t *testing.T, out string) []event {
	t.Helper()
	var all []event
	for _, l := range lines(out) {
		var e event
		if err := json.Unmarshal([]byte(l), &e); err != nil && !strings.Contains(err.Error(), "cannot unmarshal") {
			t.Fatalf("%v in %q", err, l)
		}
		all = append(all, e)
	}
	return all
}

// TestPerformance is no measurement: the tools use paths of the clients that
// nothing else here does, and count what they moved.
func TestPerformance(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 1)
	out := tool(t, "kafka-producer-perf-test", "--topic", topic, "--num-records", "20000", "--record-size", "1000", "--throughput", "-1",
		"--producer-props", "bootstrap.servers="+b.Addr, "compression.type=lz4", "batch.size=100000", "linger.ms=5")
	if !strings.Contains(out, "20000 records sent") {
		t.Error(out)
	}
	out = tool(t, "kafka-consumer-perf-test", "--bootstrap-server", b.Addr, "--topic", topic, "--messages", "20000", "--timeout", "20000", "--hide-header")
	f := strings.Split(lines(out)[len(lines(out))-1], ", ")
	if len(f) < 5 || f[4] != "20000" {
		t.Errorf("read: %q", out)
	}
	out = tool(t, "kafka-e2e-latency", b.Addr, topic, "200", "all", "100")
	if !strings.Contains(out, "Avg latency: ") {
		t.Errorf("there and back: %q", out)
	}
}
