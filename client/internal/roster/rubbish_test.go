package roster_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/roster"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// put writes a node, whoever made it.
func (h *hall) put(path, data string) {
	h.t.Helper()
	if _, err := h.zk.Set(h.ctx, path, []byte(data), -1); err == nil {
		return
	}
	if _, _, err := h.zk.CreateRecursive(h.ctx, path, []byte(data), func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent); err != nil {
		h.t.Fatal(err)
	}
}

// filter makes a member one that reads what a filter finds, and registers it.
func (h *hall) filter(r *roster.Roster) {
	h.t.Helper()
	r.Subscription = znode.Consumer{Pattern: znode.WhiteListPattern, Streams: map[string]int32{".*": 1}}
	if err := r.Register(h.ctx, h.sa, time.UnixMilli(1)); err != nil {
		h.t.Fatal(err)
	}
}

// Registrations that cannot be applied are named by their paths. One of a version to
// come is read as what it says, as 0.8.2 does.
func TestRegistrationsOfOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.filter(h.a)
		path := znode.ConsumerIDPath("g", "g_x")
		for data, want := range map[string]string{
			`{"version":1,"subscription":{"(":1},"pattern":"white_list","timestamp":"1"}`:      `topic filter "("`,
			`{"version":1,"subscription":{"t":1000000000},"pattern":"static","timestamp":"1"}`: "1000000000 streams",
			`garbage`: "",
		} {
			h.put(path, data)
			if seen := h.a.Read(h.ctx, h.sa, nil); seen.Err == nil || !strings.Contains(seen.Err.Error(), "znode "+path) || !strings.Contains(seen.Err.Error(), want) {
				t.Errorf("%s: %v", data, seen.Err)
			}
		}
		h.put(path, `{"version":9,"subscription":{"t":2},"pattern":"static","timestamp":"1"}`)
		if seen := h.a.Read(h.ctx, h.sa, nil); seen.Err != nil || len(seen.Group.Members) != 2 || seen.Group.Members[1].Streams["t"] != 2 {
			t.Errorf("%+v", seen)
		}
	})
}

// Topics that cannot be read, or not by this member, keep nobody from those that a
// filter found beside them; who named them is told.
func TestTopicsThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.filter(h.a)
		h.put(znode.TopicPath("t"), `{"version":99,"partitions":{"0":[1],"1":[2]}}`) // versions to come are read too, as Kafka does
		h.put(znode.TopicPath("twice"), `{"partitions":{"0":[1,1]}}`)                // and so is this
		bad := map[string]string{"rubbish": "[]", "none": `{"version":1}`, "empty": `{"partitions":{}}`, "nobody": `{"partitions":{"0":[]}}`}
		for topic, data := range bad {
			h.put(znode.TopicPath(topic), data)
		}
		denied := znode.TopicPath("denied")
		h.put(denied, `{"partitions":{"0":[1]}}`)
		if _, err := h.zk.SetACL(h.ctx, denied, []zk.ACL{{Perms: zk.PermWrite | zk.PermAdmin, Scheme: zk.SchemeWorld, ID: zk.AnyoneID}}, -1); err != nil {
			t.Fatal(err)
		}
		seen := h.a.Read(h.ctx, h.sa, nil)
		if seen.Err != nil || len(seen.Faults) != 5 || len(seen.Group.Partitions) != 2 || len(seen.Group.Partitions["t"]) != 2 || len(seen.Group.Partitions["twice"]) != 1 {
			t.Fatalf("%+v", seen)
		}
		for topic := range bad {
			if !slices.ContainsFunc(seen.Faults, func(err error) bool { return strings.Contains(err.Error(), znode.TopicPath(topic)) }) {
				t.Errorf("nothing names %s: %v", topic, seen.Faults)
			}
		}
		if !slices.ContainsFunc(seen.Faults, func(err error) bool { return errors.Is(err, zk.ErrNoAuth) && strings.Contains(err.Error(), denied) }) {
			t.Errorf("nothing names what is denied: %v", seen.Faults)
		}
		// What is put right is heard of.
		if _, _, err := h.a.Watch.Take(); err != nil {
			t.Fatal(err)
		}
		h.put(znode.TopicPath("none"), `{"partitions":{"0":[1]}}`)
		synctest.Wait()
		if news, _, err := h.a.Watch.Take(); err != nil || !slices.Equal(news.Paths, []string{znode.TopicPath("none")}) {
			t.Errorf("news %+v, %v", news, err)
		}

		if err := h.b.Register(h.ctx, h.sb, time.UnixMilli(1)); err != nil { // of the topic t
			t.Fatal(err)
		}
		h.put(znode.TopicPath("t"), "[]")
		if seen := h.b.Read(h.ctx, h.sb, nil); seen.Err == nil || !strings.Contains(seen.Err.Error(), "znode "+znode.TopicPath("t")) {
			t.Errorf("%+v", seen)
		}
	})
}

// Whoever stands in the way is named, by the node and by what it says.
func TestWhoStandsInTheWay(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		path := znode.OwnerPath("g", "t", 0)
		h.put(path, strings.Repeat("garbage ", 20))
		got := h.a.Claim(h.ctx, h.sa, claims("g_a-0", 0, 1))
		if len(got.Taken) != 1 || !strings.Contains(got.Taken[0].Why, path+` holds "garbage `) || len(got.Taken[0].Why) > 200 || !strings.Contains(got.Taken[0].Why, "no session's") {
			t.Errorf("%+v", got)
		}
		if got := h.b.Claim(h.ctx, h.sb, claims("g_b-0", 1)); len(got.Taken) != 1 || !strings.Contains(got.Taken[0].Why, znode.OwnerPath("g", "t", 1)+` is owned by "g_a-0"`) {
			t.Errorf("%+v", got)
		}
	})
}

// A member hears of it when somebody deletes one of its owner nodes, and knows which.
func TestOwnNodesAreLookedAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		named := claims("g_a-0", 0, 1)
		named[1].Alias = "3-1"
		if got := h.a.Claim(h.ctx, h.sa, named); len(got.Made) != 2 || got.Err != nil {
			t.Fatalf("%+v", got)
		}
		owned := got(named)
		if _, _, err := h.a.Watch.Take(); err != nil {
			t.Fatal(err)
		}
		gone := func(path string, want assign.TopicPartition) {
			t.Helper()
			if err := h.zk.Delete(h.ctx, path, -1); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			news, _, err := h.a.Watch.Take()
			if p, ok := h.a.Freed(path); err != nil || !slices.Equal(news.Paths, []string{path}) || !ok || p != want {
				t.Errorf("news %+v, %v", news, err)
			}
			if seen := h.a.Read(h.ctx, h.sa, owned); seen.Err != nil || !slices.Equal(seen.Gone, []assign.TopicPartition{want}) {
				t.Errorf("%+v", seen)
			}
			if got := h.a.Claim(h.ctx, h.sa, named); len(got.Made) != 2 || got.Err != nil { // once more
				t.Fatalf("%+v", got)
			}
			synctest.Wait()
			if _, _, err := h.a.Watch.Take(); err != nil { // that the node is there again
				t.Fatal(err)
			}
		}
		gone(znode.OwnerPath("g", "t", 0), owned[0])
		gone(znode.OwnersPath("g", "t")+"/3-1", owned[1])
		// Somebody else's in its place is as bad as none.
		if err := h.zk.Delete(h.ctx, znode.OwnerPath("g", "t", 0), -1); err != nil {
			t.Fatal(err)
		}
		h.put(znode.OwnerPath("g", "t", 0), "g_a-0")
		if seen := h.a.Read(h.ctx, h.sa, owned); seen.Err != nil || !slices.Equal(seen.Gone, owned[:1]) {
			t.Errorf("%+v", seen)
		}
	})
}

func got(claims []assign.Claim) []assign.TopicPartition {
	var out []assign.TopicPartition
	for _, c := range claims {
		out = append(out, c.TopicPartition)
	}
	return out
}

// The node of the alias goes before that of the number: the next owner must not
// find it.
func TestTheAliasGoesFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		named := claims("g_a-0", 0)
		named[0].Alias = "3-0"
		if got := h.a.Claim(h.ctx, h.sa, named); len(got.Made) != 1 || got.Err != nil {
			t.Fatalf("%+v", got)
		}
		number, alias := znode.OwnerPath("g", "t", 0), znode.OwnersPath("g", "t")+"/3-0"
		h.b.Watch.Watch(number, alias)
		for _, path := range []string{number, alias} {
			if _, err := h.sb.Exists(h.ctx, path, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.a.Release(h.ctx, h.sa, got(named)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if news, _, err := h.b.Watch.Take(); err != nil || !slices.Equal(news.Paths, []string{alias, number}) {
			t.Errorf("they went as %v, %v", news.Paths, err)
		}
	})
}
