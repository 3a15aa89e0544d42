package client

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/member"
	"github.com/gregor-mq/gregor/client/internal/roster"
	"github.com/gregor-mq/gregor/znode"
)

// TestAnOldFreedLeavesTheNextWatch: an owner node went, another member made it
// anew, and a second claim met that before the end of the first was heard of. The
// end of the second is told all the same.
func TestAnOldFreedLeavesTheNextWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		ctx, owner := t.Context(), znode.OwnerPath("g", "t", 0)
		conn, err := coord.Dial(ctx, "keeper", coord.Config{Dialer: b.keeper.Pipe}, b.env)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		c := &GroupConsumer{conn: conn, sub: conn.Subscribe(), machine: member.New(member.Config{ID: "a"}), opts: consumerOptions{env: b.env}}
		c.roster = roster.Roster{Group: "g", ID: "a", Watch: c.sub}
		s, err := conn.Session()
		if err != nil {
			t.Fatal(err)
		}
		taken := func() {
			t.Helper()
			b.put(owner, nil) // by somebody else
			claims := []assign.Claim{{TopicPartition: assign.TopicPartition{Topic: "t"}, Thread: "a-0"}}
			if got := c.roster.Claim(ctx, s, claims); len(got.Made) != 0 || len(got.Taken) != 1 || got.Err != nil {
				t.Fatalf("%+v", got)
			}
		}
		freed := func() coord.News {
			t.Helper()
			if err := b.zk.Delete(ctx, owner, -1); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			news, _, err := c.sub.Take()
			if err != nil || !slices.Equal(news.Paths, []string{owner}) {
				t.Fatalf("news %+v, %v", news, err)
			}
			return news
		}
		if _, _, err := c.sub.Take(); err != nil { // of the session
			t.Fatal(err)
		}
		taken()
		old := freed()
		taken()
		c.heard(old)
		freed()
	})
}
