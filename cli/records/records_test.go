package records_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/test/port"
	"github.com/gregor-mq/gregor/test/verb"
)

// place is a cluster with topics.
type place struct {
	t *testing.T
	c *gregortest.Cluster
	a *kadm.Client
}

func newPlace(t *testing.T, topics ...string) *place {
	t.Helper()
	c := gregortest.Start(t)
	p := &place{t, c, kadm.NewClient(c.Client())}
	for _, topic := range topics {
		p.topic(topic, 1)
	}
	return p
}

func (p *place) topic(name string, partitions int32) {
	p.t.Helper()
	if _, err := p.a.CreateTopic(p.t.Context(), partitions, 1, nil, name); err != nil {
		p.t.Fatal(err)
	}
}

// at puts where the cluster is before the other arguments.
func (p *place) at(verb string, args ...string) []string {
	return append([]string{verb, "--bootstrap-server", p.c.Addrs()[0]}, args...)
}

func (p *place) produce(stdin string, args ...string) {
	p.t.Helper()
	if out := verb.Must(p.t, stdin, p.at("produce", args...)...); out != "" {
		p.t.Errorf("produce printed %q", out)
	}
}

// consume reads a topic from its beginning to its end.
func (p *place) consume(topic string, args ...string) string {
	p.t.Helper()
	return verb.Must(p.t, "", p.at("consume", append([]string{"--topic", topic, "--from-beginning", "--exit-at-end"}, args...)...)...)
}

func TestValues(t *testing.T) {
	p := newPlace(t, "t")
	verb.Same(t, "an empty topic", p.consume("t"), "")
	p.produce("one\n\ntwo\r\nlast without an end", "--topic", "t")
	verb.Same(t, "values", p.consume("t"), "one\n\ntwo\r\nlast without an end\n")
	verb.Same(t, "two", p.consume("t", "--max-messages", "2"), "one\n\n")
	long := strings.Repeat("x", 600_000)
	p.produce(long+"\n", "-t", "t")
	verb.Same(t, "a long one", verb.Must(t, "", p.at("consume", "-t", "t", "-o", "-1", "-e")...), long+"\n")
}

func TestKeysHeadersAndTombstones(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("a:1:2\n:empty\nb:NULL\nNULL:c\n", "-t", "t", "-K", ":", "--null", "NULL", "-H", "x=1", "-H", "y=2=3", "--timestamp", "1700000000123", "--acks", "1", "-z", "gzip")
	verb.Same(t, "parts", p.consume("t", "--print", "key,headers,timestamp,offset", "--key-separator", "|"), ""+
		"CreateTime:1700000000123|Offset:0|x:1,y:2=3|a|1:2\n"+
		"CreateTime:1700000000123|Offset:1|x:1,y:2=3||empty\n"+
		"CreateTime:1700000000123|Offset:2|x:1,y:2=3|b|\n"+
		"CreateTime:1700000000123|Offset:3|x:1,y:2=3|null|c\n")
	verb.Same(t, "template", p.consume("t", "-f", `%t-%p@%o %k=%s(%S) %h\n`, "-n", "3"), ""+
		"t-0@0 a=1:2(3) x=1,y=2=3\nt-0@1 =empty(5) x=1,y=2=3\nt-0@2 b=(-1) x=1,y=2=3\n")
}

// TestCopy: consume and produce in JSON copy a topic: partitions, order, keys,
// headers, timestamps, and bytes that are no text.
func TestCopy(t *testing.T) {
	p := newPlace(t)
	p.topic("from", 3)
	p.topic("to", 3)
	client := p.c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 500 {
		r := &kgo.Record{Topic: "from", Partition: int32(i % 3), Value: fmt.Appendf(nil, "%d \xff\x00", i)}
		switch i % 4 {
		case 1:
			r.Key = []byte("k\n\"")
		case 2:
			r.Value, r.Key = nil, []byte{0xfe}
		case 3:
			r.Headers = []kgo.RecordHeader{{Key: "h"}, {Key: "h", Value: []byte{0xff}}}
		}
		client.Produce(t.Context(), r, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := p.consume("from", "-f", "json")
	p.produce(lines, "-t", "to", "--format", "json", "--compression", "zstd")
	sorted := func(s string) []string {
		all := strings.Split(s, "\n")
		slices.Sort(all)
		return all
	}
	copied := strings.ReplaceAll(p.consume("to", "-f", "json"), `"topic":"to"`, `"topic":"from"`)
	if got, want := sorted(copied), sorted(lines); !slices.Equal(got, want) || len(want) != 501 {
		t.Errorf("%d lines became %d other ones: %.300q, want %.300q", len(want), len(got), got[1], want[1])
	}
}

func TestLinesOfJSON(t *testing.T) {
	p := newPlace(t, "t", "u")
	p.produce(`{"topic":"t","value":"to t"}`+"\n\n"+`{"topic":"u","value":"to u","partition":0,"timestamp":"2026-01-31T12:00:00Z"}`+"\n", "--format", "json")
	verb.Same(t, "t", p.consume("t"), "to t\n")
	verb.Same(t, "u", p.consume("u", "-f", `%T %s\n`), "1769860800000 to u\n")
	p.produce(`{"partition":9,"value":"anew"}`, "--format", "json", "--repartition", "-t", "t")
	verb.Same(t, "anew", p.consume("t"), "to t\nanew\n")
}

// TestPartitionsByKey: keys go where Java's producer puts them.
func TestPartitionsByKey(t *testing.T) {
	p := newPlace(t)
	p.topic("t", 10)
	p.produce("alice:1\nbob:1\ncarol:1\n", "-t", "t", "-K", ":")
	got := strings.Fields(p.consume("t", "-f", `%k-%p\n`))
	slices.Sort(got)
	// Utils.toPositive(Utils.murmur2(key)) % 10
	want := []string{}
	for _, k := range []string{"alice", "bob", "carol"} {
		want = append(want, fmt.Sprintf("%s-%d", k, int(murmur2([]byte(k))&0x7fffffff)%10))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// murmur2 is org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

func TestFiles(t *testing.T) {
	p := newPlace(t, "t")
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for name, text := range map[string]string{one: "1\n2", two: "k=3\nbad\nk=4\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.produce("from stdin\n", "-t", "t", one, "-")
	verb.Same(t, "t", p.consume("t"), "1\n2\nfrom stdin\n")
	verb.Fails(t, "", p.at("produce", "-t", "t", "-K", "=", two), two+": line 2", `no separator "="`, "1 record was produced")
	verb.Fails(t, "", p.at("produce", "-t", "t", filepath.Join(dir, "none")), "none", "no such file")
}

// TestBadInput: errors name the line, the value and the rule, and the exit code
// is not 0.
func TestBadInput(t *testing.T) {
	p := newPlace(t, "t")
	f := func(stdin string, args []string, texts ...string) {
		t.Helper()
		verb.Fails(t, stdin, args, texts...)
	}
	produce := func(args ...string) []string { return p.at("produce", append([]string{"-t", "t"}, args...)...) }
	f("{\"value\":\"a\"}\n{\"value\":1}\n{\"value\":\"c\"}", produce("--format", "json"), "line 2: field value", "1 record was produced")
	f("a\n", p.at("produce"), "--topic is missing")
	f("{}", p.at("produce", "--format", "json"), "line 1: names no topic")
	f("a\n", produce("-p", "5"), "line 1: topic t: partition 5: the topic has 1", "0 records were produced")
	f(strings.Repeat("x", 2_000_000), produce(), "line 1: topic t", "MESSAGE_TOO_LARGE")
	f("", produce("--acks", "2"), `--acks "2"`)
	f("", produce("--compression", "lzma"), `--compression "lzma"`)
	f("", produce("--header", "x"), `--header "x"`)
	f("", produce("--timestamp", "now"), "--timestamp", `"now"`)
	f("", produce("--format", "%s"), "--format")
	f("", produce("--format", "json", "-K", ":"), "--key-separator")
	f("", produce("-p", "1", "--repartition"), "partition", "repartition")
	consume := func(args ...string) []string { return p.at("consume", append([]string{"-t", "t"}, args...)...) }
	f("", p.at("consume"), "topic", "pattern")
	f("", p.at("consume", "-t", "none", "-e"), "topic none: UNKNOWN_TOPIC_OR_PARTITION")
	f("", p.at("consume", "-t", "none"), "topic none: UNKNOWN_TOPIC_OR_PARTITION")
	f("", consume("-p", "7"), "--partition 7: topic t has 1 partition")
	f("", consume("-o", "middle"), `--offset "middle"`)
	f("", consume("-g", "g", "-o", "5"), "group", "offset")
	f("", consume("-n", "-1"), "--max-messages -1")
	f("", consume("-e", "-t", "t,"), `--topic: topic "": the name is empty`)
	f("", p.at("produce", "-t", "a b"), `--topic: topic "a b": a name is not`)
	f("", consume("-g", "g", "--offset-storage", "kafka"), "--offset-storage kafka", "add --zookeeper")
	f("", consume("--isolation", "dirty"), `"dirty"`)
	f("", p.at("consume", "--pattern", "("), `--pattern "("`)
	free, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	nobody := port.Loopback(free)
	f("a\n", []string{"produce", "-t", "t", "--bootstrap-server", nobody}, nobody, "refused")
	f("", []string{"consume", "-t", "t", "--bootstrap-server", "nonsense"}, `"nonsense": want HOST:PORT`)
}

func TestOffsets(t *testing.T) {
	p := newPlace(t)
	p.topic("t", 2)
	for i := range 6 {
		p.produce(fmt.Sprintf("%d\n", i), "-t", "t", "-p", fmt.Sprint(i%2), "--timestamp", fmt.Sprint(1000*(i+1)))
	}
	f := func(want string, args ...string) {
		t.Helper()
		out := strings.Fields(verb.Must(t, "", p.at("consume", append([]string{"-t", "t", "-e"}, args...)...)...))
		slices.Sort(out)
		verb.Same(t, strings.Join(args, " "), strings.Join(out, " "), want)
	}
	f("0 1 2 3 4 5", "-o", "start")
	f("", "-o", "end")
	f("4 5", "-o", "-1")
	f("2 4", "-o", "+1", "-p", "0")
	f("4 5", "-o", "2")
	f("3 4 5", "-o", "@3500")
	f("", "-o", "@7000")
	f("1 3 5", "-o", "0", "-p", "1")
	_, errs, code := verb.Do(t, "", p.at("consume", "-t", "t", "-e", "-o", "99")...)
	if code != 0 || !strings.Contains(errs, "gregor: warning: --offset 99: t-0 has 0 to 3, beginning at 3\n") {
		t.Errorf("%d, %s", code, errs)
	}
	w := verb.Start(t, nil, p.at("consume", "-t", "t", "-p", "0", "-o", "99")...)
	w.Await("--offset 99")
	p.produce("6\n", "-t", "t", "-p", "0")
	w.Await("6\n")
	verb.Same(t, "behind the end", w.Out(), "6\n")
}

// TestGroup: what was printed is committed, also at Ctrl-C, and no more.
func TestGroup(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("1\n2\n3\n4\n5\n", "-t", "t")
	verb.Same(t, "two of them", verb.Must(t, "", p.at("consume", "-t", "t", "-g", "g", "--from-beginning", "-n", "2")...), "1\n2\n")
	w := verb.Start(t, nil, p.at("consume", "--pattern", "[t-u]", "-g", "g")...)
	w.Await("5\n")
	p.produce("6\n", "-t", "t")
	w.Await("6\n")
	w.Interrupt()
	if code := w.Wait(); code != 0 || w.Out() != "3\n4\n5\n6\n" {
		t.Errorf("%d, %q, %s", code, w.Out(), w.Err())
	}
	offsets, err := p.a.FetchOffsets(t.Context(), "g")
	if o, ok := offsets.Lookup("t", 0); err != nil || !ok || o.At != 6 {
		t.Errorf("%+v, %v", offsets, err)
	}
	verb.Same(t, "nothing more", verb.Must(t, "", p.at("consume", "-t", "t", "-g", "g", "--timeout", "300ms")...), "")
}

// TestTail: without an offset only what comes later is printed.
func TestTail(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("before\n", "-t", "t")
	w := verb.Start(t, nil, p.at("consume", "-t", "t", "-o", "-1")...)
	w.Await("before\n")
	p.produce("after\n", "-t", "t")
	w.Await("after\n")
	w.Interrupt()
	if code := w.Wait(); code != 0 {
		t.Errorf("%d: %s", code, w.Err())
	}
}

// TestInteractive: a line is there before the input ends, and Ctrl-C ends it.
func TestInteractive(t *testing.T) {
	p := newPlace(t, "t")
	in, typed := io.Pipe()
	defer typed.Close()
	w := verb.Start(t, in, p.at("produce", "-t", "t")...)
	if _, err := io.WriteString(typed, "typed\n"); err != nil {
		t.Fatal(err)
	}
	tail := verb.Start(t, nil, p.at("consume", "-t", "t", "--from-beginning")...)
	tail.Await("typed\n")
	w.Interrupt()
	if code := w.Wait(); code != 0 || w.Err() != "" {
		t.Errorf("%d: %q", code, w.Err())
	}
}

// TestStalled: a broker that answers no more does not hold the user for ever.
func TestStalled(t *testing.T) {
	p := newPlace(t, "t")
	in, typed := io.Pipe()
	defer typed.Close()
	w := verb.Start(t, in, p.at("produce", "-t", "t", "--delivery-timeout", "2s")...)
	tail := verb.Start(t, nil, p.at("consume", "-t", "t", "--from-beginning")...)
	if _, err := io.WriteString(typed, "first\n"); err != nil {
		t.Fatal(err)
	}
	tail.Await("first\n")
	tail.Interrupt()
	tail.Wait()
	p.c.Broker(0).Pause()
	defer p.c.Broker(0).Resume()
	if _, err := io.WriteString(typed, "second\n"); err != nil {
		t.Fatal(err)
	}
	if code := w.Wait(); code != 1 || !strings.Contains(w.Err(), "no record was acknowledged within 2s") || !strings.Contains(w.Err(), "1 record was produced") {
		t.Errorf("%d: %s", code, w.Err())
	}
}

// TestStalledWhy: when nothing is acknowledged it says what stands in the way.
func TestStalledWhy(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(2), gregortest.Property("zookeeper.session.timeout.ms", "40000"))
	a := kadm.NewClient(c.Client())
	if _, err := a.CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	// led waits until the broker that stays knows a partition with this leader.
	led := func(by int32) (partition int32) {
		verb.Eventually(t, fmt.Sprint("a partition is led by ", by), func() error {
			req := kmsg.NewPtrMetadataRequest()
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = new("t")
			req.Topics = append(req.Topics, topic)
			resp, err := req.RequestWith(t.Context(), c.Client().Broker(0))
			if err != nil {
				return err
			}
			for _, p := range resp.Topics[0].Partitions {
				if p.Leader == by {
					partition = p.Partition
					return nil
				}
			}
			return fmt.Errorf("%+v", resp.Topics)
		})
		return partition
	}
	gone := led(1)
	f := func(want string, where ...string) {
		t.Helper()
		args := append([]string{"produce", "-t", "t", "-p", fmt.Sprint(gone), "--delivery-timeout", "1s"}, where...)
		verb.Fails(t, "x\n", args, fmt.Sprintf("no record was acknowledged within 1s (--delivery-timeout): t-%d %s", gone, want))
	}
	brokers, zookeeper := []string{"--bootstrap-server", c.Addrs()[0]}, []string{"--zookeeper", c.ZooKeeper()}
	c.Broker(1).Kill()
	f("is led by broker 1: dial tcp "+c.Addrs()[1], brokers...)
	f("is led by broker 1: dial tcp "+c.Addrs()[1], zookeeper...)
	c.Broker(1).Restart()
	c.Broker(1).Stop()
	led(-1)
	f("has no leader", brokers...)
	f("has no leader", zookeeper...)
}

// TestProgress: on a terminal, and there alone, it is told how far it is.
func TestProgress(t *testing.T) {
	p := newPlace(t, "t")
	w := verb.StartLive(t, strings.NewReader("12\n34\n"), p.at("produce", "-t", "t")...)
	if code := w.Wait(); code != 0 || !strings.Contains(w.Err(), "2 records, 4 B, ") || w.Out() != "" {
		t.Errorf("%d: %q, %q", code, w.Err(), w.Out())
	}
}
