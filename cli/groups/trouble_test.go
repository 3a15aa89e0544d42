package groups_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/test/verb"
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
	topics, err := p.a.ListTopics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range topics["t"].Partitions {
		leads[d.Leader] = d.Partition
	}
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
