package zkshell_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/test/port"
	"github.com/gregor-mq/gregor/test/verb"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
)

// alone starts a keeper and returns `zk --zookeeper …` with a chroot.
func alone(t *testing.T) (zkAt func(chroot string, args ...string) []string, addr string) {
	t.Helper()
	k, err := keeper.Start(t.Context(), keeper.Config{DataDir: t.TempDir(), Listen: []string{"127.0.0.1:0"}, MaxClientCnxns: -1}, env.Real(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	addr = k.Addrs()[0].String()
	return func(chroot string, args ...string) []string {
		return append([]string{"zk", "--zookeeper", addr + chroot}, args...)
	}, addr
}

// TestNodes: a node's life by all verbs.
func TestNodes(t *testing.T) {
	at, _ := alone(t)
	do := func(want string, args ...string) {
		t.Helper()
		verb.Same(t, strings.Join(args, " "), verb.Must(t, "", at("", args...)...), want)
	}
	do("/a/b/c\n", "create", "-p", "/a/b/c", "hello")
	do("/a/b/s-0000000001\n", "create", "-s", "/a/b/s-")
	do("a\nzookeeper\n", "ls")
	do("/a\n/a/b\n/a/b/c\n/a/b/s-0000000001\n", "ls", "-R", "/a")
	do("/a/b/c\n  hello\n", "get", "/a/b/c")
	do("/a/b\n  null\n", "get", "/a/b")
	do("hello", "get", "--raw", "/a/b/c")
	do("/a/b/c has version 1\n", "set", "/a/b/c", "more", "--version", "0")
	do("world:anyone cdrwa\n", "acl", "/a/b/c")
	do("NODES  BYTES  PATH\n3      4      /a/b\n4      4      /a\n", "du", "/a")
	verb.Same(t, "set from stdin", verb.Must(t, "\x00\xff", at("", "set", "/a/b/c", "-")...), "/a/b/c has version 2\n")
	do("/a/b/c\n  \"\\x00\\xff\"\n", "get", "/a/b/c")
	do("\x00\xff", "get", "--raw", "/a/b/c")
	do("{\"path\":\"/a/b/c\",\"children\":0,\"bytes\":2,\"version\":2}\n{\"path\":\"/a/b/s-0000000001\",\"children\":0,\"bytes\":0,\"version\":0}\n", "ls", "/a/b", "--json")
	do("", "delete", "/a/b/s-0000000001", "--version", "0")
	do("", "delete", "-R", "/a")
	do("zookeeper\n", "ls")
}

func TestStat(t *testing.T) {
	at, _ := alone(t)
	verb.Must(t, "", at("", "create", "/s", "abc")...)
	out := verb.Must(t, "", at("", "stat", "/s")...)
	for _, want := range []string{"cZxid = 0x", "\ndataVersion = 0\n", "\nephemeralOwner = 0x0\n", "\ndataLength = 3\n", "\nnumChildren = 0\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var stat map[string]any
	if err := json.Unmarshal([]byte(verb.Must(t, "", at("", "stat", "/s", "--json")...)), &stat); err != nil || stat["dataLength"] != 3.0 || stat["ephemeralOwner"] != "0x0" {
		t.Errorf("%v, %v", stat, err)
	}
}

// TestChroot: paths are below it, also those that come back.
func TestChroot(t *testing.T) {
	at, _ := alone(t)
	verb.Must(t, "", at("", "create", "/kafka")...)
	verb.Same(t, "create", verb.Must(t, "", at("/kafka", "create", "/x", "1")...), "/x\n")
	verb.Same(t, "ls", verb.Must(t, "", at("/kafka", "ls", "-R")...), "/\n/x\n")
	verb.Same(t, "outside", verb.Must(t, "", at("", "ls", "-R", "/kafka")...), "/kafka\n/kafka/x\n")
	verb.Fails(t, "", at("/kafka", "delete", "-R", "/"), "it holds everything")
	verb.Fails(t, "", at("/kafak", "ls"), "/kafak: the chroot /kafak does not exist")
	verb.Fails(t, "", at("/kafak", "get", "/x"), "the chroot /kafak does not exist")
	verb.Fails(t, "", at("/kafka", "get", "/none"), "no such node")
	w := verb.Start(t, nil, at("/kafak", "watch", "/x")...)
	w.Await("warning: --zookeeper ")
	w.Await("watching /x until interrupted")
	verb.Must(t, "", at("", "create", "-p", "/kafak/x", "1")...)
	w.Await("NodeCreated          /x")
}

// TestErrors: what is refused is named, with the reason.
func TestErrors(t *testing.T) {
	at, addr := alone(t)
	verb.Must(t, "", at("", "create", "-p", "/a/b", "1")...)
	f := func(args []string, texts ...string) {
		t.Helper()
		verb.Fails(t, "", args, texts...)
	}
	f(at("", "get", "/none"), `"/none"`, "no such node")
	f(at("", "get", "none"), `"none"`, "does not start with /")
	f(at("", "create", "/a"), "exists already")
	f(at("", "create", "/x/y"), "no parent")
	f(at("", "delete", "/a"), "delete -R")
	f(at("", "set", "/a/b", "2", "--version", "7"), "another version")
	f(at("", "set", "/a/b", strings.Repeat("x", 2<<20)), "/a/b: 2097152 bytes are more than ZooKeeper takes", "jute.maxbuffer")
	f(at("", "create", "/big", strings.Repeat("x", 1<<20-20)), "/big: 1048556 bytes are more than ZooKeeper takes")
	f(at("", "ls", "-R", "/none"), "no such node")
	f(at("", "get"), "accepts 1 arg")
	f(at("", "get", "/a", "--raw", "--json"), "raw", "json")
	f([]string{"zk", "--zookeeper", addr, "--zookeeper-auth", "nonsense", "ls"}, `"nonsense"`, "SCHEME:ID")
	f([]string{"zk", "--zookeeper", "h:p:q", "ls"}, "h:p:q")
	free, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	nobody := port.Loopback(free)
	f([]string{"zk", "--zookeeper", nobody, "ls"}, nobody, "refused")
}

// TestDenied: a node that may not be read does not hide the others, and is told.
func TestDenied(t *testing.T) {
	at, addr := alone(t)
	alice := func(args ...string) []string {
		return at("", append(args, "--zookeeper-auth", "digest:alice:secret")...)
	}
	verb.Must(t, "", at("", "create", "-p", "/t/open", "1")...)
	s, err := session.Dial(t.Context(), session.Config{Servers: []string{addr}, Auth: []session.AuthInfo{{Scheme: zk.SchemeDigest, Auth: []byte("alice:secret")}}}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Create(t.Context(), "/t/closed", []byte("hidden"), zk.CreatorAllACL(), zk.Persistent); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, errs, code := verb.Do(t, "", at("", "ls", "-R", "/t")...)
	if code != 1 || out != "/t\n/t/open\n" || !strings.Contains(errs, "/t/closed") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	out, errs, code = verb.Do(t, "", at("", "du", "/t")...)
	if code != 1 || out != "NODES  BYTES  PATH\n1      1      /t/open\n2      1      /t\n" || !strings.Contains(errs, "/t/closed may not be read") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	verb.Fails(t, "", at("", "get", "/t/closed"), "--zookeeper-auth")
	verb.Same(t, "ls as alice", verb.Must(t, "", alice("ls", "-R", "/t")...), "/t\n/t/closed\n/t/open\n")
	verb.Same(t, "get as alice", verb.Must(t, "", alice("get", "/t/closed")...), "/t/closed\n  hidden\n")
}

// TestWide: more children than one batch holds.
func TestWide(t *testing.T) {
	at, addr := alone(t)
	s, err := session.Dial(t.Context(), session.Config{Servers: []string{addr}}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	reqs := []zk.Request{&zk.CreateRequest{Path: "/w", ACL: zk.OpenACL()}}
	for i := range 600 {
		reqs = append(reqs, &zk.CreateRequest{Path: fmt.Sprintf("/w/%04d", i), Data: []byte("x"), ACL: zk.OpenACL()})
	}
	for _, r := range s.Do(t.Context(), reqs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(verb.Must(t, "", at("", "ls", "-R", "/w")...), "\n")
	if len(lines) != 602 || lines[600] != "/w/0599" {
		t.Errorf("%d lines, %q", len(lines), lines[max(0, len(lines)-2):])
	}
	verb.Must(t, "", at("", "delete", "-R", "/w")...)
	verb.Fails(t, "", at("", "stat", "/w"), "no such node")
}

// TestWatch: events come as they happen, until Ctrl-C, which is no failure.
func TestWatch(t *testing.T) {
	at, _ := alone(t)
	verb.Must(t, "", at("", "create", "-p", "/brokers/topics")...)
	w := verb.Start(t, nil, at("", "watch", "-R", "/brokers")...)
	w.Await("watching /brokers until interrupted")
	verb.Must(t, "", at("", "create", "-p", "/brokers/topics/t/partitions/0/state", "1")...)
	w.Await("NodeCreated          /brokers/topics/t/partitions/0/state  (state of partition 0 of topic t)\n")
	verb.Must(t, "", at("", "set", "/brokers/topics/t", "2")...)
	w.Await("NodeDataChanged      /brokers/topics/t  (assignment of topic t)\n")
	w.Interrupt()
	if code := w.Wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, w.Err())
	}
	j := verb.Start(t, nil, at("", "watch", "/none", "--json")...)
	j.Await("watching")
	verb.Must(t, "", at("", "create", "/none")...)
	j.Await(`"event":"NodeCreated","path":"/none"}`)
}

// TestKafkaInWords: what a broker wrote is understood.
func TestKafkaInWords(t *testing.T) {
	c := gregortest.Start(t)
	get := func(args ...string) string {
		return verb.Must(t, "", append([]string{"zk", "--zookeeper", c.ZooKeeper(), "get"}, args...)...)
	}
	if out := get("/brokers/ids/0"); !strings.Contains(out, "registration of broker 0\n") || !strings.Contains(out, "endpoint ") || !strings.Contains(out, c.Addrs()[0]) {
		t.Error(out)
	}
	if out := get("/controller"); !strings.Contains(out, "broker   0\n") {
		t.Error(out)
	}
	var node struct {
		What  string
		Facts []struct{ Name, Value string }
		Data  string
		Stat  struct{ NumChildren int }
	}
	if err := json.Unmarshal([]byte(get("--json", "/cluster/id")), &node); err != nil || node.What != "id of the cluster" || len(node.Facts) != 1 || !strings.Contains(node.Data, node.Facts[0].Value) {
		t.Errorf("%+v, %v", node, err)
	}
	verb.Must(t, "", "zk", "--zookeeper", c.ZooKeeper(), "create", "-p", "/consumers/g/offsets/t/0", "many")
	out := get("/consumers/g/offsets/t/0")
	if !strings.Contains(out, "malformed: ") || !strings.HasSuffix(out, "  many\n") {
		t.Error(out)
	}
}
