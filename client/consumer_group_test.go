package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/client"
	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// A member that dies leaves its partitions to the others; what it had committed is
// not read again.
func TestAMemberCrashes(t *testing.T) {
	s := newScene(t)
	s.topic("t", 6)
	s.produce("t", 6, 30)
	a := s.join("g", "a", client.Topics("t"))
	s.await("t", 180)
	if err := a.Commit(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.join("g", "b", client.Topics("t"))
	s.deal("g", "t", "a-0 a-0 a-0 b-0 b-0 b-0")
	s.produce("t", 6, 30)
	a.crashed = true
	if err := a.Crash(s.ctx, s.cluster.ZooKeeper()); err != nil {
		t.Fatal(err)
	}
	s.deal("g", "t", "b-0 b-0 b-0 b-0 b-0 b-0")
	s.produce("t", 6, 30)
	s.await("t", 540)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, by := range s.mu.seen {
		if at := k[strings.IndexByte(k, '@')+1:]; len(at) == 1 && len(by) > 1 { // the first ten: committed long before
			t.Errorf("%s was delivered to %v", k, by)
		}
	}
}

// A session that expires takes the partitions along; the member comes back by
// itself and is told.
func TestASessionExpires(t *testing.T) {
	s := newScene(t)
	s.topic("t", 2)
	s.produce("t", 2, 10)
	var mu sync.Mutex
	var calls []string
	note := func(what string) func(context.Context, map[string][]int32) {
		return func(_ context.Context, p map[string][]int32) {
			mu.Lock()
			defer mu.Unlock()
			if len(p["t"]) > 0 {
				calls = append(calls, what)
			}
		}
	}
	a := s.join("g", "a", client.Topics("t"), client.OnAssigned(note("assigned")), client.OnRevoked(note("revoked")), client.OnLost(note("lost")))
	s.await("t", 20)
	before := s.stat(znode.ConsumerIDPath("g", "g_a"))
	if err := a.ExpireSession(s.ctx, s.cluster.ZooKeeper()); err != nil {
		t.Fatal(err)
	}
	s.produce("t", 2, 10)
	s.await("t", 40)
	if after := s.stat(znode.ConsumerIDPath("g", "g_a")); after.EphemeralOwner == before.EphemeralOwner {
		t.Error("the session is the same")
	}
	s.deal("g", "t", "a-0 a-0")
	a.leave()
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"assigned", "lost", "assigned", "revoked"}; !slices.Equal(calls, want) {
		t.Errorf("callbacks %v, want %v", calls, want)
	}
}

// stat returns a node's Stat, zero for one that is missing.
func (s *scene) stat(path string) zk.Stat {
	s.t.Helper()
	stat, err := s.zk.Exists(s.ctx, path, false)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		s.t.Fatal(err)
	}
	return stat
}

func TestGroupsDoNotDisturbOneAnother(t *testing.T) {
	s := newScene(t)
	s.topic("t", 4)
	s.join("g", "a", client.Topics("t"))
	s.join("h", "a", client.Topics("t"))
	s.deal("h", "t", "a-0 a-0 a-0 a-0")
	owned := s.stat(znode.OwnerPath("h", "t", 0))
	s.produce("t", 4, 25)
	b := s.join("g", "b", client.Topics("t"))
	s.deal("g", "t", "a-0 a-0 b-0 b-0")
	s.produce("t", 4, 25)
	b.leave()
	s.deal("g", "t", "a-0 a-0 a-0 a-0")
	s.until("all records twice", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, by := range s.mu.seen {
			if len(by) < 2 {
				return false
			}
		}
		return len(s.mu.seen) == 200
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, by := range s.mu.seen {
		if len(by) != 2 || (by[0][0] == 'g') == (by[1][0] == 'g') {
			t.Errorf("%s was delivered to %v", k, by)
		}
	}
	if s.stat(znode.OwnerPath("h", "t", 0)) != owned {
		t.Error("the other group's owner node is another")
	}
}

// A broker that dies moves leaders, not partitions of the group: nobody rebalances.
func TestABrokerDies(t *testing.T) {
	s := newScene(t, gregortest.Brokers(3))
	s.topic("t", 6)
	s.join("g", "a", client.Topics("t"))
	s.join("g", "b", client.Topics("t"))
	s.deal("g", "t", "a-0 a-0 a-0 b-0 b-0 b-0")
	s.produce("t", 6, 20)
	s.await("t", 120)
	owned := s.stat(znode.OwnerPath("g", "t", 5))
	s.cluster.Broker(1).Kill()
	s.produce("t", 6, 20)
	s.await("t", 240)
	s.cluster.Broker(1).Restart()
	s.produce("t", 6, 20)
	s.await("t", 360)
	if s.stat(znode.OwnerPath("g", "t", 5)) != owned {
		t.Error("partitions were given up")
	}
	s.once()
}

// put creates or replaces a node.
func (s *scene) put(path, data string) {
	s.t.Helper()
	_, err := s.zk.Set(s.ctx, path, []byte(data), -1)
	if errors.Is(err, zk.ErrNoNode) {
		_, _, err = s.zk.CreateRecursive(s.ctx, path, []byte(data), func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// complains waits until Poll returned an error that names a path.
func (p *player) complains(path string) {
	p.s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		select {
		case err := <-p.errs:
			if strings.Contains(err.Error(), path) {
				return
			}
		case <-deadline.C:
			p.s.t.Fatalf("no error names %s", path)
		}
	}
}

// Rubbish in the group's nodes is named and left alone, and that in other groups'
// is of no interest.
func TestRubbishIsNamed(t *testing.T) {
	s := newScene(t)
	s.topic("t", 2)
	s.produce("t", 2, 10)
	others := map[string]string{
		znode.ConsumerIDPath("h", "h_x"): "no JSON", znode.OwnerPath("h", "t", 0): "\x00", znode.OffsetPath("h", "t", 0): "many",
	}
	for path, data := range others {
		s.put(path, data)
	}
	s.put(znode.OffsetPath("g", "t", 1), "many")
	a := s.join("g", "a", client.Topics("t"), client.RebalanceRetries(2))
	a.complains(znode.OffsetPath("g", "t", 1))
	if data, _, err := s.zk.Get(s.ctx, znode.OffsetPath("g", "t", 1), false); err != nil || string(data) != "many" {
		t.Errorf("the offset became %q, %v", data, err)
	}
	s.put(znode.OffsetPath("g", "t", 1), "4")
	s.await("t", 16)

	bad := znode.ConsumerIDPath("g", "g_x")
	s.put(bad, `{"version":1,"subscription":{"t":"two"},"pattern":"static","timestamp":"1"}`)
	a.complains(bad)
	s.produce("t", 2, 10) // what is owned is read on
	s.await("t", 36)
	s.put(bad, `{"version":1,"subscription":{"(":1},"pattern":"white_list","timestamp":"1"}`)
	a.complains("g_x")
	if err := s.zk.Delete(s.ctx, bad, -1); err != nil {
		t.Fatal(err)
	}
	topic, _, err := s.zk.Get(s.ctx, znode.TopicPath("t"), false)
	if err != nil {
		t.Fatal(err)
	}
	s.put(znode.TopicPath("t"), "[]")
	a.complains(znode.TopicPath("t"))
	s.put(znode.TopicPath("t"), string(topic))
	s.join("g", "b", client.Topics("t"))
	s.deal("g", "t", "a-0 b-0")
	s.once()
	for path, data := range others {
		if got, stat, err := s.zk.Get(s.ctx, path, false); err != nil || string(got) != data || stat.Version != 0 {
			t.Errorf("%s became %q, %v", path, got, err)
		}
	}
}

func TestAMissingChroot(t *testing.T) {
	s := newScene(t)
	_, err := client.NewGroupConsumer(s.ctx, s.cluster.ZooKeeper()+"/nowhere", "g", client.Topics("t"))
	if !errors.Is(err, client.ErrNoChroot) || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("error %v", err)
	}
}

func TestAChroot(t *testing.T) {
	outer := newScene(t)
	outer.topic("t", 1)
	s := newScene(t, gregortest.ExternalKeeper(outer.cluster.ZooKeeper()+"/inner"))
	s.topic("t", 2)
	s.produce("t", 2, 5)
	s.join("g", "a", client.Topics("t"))
	s.await("t", 10)
	if stat := outer.stat("/inner" + znode.OwnerPath("g", "t", 1)); stat.EphemeralOwner == 0 {
		t.Error("no owner node below the chroot")
	}
	if _, err := outer.zk.Exists(s.ctx, znode.GroupPath("g"), false); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("beside the chroot: %v", err)
	}
}

// Topics that come, and partitions that are added, are read without a restart.
func TestTopicsComeAndGrow(t *testing.T) {
	s := newScene(t)
	s.join("g", "w", client.WhiteList("apples, pears.*"))
	s.join("h", "b", client.BlackList("apples|_.*"))
	s.join("i", "t", client.Topics("apples"))
	s.topic("apples", 2)
	s.topic("pears-1", 1)
	s.topic("plums", 1)
	s.produce("apples", 2, 5)
	s.produce("pears-1", 1, 5)
	s.produce("plums", 1, 5)
	count := func(want map[string]int) func() bool {
		return func() bool {
			got := map[string]int{}
			s.mu.Lock()
			defer s.mu.Unlock()
			for k, by := range s.mu.seen {
				for _, id := range by {
					got[id[:1]+" "+k[:strings.LastIndexByte(k, '-')]]++
				}
			}
			for k, n := range want {
				if got[k] != n {
					return false
				}
			}
			return len(got) == len(want)
		}
	}
	want := map[string]int{"g apples": 10, "g pears-1": 5, "h pears-1": 5, "h plums": 5, "i apples": 10}
	s.until("the right topics", count(want))
	if _, err := kadm.NewClient(s.cluster.Client()).UpdatePartitions(s.ctx, 3, "apples"); err != nil {
		t.Fatal(err)
	}
	s.deal("g", "apples", "w-0 w-0 w-0")
	s.deal("i", "apples", "t-0 t-0 t-0")
	s.produce("apples", 3, 5)
	want["g apples"], want["i apples"] = 25, 25
	s.until("the new partition", count(want))
	data, _, err := s.zk.Get(s.ctx, znode.ConsumerIDPath("g", "g_w"), false)
	if err != nil || !strings.Contains(string(data), `"apples|pears.*":1`) || !strings.Contains(string(data), `"white_list"`) {
		t.Errorf("registered as %s, %v", data, err)
	}
}

// With ManualCommit nothing is stored but by Commit, and OnRevoked is in time.
func TestManualCommit(t *testing.T) {
	s := newScene(t)
	s.topic("t", 2)
	s.produce("t", 2, 10)
	var a *player
	made := make(chan struct{})
	a = s.member("g", "a", client.Topics("t"), client.ManualCommit(), client.OnRevoked(func(ctx context.Context, _ map[string][]int32) {
		<-made
		if err := a.Commit(ctx); err != nil {
			t.Error(err)
		}
	}))
	close(made)
	a.play()
	s.await("t", 20)
	if got := s.stat(znode.OffsetPath("g", "t", 0)); got.Czxid != 0 {
		t.Error("an offset was stored without Commit")
	}
	s.join("g", "b", client.Topics("t"), client.ManualCommit())
	s.deal("g", "t", "a-0 b-0")
	s.produce("t", 2, 10)
	s.await("t", 40)
	s.once()
}

// An application that does not come back in time is told, and what it worked on is
// read again.
func TestASlowApplication(t *testing.T) {
	s := newScene(t)
	s.topic("t", 2)
	s.produce("t", 2, 10)
	a := s.member("g", "a", client.Topics("t"), client.HandOverWithin(300*time.Millisecond), client.PollRecords(15))
	held, err := a.Poll(s.ctx)
	if err != nil || len(held) == 0 || len(held) > 15 {
		t.Fatalf("%d records, %v", len(held), err)
	}
	s.join("g", "b", client.Topics("t"))
	s.deal("g", "t", "a-0 b-0")
	if _, err = a.Poll(s.ctx); !errors.Is(err, client.ErrSlow) {
		t.Errorf("the slow one hears %v", err)
	}
	a.play()
	s.await("t", 20)
}

// Offsets in Kafka outlive the broker that coordinates the group.
func TestTheCoordinatorDies(t *testing.T) {
	s := newScene(t, gregortest.Brokers(3))
	s.topic("t", 6)
	s.produce("t", 6, 10)
	a := s.join("g", "a", client.Topics("t"), client.OffsetsInKafka())
	s.await("t", 60)
	if err := a.Commit(s.ctx); err != nil {
		t.Fatal(err)
	}
	found := kadm.NewClient(s.cluster.Client()).FindGroupCoordinators(s.ctx, "g")
	if err := found.Error(); err != nil {
		t.Fatal(err)
	}
	s.cluster.Broker(int(found["g"].NodeID)).Kill()
	s.produce("t", 6, 10)
	s.await("t", 120)
	if err := a.Commit(s.ctx); err != nil {
		t.Errorf("commit without the first coordinator: %v", err)
	}
	a.leave()
	b := s.member("g", "b", client.Topics("t"), client.OffsetsInKafka())
	b.play()
	s.produce("t", 6, 10)
	s.await("t", 180)
	s.once()
	if stat := s.stat(znode.OffsetPath("g", "t", 0)); stat.Czxid != 0 {
		t.Error("offsets are in ZooKeeper too")
	}
}

// An offset that the log does not have is as good as none.
func TestAnOffsetBeyondTheLog(t *testing.T) {
	s := newScene(t)
	s.topic("t", 2)
	s.produce("t", 2, 20)
	s.put(znode.OffsetPath("g", "t", 0), "1000")
	s.put(znode.OffsetPath("g", "t", 1), "15")
	s.join("g", "a", client.Topics("t"), client.PollRecords(3))
	s.await("t", 25)
	late := s.join("h", "a", client.Topics("t"), client.StartAt(client.Latest))
	s.deal("h", "t", "a-0 a-0")
	s.until("the end is found", func() bool {
		return late.Commit(s.ctx) == nil && s.stat(znode.OffsetPath("h", "t", 1)).Czxid != 0
	})
	s.produce("t", 2, 1)
	s.until("the newest alone", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Contains(s.mu.seen["t-0@20"], "h_a") && slices.Contains(s.mu.seen["t-1@20"], "h_a")
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, by := range s.mu.seen {
		if slices.Contains(by, "h_a") != strings.HasSuffix(k, "@20") {
			t.Errorf("%s was delivered to %v", k, by)
		}
	}
	if s.mu.seen["t-1@14"] != nil {
		t.Error("what was read before is read again")
	}
}

// Names are one to a member: a second of the same waits for the first to go.
func TestATakenName(t *testing.T) {
	s := newScene(t)
	s.topic("t", 1)
	s.produce("t", 1, 5)
	a := s.join("g", "a", client.Topics("t"))
	s.await("t", 5)
	again := s.join("g", "a", client.Topics("t"), client.SessionTimeout(time.Second))
	again.complains("g_a")
	a.leave()
	s.produce("t", 1, 5)
	s.await("t", 10)
	s.once()
}

func TestConsumerOptionsAreChecked(t *testing.T) {
	f := func(part, group string, opts ...client.ConsumerOption) {
		t.Helper()
		_, err := client.NewGroupConsumer(t.Context(), "127.0.0.1:1", group, opts...)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v", err)
		}
	}
	f("nothing to consume", "g")
	f("one subscription", "g", client.Topics("t"), client.WhiteList("u"))
	f("topic filter", "g", client.WhiteList("("))
	f("group", "a/b", client.Topics("t"))
	f("group", "", client.Topics("t"))
	f("group", "..", client.Topics("t"))
	f("consumer id", "g", client.Topics("t"), client.ConsumerID("a/b"))
	f("topic", "g", client.Topics("a/b"))
	f("0 streams", "g", client.Topics("t"), client.Streams(0))
	f("commit interval", "g", client.Topics("t"), client.AutoCommit(0))
	f("position", "g", client.Topics("t"), client.StartAt(5))
	f("rebalance retries", "g", client.Topics("t"), client.RebalanceRetries(0))
	f("rebalance backoff", "g", client.Topics("t"), client.RebalanceBackoff(0))
	f("hand-over", "g", client.Topics("t"), client.HandOverWithin(0))
	f("fetch max bytes", "g", client.Topics("t"), client.FetchMaxBytes(0))
	f("fetch max wait", "g", client.Topics("t"), client.FetchMaxWait(0))
	f("poll records", "g", client.Topics("t"), client.PollRecords(0))
	f("option 1 is nil", "g", client.Topics("t"), nil)
	f("OnAssigned", "g", client.Topics("t"), client.OnAssigned(nil))
	f("OnRevoked", "g", client.Topics("t"), client.OnRevoked(nil))
	f("OnLost", "g", client.Topics("t"), client.OnLost(nil))
	f("logger", "g", client.Topics("t"), client.Logger(nil))
	f("session timeout -1ns", "g", client.Topics("t"), client.SessionTimeout(-1))
}
