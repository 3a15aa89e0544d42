package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// open returns a session to a keeper of its own, with the top-level nodes and a
// controller.
func open(t *testing.T) (*admin.Admin, *session.Session) {
	t.Helper()
	e := env.Real()
	e.FS = memfs.New(1<<30, time.Now)
	k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Stop(context.Background()) })
	s, err := session.Dial(t.Context(), session.Config{Dialer: k.Pipe}, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	for _, p := range znode.PersistentPaths() {
		if _, _, err := s.CreateRecursive(t.Context(), p, nil, func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			t.Fatal(err)
		}
	}
	put(t, s, znode.ControllerPath, znode.Controller{BrokerID: 1, KRaftEpoch: znode.NoKRaftEpoch}.Encode())
	return admin.New(s.Retrying(), admin.Config{Rand: e.Rand, MaxPartitions: 100}), s
}

func put(t *testing.T, s *session.Session, path string, data []byte) {
	t.Helper()
	_, _, err := s.Create(t.Context(), path, data, zk.OpenACL(), zk.Persistent)
	if errors.Is(err, zk.ErrNodeExists) {
		_, err = s.Set(t.Context(), path, data, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, what string, err error, code wire.Code, words string) {
	t.Helper()
	got, text := admin.CodeOf(err)
	if got != code || !strings.Contains(text, words) {
		t.Errorf("%s: %s %q, want %s %q", what, got.Name(), text, code.Name(), words)
	}
}

var three = []admin.Broker{{ID: 1}, {ID: 2}, {ID: 3}}

func TestCreateTopic(t *testing.T) {
	a, s := open(t)
	ctx := t.Context()
	made, err := a.CreateTopic(ctx, admin.NewTopic{Name: "t.1", Partitions: 3, Factor: 2, Config: map[string]string{"retention.ms": "5"}}, three)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := s.Get(ctx, znode.TopicPath("t.1"), false)
	if err != nil {
		t.Fatal(err)
	}
	n, err := znode.DecodeTopic("", data)
	if err != nil || n.ID != made.ID || len(n.Partitions) != 3 || !slices.Equal(n.Partitions[2].Replicas, made.Assignment[2]) {
		t.Errorf("node %s, %v; made %+v", data, err, made)
	}
	if c, err := a.Config(ctx, znode.Entity{Topic: znode.Named("t.1")}); err != nil || c["retention.ms"] != "5" {
		t.Errorf("config %v, %v", c, err)
	}
	if kids, _, _ := s.Children(ctx, znode.ConfigChangesPath, false); len(kids) != 0 {
		t.Errorf("creation made notifications: %v", kids)
	}
	f := func(what string, nt admin.NewTopic, code wire.Code, words string) {
		t.Helper()
		_, err := a.CreateTopic(ctx, nt, three)
		want(t, what, err, code, words)
	}
	f("again", admin.NewTopic{Name: "t.1", Partitions: 1, Factor: 1}, wire.CodeTopicAlreadyExists, "already exists")
	f("collision", admin.NewTopic{Name: "t_1", Partitions: 1, Factor: 1}, wire.CodeInvalidTopicException, "Topic 't_1' collides with existing topics: t.1")
	f("empty name", admin.NewTopic{Partitions: 1, Factor: 1}, wire.CodeInvalidTopicException, "Topic name is invalid: the empty string is not allowed")
	f("bad name", admin.NewTopic{Name: "a/b", Partitions: 1, Factor: 1}, wire.CodeInvalidTopicException, "one or more characters")
	f("factor", admin.NewTopic{Name: "x", Partitions: 1, Factor: 4}, wire.CodeInvalidReplicationFactor, "Replication factor: 4 larger than available brokers: 3.")
	f("no partitions", admin.NewTopic{Name: "x", Factor: 1}, wire.CodeInvalidPartitions, "larger than 0")
	f("too many", admin.NewTopic{Name: "x", Partitions: 101, Factor: 1}, wire.CodeInvalidPartitions, "more than the 100 allowed")
	f("hole", admin.NewTopic{Name: "x", Assignment: map[int32][]int32{0: {1}, 2: {1}}}, wire.CodeInvalidReplicaAssignment, "consecutive")
	f("uneven", admin.NewTopic{Name: "x", Assignment: map[int32][]int32{0: {1}, 1: {1, 2}}}, wire.CodeInvalidReplicaAssignment, "same number")
	f("twice", admin.NewTopic{Name: "x", Assignment: map[int32][]int32{0: {1, 1}, 1: {2, 1}}}, wire.CodeInvalidReplicaAssignment,
		"Duplicate replica assignment found: HashMap(0 -> ArrayBuffer(1, 1), 1 -> ArrayBuffer(2, 1))")
	f("nobody", admin.NewTopic{Name: "x", Assignment: map[int32][]int32{0: {}}}, wire.CodeInvalidReplicaAssignment, "factor of 0")
	f("dry run", admin.NewTopic{Name: "x", Partitions: 1, Factor: 1, ValidateOnly: true}, wire.CodeNone, "")
	if _, err := s.Exists(ctx, znode.TopicPath("x"), false); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("a dry run wrote: %v", err)
	}
	// Unknown brokers are allowed by hand, as in Kafka.
	f("by hand", admin.NewTopic{Name: "x", Assignment: map[int32][]int32{0: {9, 8}}}, wire.CodeNone, "")
	if err := a.DeleteTopic(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	f("dying", admin.NewTopic{Name: "x", Partitions: 1, Factor: 1}, wire.CodeTopicAlreadyExists, "marked for deletion")
	want(t, "delete twice", a.DeleteTopic(ctx, "x"), wire.CodeNone, "")
	want(t, "delete nothing", a.DeleteTopic(ctx, "nope"), wire.CodeUnknownTopicOrPartition, "does not exist")
}

func TestCreatePartitions(t *testing.T) {
	a, s := open(t)
	ctx := t.Context()
	made, err := a.CreateTopic(ctx, admin.NewTopic{Name: "t", Assignment: map[int32][]int32{0: {2, 3}, 1: {3, 1}}}, three)
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, m admin.MorePartitions, code wire.Code, words string) map[int32][]int32 {
		t.Helper()
		m.Topic = "t"
		all, err := a.CreatePartitions(ctx, m, three)
		want(t, what, err, code, words)
		return all
	}
	f("fewer", admin.MorePartitions{Count: 1}, wire.CodeInvalidPartitions, "higher than the requested 1")
	f("as many", admin.MorePartitions{Count: 2}, wire.CodeInvalidPartitions, "already has 2")
	f("too many", admin.MorePartitions{Count: 101}, wire.CodeInvalidPartitions, "allowed")
	f("unknown broker", admin.MorePartitions{Count: 3, Assignment: [][]int32{{9, 1}}}, wire.CodeInvalidReplicaAssignment, "Unknown broker")
	f("too few", admin.MorePartitions{Count: 4, Assignment: [][]int32{{1, 2}}}, wire.CodeInvalidReplicaAssignment, "by 2 but 1 assignments")
	f("empty", admin.MorePartitions{Count: 3, Assignment: [][]int32{{}}}, wire.CodeInvalidReplicaAssignment, "factor of 0")
	f("twice", admin.MorePartitions{Count: 3, Assignment: [][]int32{{1, 1}}}, wire.CodeInvalidReplicaAssignment,
		"Duplicate brokers not allowed in replica assignment: 1, 1 for partition id 2.")
	f("factor", admin.MorePartitions{Count: 3, Assignment: [][]int32{{1}}}, wire.CodeInvalidReplicaAssignment, "Inconsistent")
	if all := f("dry run", admin.MorePartitions{Count: 3, ValidateOnly: true}, wire.CodeNone, ""); len(all) != 3 {
		t.Errorf("dry run: %v", all)
	}
	f("by hand", admin.MorePartitions{Count: 3, Assignment: [][]int32{{1, 3}}}, wire.CodeNone, "")
	// Spreading begins at the first broker not below the leader of partition 0.
	if all := f("spread", admin.MorePartitions{Count: 5}, wire.CodeNone, ""); !slices.Equal(all[3], []int32{2, 3}) || len(all[4]) != 2 {
		t.Errorf("spread: %v", all)
	}
	data, _, _ := s.Get(ctx, znode.TopicPath("t"), false)
	n, err := znode.DecodeTopic("", data)
	if err != nil || n.ID != made.ID || n.Version != 3 || len(n.Partitions) != 5 {
		t.Errorf("node %s, %v", data, err)
	}
	n.Partitions[0] = znode.Replicas{Replicas: []int32{1, 2, 3}, Adding: []int32{1}}
	put(t, s, znode.TopicPath("t"), n.Encode())
	f("reassigning", admin.MorePartitions{Count: 9}, wire.CodeReassignmentInProgress, "in progress")
	if err := a.DeleteTopic(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	f("dying", admin.MorePartitions{Count: 9}, wire.CodeInvalidTopicException, "The topic is queued for deletion.")
	_, err = a.CreatePartitions(ctx, admin.MorePartitions{Topic: "nope", Count: 9}, three)
	want(t, "unknown", err, wire.CodeUnknownTopicOrPartition, "does not exist")
}

func TestConfigs(t *testing.T) {
	a, s := open(t)
	ctx := t.Context()
	changes := func() (out []string) {
		kids, _, err := s.Children(ctx, znode.ConfigChangesPath, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range slices.Sorted(slices.Values(kids)) {
			data, _, _ := s.Get(ctx, znode.ConfigChangesPath+"/"+k, false)
			e, err := znode.DecodeConfigChange("", data)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e.Path())
		}
		return out
	}
	user := znode.Entity{User: znode.Named("al ice")}
	both := znode.Entity{User: znode.Named("al ice"), Client: znode.Named("c")}
	topic := znode.Entity{Topic: znode.Named("t")}
	set := func(e znode.Entity, c map[string]string) {
		t.Helper()
		if err := a.SetConfig(ctx, e, c); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Config(ctx, e); err != nil || !maps.Equal(got, c) {
			t.Errorf("%s: %v, %v, want %v", e.Path(), got, err, c)
		}
	}
	none := map[string]string{}
	set(topic, map[string]string{"a": "b"})
	set(topic, map[string]string{"c": "d"})
	set(topic, none)
	set(both, map[string]string{"x": "1"})
	set(user, map[string]string{"y": "2"})
	set(user, none) // stays, for it has children
	has := func(path string) bool { _, err := s.Exists(ctx, path, false); return err == nil }
	if !has(znode.EntityConfigPath(user)) || !has(znode.EntityConfigPath(topic)) {
		t.Error("a node is gone that should stay")
	}
	set(both, none) // goes, and the empty user with it
	if has(znode.EntityConfigPath(user)) {
		t.Error("the empty user stayed")
	}
	set(user, none)
	wantChanges := []string{"topics/t", "topics/t", "topics/t", "users/al%20ice/clients/c", "users/al%20ice", "users/al%20ice", "users/al%20ice/clients/c", "users/al%20ice"}
	if got := changes(); !slices.Equal(got, wantChanges) {
		t.Errorf("notifications %v", got)
	}
	if _, err := s.Exists(ctx, znode.ConfigTypePath(znode.Users), false); err != nil {
		t.Errorf("the parent of users is gone: %v", err)
	}
	put(t, s, znode.ControllerPath, znode.Controller{BrokerID: 3000, KRaftEpoch: 4}.Encode())
	want(t, "after a migration", a.SetConfig(ctx, topic, none), wire.CodeNotController, "KRaft")
	if err := s.Delete(ctx, znode.ControllerPath, -1); err != nil {
		t.Fatal(err)
	}
	want(t, "without a controller", a.SetConfig(ctx, topic, none), wire.CodeNotController, "no controller")
}
