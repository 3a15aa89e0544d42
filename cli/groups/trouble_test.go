package groups_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/verb"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// TestBrokerGone: neither a broker that is registered and dead nor a partition
// without a leader hides what is known of others.
func TestBrokerGone(t *testing.T) {
	c := gregortest.Start(t, gregortest.Brokers(3), gregortest.Property("zookeeper.session.timeout.ms", "40000"))
	p := &place{t: t, c: c, a: kadm.NewClient(c.Client())}
	p.s = p.session()
	if _, err := p.a.CreateTopic(t.Context(), 3, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	p.old("old", "0", "0", "0")
	leads := map[int32]int32{}
	verb.Eventually(t, "leaders are known", func() error {
		topics, err := p.a.ListTopics(t.Context(), "t")
		topics.EachPartition(func(d kadm.PartitionDetail) { leads[d.Leader] = d.Partition })
		if _, ok := leads[2]; !ok {
			return fmt.Errorf("broker 2 leads nothing: %w", err)
		}
		return nil
	})
	p.committed("new", 0, 0, 0)
	gone := leads[2]
	check := func(why string) {
		t.Helper()
		lost := fmt.Sprintf("where the log of t-%d begins and ends is not known: %s", gone, why)
		out, errs, code := verb.Do(t, "", p.args("describe", "-g", "old")...)
		if code != 1 || strings.Count(out, "0       0    0    -\n") != 2 || strings.Count(out, "0       -    -    -\n") != 1 || strings.Count(errs, "is not known") != 1 || !strings.Contains(errs, lost) {
			t.Errorf("%d\n%s%s", code, out, errs)
		}
		for q := range int32(3) {
			if args := []string{"reset", "-g", "old", "-t", fmt.Sprintf("t:%d", q), "--kind", "zookeeper", "--to-datetime", "0", "--execute"}; q == gone {
				p.fails(args, lost)
			} else {
				p.must(args...)
			}
		}
		p.fails([]string{"reset", "-g", "old", "-t", "t", "--kind", "zookeeper", "--to-latest"}, lost, "--topic chooses others")
		out, errs, code = verb.Do(t, "", "consume", "-t", "t", "--from-beginning", "-e", "--bootstrap-server", c.Addrs()[0])
		if left := fmt.Sprintf("t-%d is not read: %s", gone, why); code != 1 || out != "" || strings.Count(errs, left) != 2 {
			t.Errorf("%d\n%s%s", code, out, errs)
		}
	}
	c.Broker(2).Kill()
	dead := "broker 2, " + c.Broker(2).Addr()
	check(dead)
	out, errs, code := verb.Do(t, "", p.args("list")...)
	if code != 1 || !strings.Contains(out, "old    zookeeper  Empty\n") || !strings.Contains(errs, "groups in Kafka are not all known: "+dead) {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	p.fails([]string{"describe", "-g", "none"}, "groups in Kafka are not all known: "+dead)
	p.fails([]string{"delete", "-g", "old"}, dead, "--kind")
	c.Broker(2).Restart()
	c.Broker(2).Stop()
	check("it has no leader")
	verb.Same(t, "list", p.must("list"), "GROUP  KIND       STATE\nold    zookeeper  Empty\nnew    kafka      Empty\n")
}

// TestDenied: what an ACL hides is named, and hides nothing else.
func TestDenied(t *testing.T) {
	p := newPlace(t)
	p.old("a", "1", "2")
	p.old("b", "3")
	p.old("c", "4")
	alice := []session.AuthInfo{{Scheme: zk.SchemeDigest, Auth: []byte("alice:secret")}}
	s, err := session.Dial(t.Context(), session.Config{Servers: []string{p.c.ZooKeeper()}, Auth: alice}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	hide := func(path string) {
		t.Helper()
		p.create(s, path, "7", zk.Persistent)
		if _, err := s.SetACL(t.Context(), path, zk.CreatorAllACL(), -1); err != nil {
			t.Fatal(err)
		}
	}
	f := func(want string, args []string, denied ...string) {
		t.Helper()
		out, errs, code := verb.Do(t, "", p.args(args...)...)
		told := "gregor: " + strings.Join(denied, ", ") + " may not be read: zookeeper: NoAuth: its ACL does not allow that (--zookeeper-auth adds an id)\n"
		if code != 1 || errs != told {
			t.Errorf("%v: %d, %q, want %q", args, code, errs, told)
		}
		verb.Same(t, strings.Join(args, " "), out, want)
	}
	hide("/consumers/a/offsets/t/2")
	hide("/consumers/a/owners/t/1")
	hide("/consumers/b/ids")
	f("GROUP  KIND       STATE\na      zookeeper  Empty\nb      zookeeper  Unknown\nc      zookeeper  Empty\n", []string{"list"}, "/consumers/b/ids")
	f("group a in zookeeper: Empty, 0 members\n\nTOPIC  PARTITION  OFFSET  END  LAG  OWNER\nt      0          1       10   9    -\nt      1          2       10   8    -\n\n",
		[]string{"describe", "-g", "a"}, "/consumers/a/owners/t/1", "/consumers/a/offsets/t/2")
	f("group b in zookeeper: Unknown, 0 members\n\nTOPIC  PARTITION  OFFSET  END  LAG  OWNER\nt      0          3       10   7    -\n\n",
		[]string{"describe", "-g", "b"}, "/consumers/b/ids")
	for _, g := range []string{"a", "b"} {
		p.fails([]string{"delete", "-g", g, "--execute"}, "/consumers/"+g, "--zookeeper-auth")
		p.fails([]string{"reset", "-g", g, "-t", "t:0", "--to-latest", "--execute"}, "/consumers/"+g, "--zookeeper-auth")
		p.fails([]string{"migrate", "-g", g, "--from", "zookeeper", "--to", "kafka", "--execute"}, "/consumers/"+g, "--zookeeper-auth")
	}
	p.must("delete", "-g", "b", "--zookeeper-auth", "digest:alice:secret", "--execute")
}

// TestBehindTheEnd: an offset that no log reaches has no lag.
func TestBehindTheEnd(t *testing.T) {
	p := newPlace(t)
	p.old("g", "10", "14")
	verb.Same(t, "describe", p.must("describe", "-g", "g"), "group g in zookeeper: Empty, 0 members\n\n"+
		"TOPIC  PARTITION  OFFSET  END  LAG  OWNER\nt      0          10      10   0    -\nt      1          14      10   -    -\n\n"+
		"t-1: offset 14 lies behind the end of the log, 10\n")
}

// TestLitter: persistent nodes where members' belong are no members, and the way
// out is told.
func TestLitter(t *testing.T) {
	p := newPlace(t)
	p.old("g", "4")
	long := strings.Repeat("x", 100)
	p.create(p.s, "/consumers/g/ids/"+long, "rubbish", zk.Persistent)
	p.create(p.s, "/consumers/g/owners/t/0", "one\n\ttwo"+long, zk.Persistent)
	verb.Same(t, "list", p.must("list"), "GROUP  KIND       STATE\ng      zookeeper  Empty\n")
	verb.Same(t, "describe", p.must("describe", "-g", "g"), "group g in zookeeper: Empty, 0 members\n\n"+
		"TOPIC  PARTITION  OFFSET  END  LAG  OWNER\n"+
		"t      0          4       10   6    \"one\\n\\ttwo"+long[:72]+"\"…\n\n"+
		"left behind: /consumers/g/ids/"+long+" is persistent, and so no member's; `gregor zk delete /consumers/g/ids/"+long+"` removes it\n"+
		"left behind: /consumers/g/owners/t/0 is persistent, and so no member's; `gregor zk delete /consumers/g/owners/t/0` removes it\n")
	p.fails([]string{"reset", "-g", "g", "-t", "t:0", "--to-latest", "--execute"}, "not as members leave it: /consumers/g/ids/x")
	verb.Must(t, "", "zk", "--zookeeper", p.c.ZooKeeper(), "delete", "/consumers/g/ids/"+long)
	p.fails([]string{"delete", "-g", "g", "--execute"}, "`gregor zk delete /consumers/g/owners/t/0` removes it")
	verb.Must(t, "", "zk", "--zookeeper", p.c.ZooKeeper(), "delete", "/consumers/g/owners/t/0")
	p.must("delete", "-g", "g", "--execute")
}
