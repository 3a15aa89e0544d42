package records_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/verb"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// guided puts where ZooKeeper is before the other arguments.
func (p *place) guided(verb string, args ...string) []string {
	return append([]string{verb, "--zookeeper", p.c.ZooKeeper()}, args...)
}

// offset returns what ZooKeeper has of a group's offset, empty for none.
func (p *place) offset(group string) string { return p.offsetOf(group, "0") }

// offsetOf is offset under a partition's other name.
func (p *place) offsetOf(group, name string) string {
	p.t.Helper()
	s, err := session.Dial(p.t.Context(), session.Config{Servers: []string{p.c.ZooKeeper()}}, env.Real())
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Close(p.t.Context())
	data, _, err := s.Get(p.t.Context(), znode.OffsetsPath(group, "t")+"/"+name, false)
	if err != nil && !strings.Contains(err.Error(), zk.ErrNoNode.Name()) {
		p.t.Fatal(err)
	}
	return string(data)
}

// TestOldConsoleConsumer: each value on a line, from the beginning, and the
// group's offset in ZooKeeper, at Ctrl-C too.
func TestOldConsoleConsumer(t *testing.T) {
	p := newPlace(t, "t")
	p.produce("1\n2\n3\n4\n5\n", "-t", "t")
	verb.Same(t, "two of them", verb.Must(t, "", p.guided("consume", "-t", "t", "-g", "g", "--from-beginning", "-n", "2")...), "1\n2\n")
	if got := p.offset("g"); got != "2" {
		t.Errorf("offset %q, want 2", got)
	}
	w := verb.Start(t, nil, p.guided("consume", "--topic", "t", "--group", "g")...)
	w.Await("5\n")
	verb.Must(t, "6\n", p.guided("produce", "-t", "t")...)
	w.Await("6\n")
	w.Interrupt()
	if code := w.Wait(); code != 0 || w.Out() != "3\n4\n5\n6\n" {
		t.Errorf("%d, %q, %s", code, w.Out(), w.Err())
	}
	if got := p.offset("g"); got != "6" {
		t.Errorf("offset %q, want 6", got)
	}
	verb.Same(t, "nothing more", verb.Must(t, "", p.guided("consume", "-t", "t", "-g", "g", "--timeout", "1s")...), "")
	verb.Same(t, "with the names of 0.7", verb.Must(t, "", p.guided("consume", "-t", "t", "-g", "old", "--from-beginning", "--legacy-partition-names", "-n", "4")...), "1\n2\n3\n4\n")
	if today, old := p.offset("old"), p.offsetOf("old", "0-0"); today != "4" || old != "4" {
		t.Errorf("offsets %q and %q, want 4", today, old)
	}
	verb.Same(t, "another group, by a pattern", verb.Must(t, "", p.guided("consume", "--pattern", "[tu]", "-g", "h", "--from-beginning", "-n", "6")...), "1\n2\n3\n4\n5\n6\n")
}

// TestProduceByZooKeeper: the same as by brokers, options and errors.
func TestProduceByZooKeeper(t *testing.T) {
	p := newPlace(t)
	p.topic("t", 3)
	verb.Must(t, "a=1\nb=NULL\n", p.guided("produce", "-t", "t", "-K", "=", "--null", "NULL", "-H", "x=1", "-p", "2", "-z", "lz4", "--timestamp", "5")...)
	verb.Must(t, `{"key":"c","value":"3","partition":0}`+"\n"+`{"key":"d","value":"4"}`, p.guided("produce", "-t", "t", "--format", "json", "--acks", "1")...)
	got := strings.Split(strings.Trim(p.consume("t", "-f", `%p %k=%s(%S) %h\n`), "\n"), "\n")
	slices.Sort(got)
	want := []string{
		"0 c=3(1) ", "2 a=1(1) x=1", "2 b=(-1) x=1",
		fmt.Sprintf("%d d=4(1) ", int(murmur2([]byte("d"))&0x7fffffff)%3),
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	verb.Must(t, "5\n", p.guided("produce", "-t", "t", "--layer-four")...)
	if out := p.consume("t"); strings.Count(out, "\n") != 5 {
		t.Errorf("%q", out)
	}
	named := `{"value":"6","partition":1}` + "\n"
	verb.Must(t, `{"value":"7"}`+"\n", p.guided("produce", "-t", "t", "--layer-four", "--format", "json")...)
	verb.Must(t, named, p.guided("produce", "-t", "t", "--layer-four", "--format", "json", "--repartition")...)
	verb.Must(t, named, p.guided("produce", "-t", "t", "--layer-four", "--format", "json", "-p", "1")...)
	if out := p.consume("t"); strings.Count(out, "\n") != 8 {
		t.Errorf("%q", out)
	}
	f := func(stdin string, args []string, texts ...string) {
		t.Helper()
		verb.Fails(t, stdin, args, texts...)
	}
	f(named, p.guided("produce", "-t", "t", "--layer-four", "--format", "json"), "line 1: partition 1", "--repartition")
	f("x\n", p.guided("produce", "-t", "none", "--delivery-timeout", "5s"), "gregor: line 1: topic none: topic does not exist")
	f("x\n", p.guided("produce", "-t", "t", "-p", "9"), "line 1: topic t", "no such partition")
	f("", p.guided("produce", "-t", "t", "--acks", "2"), `--acks "2"`)
	f("", p.guided("produce", "-t", "t", "-z", "lzma"), `--compression "lzma"`)
	f("", p.at("produce", "-t", "t", "--layer-four"), "layer-four")
	f("", p.at("produce", "-t", "t", "--zookeeper", p.c.ZooKeeper()), "bootstrap-server", "zookeeper")
	f("", p.guided("consume", "-t", "t"), "--group is missing")
	f("", p.guided("consume", "-t", "t", "-g", "g", "--offset-storage", "paper"), `"paper"`)
	f("", p.at("consume", "-t", "t", "-g", "g", "--consumer-id", "me"), "--consumer-id", "--zookeeper")
	f("", p.at("consume", "-t", "t", "-g", "g", "--legacy-partition-names"), "--legacy-partition-names", "--zookeeper")
	f("", p.guided("consume", "-t", "t", "-e"), "zookeeper", "exit-at-end")
}

// TestNoCluster: a chroot that does not exist, and a ZooKeeper without Kafka, are
// told before anything is written.
func TestNoCluster(t *testing.T) {
	p := newPlace(t, "t")
	for chroot, want := range map[string]string{"/kafak": "the chroot /kafak does not exist", "/consumers": "no Kafka cluster is registered in this ZooKeeper"} {
		for _, args := range [][]string{{"produce", "-t", "t"}, {"consume", "-t", "t", "-g", "g"}} {
			verb.Fails(t, "", append(args, "--zookeeper", p.c.ZooKeeper()+chroot), want)
		}
	}
	out := verb.Must(t, "", "zk", "--zookeeper", p.c.ZooKeeper(), "ls", "-R", "/consumers")
	verb.Same(t, "consumers", out, "/consumers\n")
}

// TestDenied: who is kept out by an ACL is told what helps.
func TestDenied(t *testing.T) {
	p := newPlace(t, "t")
	alice := []session.AuthInfo{{Scheme: zk.SchemeDigest, Auth: []byte("alice:secret")}}
	s, err := session.Dial(t.Context(), session.Config{Servers: []string{p.c.ZooKeeper()}, Auth: alice}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	for _, path := range []string{"/consumers/g/ids", "/brokers/topics/closed"} {
		if _, _, err := s.CreateRecursive(t.Context(), path, nil, func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetACL(t.Context(), path, zk.CreatorAllACL(), -1); err != nil {
			t.Fatal(err)
		}
	}
	w := verb.Start(t, nil, p.guided("consume", "-t", "t", "-g", "g")...)
	w.Await("gregor: warning: ")
	w.Interrupt()
	if code := w.Wait(); code != 1 || strings.Count(w.Err(), "--zookeeper-auth adds an id") != 2 {
		t.Errorf("%d: %s", code, w.Err())
	}
	verb.Fails(t, "x\n", p.guided("produce", "-t", "closed", "--delivery-timeout", "2s"), "line 1: topic closed", "--zookeeper-auth adds an id")
}
