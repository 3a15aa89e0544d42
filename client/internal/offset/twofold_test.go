package offset_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/offset"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// inKeeper tells a story in the session of a keeper in virtual time.
func inKeeper(t *testing.T, story func(*testing.T, *session.Session)) {
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		e.FS = memfs.New(1<<30, time.Now)
		k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Stop(context.Background()) })
		conn, err := coord.Dial(t.Context(), "keeper", coord.Config{Dialer: k.Pipe}, e)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		s, err := conn.Session()
		if err != nil {
			t.Fatal(err)
		}
		story(t, s)
	})
}

// put writes a node of the group's offsets.
func put(t *testing.T, s *session.Session, name, data string) {
	t.Helper()
	path := znode.OffsetsPath("g", "t") + "/" + name
	if _, err := s.Set(t.Context(), path, []byte(data), -1); err == nil {
		return
	}
	if _, _, err := s.CreateRecursive(t.Context(), path, []byte(data), func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent); err != nil {
		t.Fatal(err)
	}
}

func TestTwoNames(t *testing.T) {
	inKeeper(t, func(t *testing.T, s *session.Session) {
		p := func(n int32) offset.Partition { return offset.Partition{Topic: "t", Partition: n} }
		both := offset.ZooKeeper(s, "g", map[offset.Partition]string{p(0): "3-0", p(1): "3-1", p(2): "3-2"})
		modern := offset.ZooKeeper(s, "g", nil)
		find := func(of offset.Store, want ...int64) {
			t.Helper()
			got, err := of.Find(t.Context(), []offset.Partition{p(0), p(1), p(2)})
			if err != nil || !maps.Equal(got, map[offset.Partition]int64{p(0): want[0], p(1): want[1], p(2): want[2]}) {
				t.Errorf("found %v, %v, want %v", got, err, want)
			}
		}
		commit := func(of offset.Store, to map[offset.Partition]int64) {
			t.Helper()
			if err := of.Commit(t.Context(), to); err != nil {
				t.Error(err)
			}
		}
		find(both, -1, -1, -1)
		// Either form will do, whichever broker it names, and the newest counts, be
		// it less.
		put(t, s, "9-0", "7")
		put(t, s, "1", "50")
		put(t, s, "9-1", "40")
		put(t, s, "9-2", "40")
		put(t, s, "2", "30")
		put(t, s, "5", "1") // of no interest
		put(t, s, "rubbish", "x")
		find(both, 7, 40, 30)
		find(modern, -1, 50, 30)
		// All are written under both.
		commit(both, map[offset.Partition]int64{p(0): 8, p(1): 41, p(2): 31})
		find(modern, 8, 41, 31)
		find(both, 8, 41, 31)
		names, _, err := s.Children(t.Context(), znode.OffsetsPath("g", "t"), false)
		if slices.Sort(names); err != nil || strings.Join(names, " ") != "0 1 2 3-0 3-1 3-2 5 9-0 9-1 9-2 rubbish" {
			t.Errorf("nodes %v, %v", names, err)
		}
		// The partition moved to another broker.
		moved := offset.ZooKeeper(s, "g", map[offset.Partition]string{p(0): "4-0"})
		find(moved, 8, 41, 31)
		commit(moved, map[offset.Partition]int64{p(0): 9, p(1): 42})
		find(both, 9, 42, 31)
		// Members without old names, and tools, are heard.
		commit(modern, map[offset.Partition]int64{p(0): 2})
		find(both, 2, 42, 31)
		put(t, s, "3-2", "many")
		if _, err := both.Find(t.Context(), []offset.Partition{p(2)}); err == nil || !strings.Contains(err.Error(), "/3-2") {
			t.Errorf("error %v", err)
		}
	})
}
