package groups

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/gregortest"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// TestMemberComesMeanwhile: a member that registers between the look at a group
// and the change stops the change, whole.
func TestMemberComesMeanwhile(t *testing.T) {
	c := gregortest.Start(t)
	s, err := session.Dial(t.Context(), session.Config{Servers: []string{c.ZooKeeper()}}, env.Real())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	open := func(string) []zk.ACL { return zk.OpenACL() }
	store := zkStore{s}
	p := partition("t", 0)
	if err := store.commit(t.Context(), "g", nil, map[part]int64{p: 4}); err != nil {
		t.Fatal(err)
	}
	f := func(name string, change func(g *group) error, want string, is error) {
		t.Helper()
		g, err := store.read(t.Context(), "g")
		if err != nil || g == nil || g.offsets[p] != 4 {
			t.Fatalf("%s: %+v, %v", name, g, err)
		}
		if err := change(g); err == nil || !strings.Contains(err.Error(), want) || is != nil && !errors.Is(err, is) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	member := func() {
		t.Helper()
		if _, _, err := s.CreateRecursive(t.Context(), znode.ConsumerIDPath("g", "m"), nil, open, zk.Ephemeral); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			t.Fatal(err)
		}
	}
	f("commit", func(g *group) error {
		member()
		return store.commit(t.Context(), "g", g, map[part]int64{p: 9, partition("t", 1): 9})
	}, "stop its members first", errActive)
	f("remove", func(g *group) error { return store.remove(t.Context(), g) }, "stop its members first", errActive)
	if err := s.Delete(t.Context(), znode.ConsumerIDPath("g", "m"), -1); err != nil {
		t.Fatal(err)
	}
	f("another change", func(g *group) error {
		if _, err := s.Set(t.Context(), znode.OffsetPath("g", "t", 0), []byte("4"), -1); err != nil {
			t.Fatal(err)
		}
		return store.commit(t.Context(), "g", g, map[part]int64{p: 9})
	}, "was changed meanwhile", zk.ErrBadVersion)
	if g, err := store.read(t.Context(), "g"); err != nil || len(g.offsets) != 1 || g.offsets[p] != 4 {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestMemberJoinsMeanwhile is the same in Kafka: the coordinator refuses.
func TestMemberJoinsMeanwhile(t *testing.T) {
	c := gregortest.Start(t)
	client := c.Client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.AllowAutoTopicCreation(), kgo.DisableAutoCommit())
	store := kafkaStore{kadm.NewClient(c.Client()), env.Real().Clock}
	if err := c.Client(kgo.AllowAutoTopicCreation()).ProduceSync(t.Context(), &kgo.Record{Topic: "t"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if recs := client.PollRecords(t.Context(), 1); recs.Err() != nil {
		t.Fatal(recs.Err())
	}
	if err := store.commit(t.Context(), "g", nil, map[part]int64{partition("t", 0): 1}); !errors.Is(err, errActive) {
		t.Errorf("commit: %v", err)
	}
	if err := store.remove(t.Context(), &group{name: "g"}); !errors.Is(err, errActive) {
		t.Errorf("remove: %v", err)
	}
}
