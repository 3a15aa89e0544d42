package groups_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/verb"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// place is a cluster with topics and groups.
type place struct {
	t *testing.T
	c *gregortest.Cluster
	a *kadm.Client
	s *session.Session
}

// newPlace starts a cluster with topic t of two partitions, which have ten
// records each, of the seconds 1 to 10 after 1970.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, c: gregortest.Start(t)}
	client := p.c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	p.a = kadm.NewClient(client)
	if _, err := p.a.CreateTopic(t.Context(), 2, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		r := &kgo.Record{Topic: "t", Partition: int32(i % 2), Value: fmt.Append(nil, i), Timestamp: time.Unix(int64(i/2+1), 0)}
		client.Produce(t.Context(), r, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.s = p.session()
	return p
}

func (p *place) session() *session.Session {
	p.t.Helper()
	s, err := session.Dial(p.t.Context(), session.Config{Servers: []string{p.c.ZooKeeper()}}, env.Real())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = s.Close(p.t.Context()) }) // the keeper may be gone
	return s
}

func (p *place) create(s *session.Session, path, data string, mode zk.CreateMode) {
	p.t.Helper()
	if _, _, err := s.CreateRecursive(p.t.Context(), path, []byte(data), func(string) []zk.ACL { return zk.OpenACL() }, mode); err != nil {
		p.t.Fatal(err)
	}
}

// old makes a group in ZooKeeper with offsets of t, from partition 0 on.
func (p *place) old(group string, offsets ...string) {
	p.t.Helper()
	for i, o := range offsets {
		p.create(p.s, znode.OffsetPath(group, "t", int32(i)), o, zk.Persistent)
	}
}

// committed makes a group in Kafka with offsets of t.
func (p *place) committed(group string, offsets ...int64) {
	p.t.Helper()
	var all kadm.Offsets
	for i, o := range offsets {
		all.AddOffset("t", int32(i), o, -1)
	}
	verb.Eventually(p.t, "the coordinator takes offsets", func() error { return p.a.CommitAllOffsets(p.t.Context(), group, all) })
}

// joined makes a member of a group in ZooKeeper, of a session of its own.
func (p *place) joined(group string) *session.Session {
	p.t.Helper()
	s := p.session()
	c := znode.Consumer{Streams: map[string]int32{"t": 1}, Pattern: znode.StaticPattern}
	p.create(s, znode.ConsumerIDPath(group, "host:uuid"), string(c.Encode()), zk.Ephemeral)
	p.create(s, znode.OwnerPath(group, "t", 0), "host:uuid-0", zk.Ephemeral)
	return s
}

func (p *place) args(args ...string) []string {
	return append([]string{"groups", "--zookeeper", p.c.ZooKeeper()}, args...)
}

func (p *place) must(args ...string) string {
	p.t.Helper()
	return verb.Must(p.t, "", p.args(args...)...)
}

func (p *place) fails(args []string, texts ...string) {
	p.t.Helper()
	verb.Fails(p.t, "", p.args(args...), texts...)
}

// oldHas checks all that ZooKeeper has of a group's offsets of t.
func (p *place) oldHas(group, want string) {
	p.t.Helper()
	var got []string
	names, _, err := p.s.Children(p.t.Context(), znode.OffsetsPath(group, "t"), false)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range names {
		data, _, err := p.s.Get(p.t.Context(), znode.OffsetsPath(group, "t")+"/"+n, false)
		if err != nil {
			p.t.Fatal(err)
		}
		got = append(got, n+"="+string(data))
	}
	slices.Sort(got)
	verb.Same(p.t, group+" in ZooKeeper", strings.Join(got, " "), want)
}

func (p *place) committedHas(group, want string) {
	p.t.Helper()
	listed, err := p.a.ListGroups(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	var all kadm.OffsetResponses
	if _, ok := listed[group]; ok {
		if all, err = p.a.FetchOffsets(p.t.Context(), group); err != nil {
			p.t.Fatal(err)
		}
	}
	var got []string
	for _, o := range all.Sorted() {
		got = append(got, fmt.Sprintf("%d=%d", o.Partition, o.At))
	}
	verb.Same(p.t, group+" in Kafka", strings.Join(got, " "), want)
}

func TestList(t *testing.T) {
	p := newPlace(t)
	p.old("old", "1")
	p.old("both", "1")
	p.committed("both", 1)
	p.joined("busy")
	verb.Same(t, "list", p.must("list"), ""+
		"GROUP  KIND       STATE\nboth   zookeeper  Empty\nbusy   zookeeper  Stable\nold    zookeeper  Empty\nboth   kafka      Empty\n")
	verb.Same(t, "Kafka's", verb.Must(t, "", "groups", "list", "--bootstrap-server", p.c.Addrs()[0], "--json"), "{\"group\":\"both\",\"kind\":\"kafka\",\"state\":\"Empty\"}\n")
	verb.Same(t, "ZooKeeper's", p.must("list", "--kind", "zookeeper", "--json"), ""+
		"{\"group\":\"both\",\"kind\":\"zookeeper\",\"state\":\"Empty\"}\n{\"group\":\"busy\",\"kind\":\"zookeeper\",\"state\":\"Stable\"}\n{\"group\":\"old\",\"kind\":\"zookeeper\",\"state\":\"Empty\"}\n")
	p.fails([]string{"list", "--kind", "paper"}, `"paper"`, "zookeeper or kafka")
}

func TestDescribeOld(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4", "many")
	p.create(p.s, "/consumers/g/offsets/t/3-0", "7", zk.Persistent)
	p.create(p.s, "/consumers/g/offsets/t/4-0", "4", zk.Persistent) // as today's name says
	member := p.joined("g")
	p.create(member, "/consumers/g/owners/t/4-0", "host:uuid-0", zk.Ephemeral) // and so does this
	p.create(p.s, "/consumers/g/offsets/late/3-0", "9", zk.Persistent)
	p.create(p.s, "/consumers/g/offsets/late/0", "7", zk.Persistent) // was written after the other
	p.create(member, "/consumers/g/owners/t/3-1", "somebody", zk.Ephemeral)
	p.create(p.s, "/consumers/g/offsets/gone/0", "7", zk.Persistent)
	p.create(p.s, "/consumers/g/offsets/t/x", "7", zk.Persistent)
	verb.Same(t, "describe", p.must("describe", "--group", "g"), `group g in zookeeper: Stable, 1 member

TOPIC  PARTITION  OFFSET  END  LAG  OWNER
gone   0          7       -    -    -
late   0          7       -    -    -
t      0          4       10   6    host:uuid-0
t      3-0        7       10   3    -
t      3-1        -       10   -    somebody

MEMBER     CLIENT  HOST  WANTS
host:uuid  -       -     t

malformed: znode /consumers/g/offsets/t/1: want an integer of 64 bits, have "many"
malformed: znode /consumers/g/offsets/t/x: its name is no number of a partition
`)
	p.fails([]string{"describe", "--group", "none"}, "group none: there is none in zookeeper or kafka")
	p.fails([]string{"describe", "--group", "a/b"}, `"a/b"`, "has a slash")
}

func TestDescribeKafka(t *testing.T) {
	p := newPlace(t)
	p.committed("g", 3)
	client := p.c.Client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ClientID("alice"), kgo.DisableAutoCommit())
	if recs := client.PollRecords(t.Context(), 1); recs.Err() != nil {
		t.Fatal(recs.Err())
	}
	var g struct {
		Kind, State, Assignor string
		Members               []struct{ ID, Client, Wants string }
		Partitions            []struct {
			Topic, Partition, Owner string
			Offset, End, Lag        *int64
		}
	}
	if err := json.Unmarshal([]byte(p.must("describe", "-g", "g", "--json")), &g); err != nil {
		t.Fatal(err)
	}
	if g.Kind != "kafka" || g.State != "Stable" || g.Assignor == "" || len(g.Members) != 1 || g.Members[0].Client != "alice" || g.Members[0].Wants != "t" || len(g.Partitions) != 2 {
		t.Fatalf("%+v", g)
	}
	first, second := g.Partitions[0], g.Partitions[1]
	if first.Partition != "0" || *first.Offset != 3 || *first.End != 10 || *first.Lag != 7 || first.Owner != g.Members[0].ID {
		t.Errorf("%+v", first)
	}
	if second.Offset != nil || *second.End != 10 || second.Lag != nil || second.Owner != g.Members[0].ID {
		t.Errorf("%+v", second)
	}
	// A group at work is not touched.
	for _, args := range [][]string{
		{"delete", "-g", "g", "--execute"},
		{"reset", "-g", "g", "-t", "t", "--to-earliest", "--execute"},
		{"migrate", "-g", "g", "--from", "kafka", "--to", "zookeeper", "--execute"},
	} {
		p.fails(args, "group g in kafka: the group is active", g.Members[0].ID)
	}
	p.committedHas("g", "0=3")
}

// TestNoBroker: without brokers groups in ZooKeeper are still seen, and what
// needs a log is refused.
func TestNoBroker(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4")
	p.c.Broker(0).Stop()
	out, errs, code := verb.Do(t, "", p.args("describe", "-g", "g")...)
	if code != 0 || !strings.Contains(out, "t      0          4       -    -    -") || !strings.Contains(errs, "warning: groups in Kafka and the ends of logs are not known") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	p.fails([]string{"reset", "-g", "g", "-t", "t", "--to-earliest", "--execute"}, "where logs begin and end is not known")
	p.fails([]string{"migrate", "-g", "g", "--from", "zookeeper", "--to", "kafka", "--execute"}, "groups in Kafka: ")
	p.oldHas("g", "0=4")
	verb.Fails(t, "", []string{"groups", "--zookeeper", p.c.ZooKeeper() + "/none", "list"}, "the chroot /none does not exist")
	verb.Fails(t, "", []string{"groups", "--zookeeper", p.c.ZooKeeper() + "/consumers", "list"}, "is a chroot missing?")
}

// TestReset: each way, on both kinds, tells first and does with --execute.
func TestReset(t *testing.T) {
	p := newPlace(t)
	p.old("old", "4", "5")
	p.committed("new", 4, 5)
	p.old("other", "1", "2")
	p.committed("other", 1, 2)
	f := func(want string, args ...string) {
		t.Helper()
		for _, g := range []string{"old", "new"} {
			p.must(append([]string{"reset", "--execute", "-g", g}, args...)...)
		}
		p.oldHas("old", want)
		p.committedHas("new", want)
	}
	out, errs, code := verb.Do(t, "", p.args("reset", "-g", "old", "-t", "t", "--to-earliest")...)
	if code != 0 || out != "TOPIC  PARTITION  OLD  NEW\nt      0          4    0\nt      1          5    0\n" || !strings.Contains(errs, "nothing was changed: --execute does it") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	p.oldHas("old", "0=4 1=5")
	f("0=0 1=0", "-t", "t", "--to-earliest")
	f("0=0 1=10", "-t", "t:1", "--to-latest")
	f("0=7 1=7", "-t", "t:0", "-t", "t:1", "--to-offset", "7")
	f("0=10 1=10", "--all-topics", "--to-offset", "1000")
	f("0=6 1=6", "--all-topics", "--shift-by", "-4")
	f("0=10 1=6", "-t", "t:0", "--shift-by", "9223372036854775807")
	f("0=0 1=6", "-t", "t:0", "--shift-by", "-9223372036854775808")
	f("0=3 1=3", "--all-topics", "--to-datetime", "1970-01-01T00:00:03.500Z")
	f("0=10 1=10", "--all-topics", "--by-duration", "PT1H")
	f("0=0 1=0", "--all-topics", "--by-duration", "1000000h")
	p.oldHas("other", "0=1 1=2")
	p.committedHas("other", "0=1 1=2")
	verb.Same(t, "json", p.must("reset", "-g", "old", "-t", "t:0", "--to-latest", "--json"), ""+
		`{"group":"old","kind":"zookeeper","executed":false,"changes":[{"topic":"t","partition":0,"old":0,"new":10}]}`+"\n")
}

// TestResetMakes: --kind says where a group that has no offsets yet shall be.
func TestResetMakes(t *testing.T) {
	p := newPlace(t)
	p.must("reset", "-g", "a", "--kind", "zookeeper", "-t", "t", "--to-latest", "--execute")
	p.oldHas("a", "0=10 1=10")
	p.must("reset", "-g", "b", "--kind", "kafka", "-t", "t", "--to-latest", "--execute")
	p.committedHas("b", "0=10 1=10")
	// What is there already keeps its data and ACL.
	p.create(p.s, znode.ConsumerIDsPath("c"), "kept", zk.Persistent)
	p.must("reset", "-g", "c", "-t", "t", "--to-latest", "--execute")
	if data, _, err := p.s.Get(t.Context(), znode.ConsumerIDsPath("c"), false); err != nil || string(data) != "kept" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestResetErrors(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4")
	p.old("both", "4")
	p.committed("both", 4)
	f := func(args []string, texts ...string) {
		t.Helper()
		p.fails(append([]string{"reset", "--execute"}, args...), texts...)
	}
	f([]string{"-g", "none", "-t", "t", "--to-latest"}, "there is none in zookeeper or kafka", "--kind")
	f([]string{"-g", "both", "-t", "t", "--to-latest"}, "group both is in ZooKeeper and in Kafka: choose with --kind")
	f([]string{"-g", "g", "-t", "none", "--to-latest"}, "topic none does not exist")
	f([]string{"-g", "g", "-t", "t:7", "--to-latest"}, "partition t-7 does not exist")
	f([]string{"-g", "g", "-t", "t:x", "--to-latest"}, `--topic "t:x"`)
	f([]string{"-g", "g", "-t", "t", "--to-datetime", "soon"}, `--to-datetime: time "soon"`)
	f([]string{"-g", "g", "-t", "t", "--by-duration", "long"}, `--by-duration "long"`)
	f([]string{"-g", "g", "-t", "t", "--shift-by", "1"}, "no offset of t-1 to shift")
	f([]string{"-g", "g", "-t", "t"}, "to-earliest")
	f([]string{"-g", "g", "--to-earliest"}, "gregor: --topic or --all-topics is needed\n")
	f([]string{"-g", "g", "-t", "t", "--to-earliest", "--to-latest"}, "gregor: --to-earliest and --to-latest: choose one\n")
	f([]string{"-g", "g", "-t", "t", "--to-earliest", "--dry-run"}, "execute", "dry-run")
	f([]string{"-t", "t", "--to-earliest"}, "--group is missing")
	f([]string{"-g", "g", "-t", "t,", "--to-earliest"}, `--topic: topic "t,": a name is not`)
	p.fails([]string{"reset", "-g", "g", "-t", "t", "--to-earliest", "--dry-run=false"}, "dry-run", "--execute is what changes something")
	f([]string{"-g", "..", "-t", "t", "--to-earliest"}, `".."`)
	p.oldHas("g", "0=4")
}

// TestActiveOld: a group with members in ZooKeeper, or with owners that have not
// gone, is not touched, and is once they have.
func TestActiveOld(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4", "5")
	s := p.joined("g")
	f := func(text string) {
		t.Helper()
		for _, args := range [][]string{
			{"delete", "-g", "g", "--execute"},
			{"reset", "-g", "g", "-t", "t", "--to-earliest", "--execute"},
			{"migrate", "-g", "g", "--from", "zookeeper", "--to", "kafka", "--execute"},
		} {
			p.fails(args, "group g in zookeeper: the group is active", text)
		}
		p.oldHas("g", "0=4 1=5")
	}
	f("1 member: host:uuid)")
	if err := s.Delete(t.Context(), znode.ConsumerIDPath("g", "host:uuid"), -1); err != nil {
		t.Fatal(err)
	}
	f("owner of t-0")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.must("delete", "-g", "g", "--execute")
	if _, err := p.s.Exists(t.Context(), znode.GroupPath("g"), false); err == nil {
		t.Error("the group is still there")
	}
}

// TestActiveBeside: members in ZooKeeper may keep their offsets in Kafka, where the
// coordinator knows nothing of them. Without ZooKeeper nobody can tell.
func TestActiveBeside(t *testing.T) {
	p := newPlace(t)
	p.committed("g", 4, 5)
	s := p.joined("g")
	for _, args := range [][]string{
		{"delete", "-g", "g", "--kind", "kafka", "--execute"},
		{"reset", "-g", "g", "--kind", "kafka", "-t", "t", "--to-earliest", "--execute"},
		{"reset", "-g", "g", "--kind", "kafka", "-t", "t", "--to-earliest"},
	} {
		p.fails(args, "group g in zookeeper: the group is active", "1 member: host:uuid)")
		p.committedHas("g", "0=4 1=5")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.must("reset", "-g", "g", "--kind", "kafka", "-t", "t", "--to-earliest", "--execute")
	p.committedHas("g", "0=0 1=0")
	p.must("delete", "-g", "g", "--kind", "kafka", "--execute")
	p.committedHas("g", "")
}

func TestDelete(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4", "5")
	p.old("g2", "6")
	p.committed("h", 1)
	p.committed("h2", 2)
	p.create(p.s, "/consumers/g/owners/t", "", zk.Persistent)
	p.create(p.s, "/consumers/g/ids", "", zk.Persistent)
	p.must("delete", "-g", "g")
	p.oldHas("g", "0=4 1=5")
	p.must("delete", "-g", "g", "--execute")
	p.must("delete", "-g", "h", "--execute")
	verb.Same(t, "left", p.must("list"), "GROUP  KIND       STATE\ng2     zookeeper  Empty\nh2     kafka      Empty\n")
	p.fails([]string{"delete", "-g", "g", "--execute"}, "there is none")
}

// TestDeleteLarge: more nodes than one transaction takes.
func TestDeleteLarge(t *testing.T) {
	p := newPlace(t)
	p.create(p.s, "/consumers/g/offsets/t", "", zk.Persistent)
	var reqs []zk.Request
	for i := range int32(2500) {
		reqs = append(reqs, &zk.CreateRequest{Path: znode.OffsetPath("g", "t", i), Data: []byte("1"), ACL: zk.OpenACL()})
	}
	for _, r := range p.s.Do(t.Context(), reqs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if out := p.must("delete", "-g", "g"); !strings.Contains(out, "2500 partitions") {
		t.Error(out)
	}
	p.must("delete", "-g", "g", "--execute")
	verb.Same(t, "left", p.must("list"), "GROUP  KIND  STATE\n")
}

func TestMigrate(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4", "5")
	p.committed("other", 1)
	migrate := func(from, to string, more ...string) []string {
		return append([]string{"migrate", "-g", "g", "--from", from, "--to", to}, more...)
	}
	verb.Same(t, "plan", p.must(migrate("zookeeper", "kafka")...), "TOPIC  PARTITION  OLD  NEW\nt      0          -    4\nt      1          -    5\n")
	p.committedHas("g", "")
	p.must(migrate("zookeeper", "kafka", "--execute")...)
	p.committedHas("g", "0=4 1=5")
	p.oldHas("g", "0=4 1=5")
	p.must(migrate("zookeeper", "kafka", "--execute")...) // the same again does no harm

	p.committed("g", 8, 5)
	p.fails(migrate("kafka", "zookeeper", "--execute"), "t-0 at 4, not 8", "--overwrite")
	p.oldHas("g", "0=4 1=5")
	p.must(migrate("kafka", "zookeeper", "--execute", "--overwrite")...)
	p.oldHas("g", "0=8 1=5")
	p.committedHas("other", "0=1")
}

func TestMigrateErrors(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4", "500")
	p.old("bad", "x")
	p.create(p.s, "/consumers/oldest/offsets/t/0-0", "7", zk.Persistent)
	p.create(p.s, "/consumers/gone/offsets/none/0", "7", zk.Persistent)
	p.create(p.s, "/consumers/bare", "", zk.Persistent)
	f := func(group string, more []string, texts ...string) {
		t.Helper()
		p.fails(append([]string{"migrate", "--execute", "-g", group}, more...), texts...)
		p.committedHas(group, "")
	}
	there := []string{"--from", "zookeeper", "--to", "kafka"}
	f("bad", there, "/consumers/bad/offsets/t/0", `"x"`)
	f("oldest", there, "t-0-0 is a partition of Kafka 0.7")
	f("gone", there, "topic none does not exist")
	f("bare", there, "group bare in zookeeper has no offsets")
	f("none", there, "--from: group none: there is none in zookeeper")
	f("g", append(there, "-t", "u"), "--topic u")
	f("g", []string{"--from", "kafka", "--to", "kafka"}, `--from "kafka" --to "kafka"`)
	f("g", []string{"--from", "kafka", "--to", "paper"}, "there is none in kafka")
	_, errs, _ := verb.Do(t, "", p.args(append([]string{"migrate", "-g", "g"}, there...)...)...)
	if !strings.Contains(errs, "warning: t-1: offset 500 is outside of the log, which has 0 to 10") {
		t.Error(errs)
	}
	verb.Fails(t, "", []string{"groups", "--bootstrap-server", p.c.Addrs()[0], "migrate", "-g", "g", "--from", "zookeeper", "--to", "kafka"}, "need --zookeeper")
}
