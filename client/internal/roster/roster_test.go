package roster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/client/internal/roster"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// hall is a keeper in virtual time with two members of one group.
type hall struct {
	t          *testing.T
	ctx        context.Context
	a, b       *roster.Roster
	connA      *coord.Conn
	sa, sb, zk *session.Session
}

func inBubble(t *testing.T, story func(*testing.T, *hall)) {
	synctest.Test(t, func(t *testing.T) {
		e := env.Real()
		e.FS = memfs.New(1<<30, time.Now)
		k, err := keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, e, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Stop(context.Background()) })
		h := &hall{t: t, ctx: t.Context()}
		enter := func(id string) (*roster.Roster, *coord.Conn, *session.Session) {
			conn, err := coord.Dial(t.Context(), "keeper", coord.Config{Dialer: k.Pipe}, e)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close(context.Background()) })
			s, err := conn.Session()
			if err != nil {
				t.Fatal(err)
			}
			sub := znode.Consumer{Pattern: znode.StaticPattern, Streams: map[string]int32{"t": 1}}
			return &roster.Roster{Group: "g", ID: id, Subscription: sub, Watch: conn.Subscribe()}, conn, s
		}
		h.a, h.connA, h.sa = enter("g_a")
		h.b, _, h.sb = enter("g_b")
		_, _, h.zk = enter("g_z")
		story(t, h)
	})
}

func claims(thread string, numbers ...int32) []assign.Claim {
	var out []assign.Claim
	for _, n := range numbers {
		out = append(out, assign.Claim{TopicPartition: assign.TopicPartition{Topic: "t", Partition: n}, Thread: thread})
	}
	return out
}

// claim claims and tells how it went, as "made 0 1 taken 2".
func (h *hall) claim(r *roster.Roster, s *session.Session, cs []assign.Claim) string {
	h.t.Helper()
	got := r.Claim(h.ctx, s, cs)
	if got.Err != nil {
		h.t.Fatal(got.Err)
	}
	var text strings.Builder
	text.WriteString("made")
	for _, p := range got.Made {
		text.WriteString(fmt.Sprint(" ", p.Partition))
	}
	text.WriteString(" taken")
	for _, p := range got.Taken {
		text.WriteString(fmt.Sprint(" ", p.Partition))
	}
	return text.String()
}

func TestClaimAndRelease(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		check := func(got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		check(h.claim(h.a, h.sa, claims("g_a-0", 0, 1)), "made 0 1 taken")
		check(h.claim(h.b, h.sb, claims("g_b-0", 1, 2)), "made 2 taken 1")
		check(h.claim(h.a, h.sa, claims("g_a-1", 0, 1)), "made 0 1 taken") // again, by another thread
		if data, _, err := h.zk.Get(h.ctx, znode.OwnerPath("g", "t", 1), false); err != nil || string(data) != "g_a-1" {
			t.Errorf("the owner is %s, %v", data, err)
		}
		// Nobody gives up what another owns.
		all := []assign.TopicPartition{{Topic: "t", Partition: 0}, {Topic: "t", Partition: 1}, {Topic: "t", Partition: 2}, {Topic: "t", Partition: 3}}
		if err := h.b.Release(h.ctx, h.sb, all); err != nil {
			t.Error(err)
		}
		names, _, err := h.zk.Children(h.ctx, znode.OwnersPath("g", "t"), false)
		if slices.Sort(names); err != nil || strings.Join(names, " ") != "0 1" {
			t.Errorf("left are %v, %v", names, err)
		}
		// The watch on what was taken tells when it is free.
		if err := h.a.Release(h.ctx, h.sa, all); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		news, ok, err := h.b.Watch.Take()
		if err != nil || !ok || len(news.Paths) != 1 {
			t.Fatalf("news %+v, %t, %v", news, ok, err)
		}
		if p, ok := h.b.Freed(news.Paths[0]); !ok || p != all[1] {
			t.Errorf("freed %v, %t", p, ok)
		}
	})
}

// What is not claimed again is of no interest any more.
func TestNextClaimForgets(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.claim(h.a, h.sa, claims("g_a-0", 0, 1))
		h.claim(h.b, h.sb, claims("g_b-0", 0, 1))
		h.claim(h.b, h.sb, claims("g_b-0", 1))
		all := []assign.TopicPartition{{Topic: "t", Partition: 0}, {Topic: "t", Partition: 1}}
		if err := h.a.Release(h.ctx, h.sa, all); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if news, _, err := h.b.Watch.Take(); err != nil || !slices.Equal(news.Paths, []string{znode.OwnerPath("g", "t", 1)}) {
			t.Errorf("news %+v, %v", news, err)
		}
	})
}

func TestRegisterAndRead(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		now := time.UnixMilli(1_700_000_000_000)
		if err := h.a.Register(h.ctx, h.sa, now); err != nil {
			t.Fatal(err)
		}
		if err := h.a.Register(h.ctx, h.sa, now); err != nil {
			t.Errorf("once more: %v", err)
		}
		if err := h.a.Register(h.ctx, h.sb, now); !errors.Is(err, member.ErrTaken) {
			t.Errorf("in another session: %v", err)
		}
		if err := h.b.Register(h.ctx, h.sb, now); err != nil {
			t.Fatal(err)
		}
		seen := h.a.Read(h.ctx, h.sa, nil)
		g := seen.Group
		if seen.Err != nil || seen.Brokers != 0 || len(g.Members) != 2 || g.Members[1].ID != "g_b" || g.Members[1].Streams["t"] != 1 || len(g.Partitions["t"]) != 0 {
			t.Errorf("%+v", seen)
		}
		if _, ok, err := h.a.Watch.Take(); !ok || err != nil { // of the session
			t.Error(ok, err)
		}
		if err := h.b.Unregister(h.ctx, h.sb); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if news, _, _ := h.a.Watch.Take(); !slices.Equal(news.Paths, []string{znode.ConsumerIDsPath("g")}) {
			t.Errorf("news %+v", news)
		}
	})
}

// Owners under two names: the number's node decides, that of the alias comes after
// it and goes before it, and both are this session's or nobody's.
func TestAliases(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		named := func(thread, broker string, numbers ...int32) []assign.Claim {
			out := claims(thread, numbers...)
			for i, c := range out {
				out[i].Alias = fmt.Sprintf("%s-%d", broker, c.Partition)
			}
			return out
		}
		has := func(want string) {
			t.Helper()
			names, _, err := h.zk.Children(h.ctx, znode.OwnersPath("g", "t"), false)
			if slices.Sort(names); err != nil || strings.Join(names, " ") != want {
				t.Errorf("the nodes are %v, want %q, %v", names, want, err)
			}
		}
		all := []assign.TopicPartition{{Topic: "t", Partition: 0}, {Topic: "t", Partition: 1}}
		if got := h.claim(h.a, h.sa, named("g_a-0", "3", 0)); got != "made 0 taken" {
			t.Error(got)
		}
		has("0 3-0")
		// Another that takes the partition for another broker's is kept out too.
		if got := h.claim(h.b, h.sb, named("g_b-0", "4", 0)); got != "made taken 0" {
			t.Error(got)
		}
		has("0 3-0")
		// The same member under another name, after it gave up the first.
		if err := h.a.Release(h.ctx, h.sa, all); err != nil {
			t.Error(err)
		}
		has("")
		if got := h.claim(h.a, h.sa, named("g_a-0", "4", 0)); got != "made 0 taken" {
			t.Error(got)
		}
		has("0 4-0")
		// Who made only the old name has the partition as well, and its end is told.
		foreign := znode.OwnersPath("g", "t") + "/4-1"
		if _, _, err := h.zk.Create(h.ctx, foreign, nil, zk.OpenACL(), zk.Persistent); err != nil {
			t.Fatal(err)
		}
		if got := h.claim(h.b, h.sb, named("g_b-0", "4", 1)); got != "made 1 taken 1" {
			t.Error(got)
		}
		if err := h.b.Release(h.ctx, h.sb, all); err != nil {
			t.Error(err)
		}
		has("0 4-0 4-1")
		if _, _, err := h.b.Watch.Take(); err != nil {
			t.Error(err)
		}
		if err := h.zk.Delete(h.ctx, foreign, -1); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		news, _, err := h.b.Watch.Take()
		if err != nil || !slices.Contains(news.Paths, foreign) {
			t.Errorf("news %+v, %v", news, err)
		}
		if p, ok := h.b.Freed(foreign); !ok || p != all[1] {
			t.Errorf("freed %v, %t", p, ok)
		}
	})
}

func TestPreferredReplicas(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		if err := h.a.Register(h.ctx, h.sa, time.UnixMilli(1)); err != nil {
			t.Fatal(err)
		}
		topic := znode.Topic{Version: 3, Partitions: map[int32]znode.Replicas{0: {Replicas: []int32{3, 1}}, 1: {Replicas: []int32{1, 3}}}}
		_, _, err := h.zk.CreateRecursive(h.ctx, znode.TopicPath("t"), topic.Encode(), func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
		if err != nil {
			t.Fatal(err)
		}
		if seen := h.a.Read(h.ctx, h.sa, nil); seen.Err != nil || seen.Group.Preferred != nil {
			t.Errorf("%+v", seen)
		}
		h.a.OldNames = true
		seen := h.a.Read(h.ctx, h.sa, nil)
		if seen.Err != nil {
			t.Fatal(seen.Err)
		}
		got, err := assign.OldNames(assign.Range)("g_a", seen.Group)
		if err != nil || len(got) != 2 || got[0].Alias != "3-0" || got[1].Alias != "1-1" || got[1].Thread != "g_a-0" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
