package picture_test

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

	"github.com/gregor-mq/gregor/client/internal/coord"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// world is a keeper in virtual time, somebody who writes to it, and a picture of it.
type world struct {
	t    *testing.T
	k    *keeper.Keeper
	e    env.Env
	zk   *session.Session
	conn *coord.Conn
	pic  *picture.Picture
}

func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, e: env.Real()}
		w.e.FS = memfs.New(1<<30, time.Now)
		var err error
		if w.k, err = keeper.Start(t.Context(), keeper.Config{DataDir: "/keeper"}, w.e, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.k.Stop(context.Background()) })
		if w.zk, err = session.Dial(t.Context(), session.Config{Dialer: w.k.Pipe}, w.e); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.zk.Close(context.Background()) })
		story(t, w)
	})
}

// look starts the picture.
func (w *world) look() {
	w.t.Helper()
	var err error
	if w.conn, err = coord.Dial(w.t.Context(), "keeper", coord.Config{Dialer: w.k.Pipe}, w.e); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.conn.Close(context.Background()) })
	if w.pic, err = picture.New(w.t.Context(), w.conn, nil, w.e); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.pic.Close)
}

// put creates or replaces a node.
func (w *world) put(path string, data []byte) {
	w.t.Helper()
	_, err := w.zk.Set(w.t.Context(), path, data, -1)
	if errors.Is(err, zk.ErrNoNode) {
		_, _, err = w.zk.CreateRecursive(w.t.Context(), path, data, func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drop(paths ...string) {
	w.t.Helper()
	for _, path := range paths {
		if err := w.zk.Delete(w.t.Context(), path, -1); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) broker(id int32, port int32) {
	w.t.Helper()
	w.put(znode.BrokerPath(id), znode.Broker{Version: 5, Endpoints: []znode.Endpoint{
		{Listener: "PLAIN", Protocol: "PLAINTEXT", Host: "b", Port: port},
		{Listener: "SAFE", Protocol: "SSL", Host: "b", Port: port + 1},
	}}.Encode())
}

// topic assigns as many partitions to brokers 1 and 2.
func (w *world) topic(name string, partitions int) {
	w.t.Helper()
	a := znode.Topic{Partitions: map[int32]znode.Replicas{}}
	for i := range partitions {
		a.Partitions[int32(i)] = znode.Replicas{Replicas: []int32{1, 2}}
	}
	w.put(znode.TopicPath(name), a.Encode())
}

func (w *world) leader(topic string, partition, leader, epoch int32) {
	w.t.Helper()
	w.put(znode.StatePath(topic, partition), znode.PartitionState{Leader: leader, LeaderEpoch: epoch, ISR: []int32{1, 2}}.Encode())
}

// sees waits until the picture reads as wanted.
func (w *world) sees(want string) *picture.Cluster {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
	defer cancel()
	c, err := w.pic.Wait(ctx, func(c *picture.Cluster) bool { return show(c) == want })
	if err != nil {
		w.t.Fatalf("%v\n got %s\nwant %s", err, show(w.pic.Load()), want)
	}
	return c
}

// show writes a picture in one line.
func show(c *picture.Cluster) string {
	var out []string
	for _, id := range slices.Sorted(maps(c.Brokers)) {
		addr, _ := c.Brokers[id].Addr("PLAINTEXT", "")
		out = append(out, fmt.Sprintf("%d@%s", id, addr))
	}
	for _, name := range slices.Sorted(maps(c.Topics)) {
		t := c.Topics[name]
		if !t.Exists {
			out = append(out, name+" missing")
			continue
		}
		text := name + ":"
		if t.Err != nil {
			text = name + " bad:"
		}
		for _, p := range t.Partitions {
			text += fmt.Sprintf(" %d/%d", p.Leader, p.LeaderEpoch)
			if p.Err != nil {
				text += "!"
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func maps[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestBrokersComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.look()
		w.sees("") // not even /brokers/ids
		w.broker(1, 100)
		w.sees("1@b:100")
		w.broker(2, 200)
		c := w.sees("1@b:100; 2@b:200")
		w.drop(znode.BrokerPath(1))
		w.sees("2@b:200")
		w.broker(1, 110)
		w.sees("1@b:110; 2@b:200")
		if addr, _ := c.Brokers[1].Addr("PLAINTEXT", ""); addr != "b:100" || len(c.Brokers) != 2 {
			t.Error("a picture that was handed out has changed")
		}
		b := c.Brokers[1]
		if addr, err := b.Addr("SSL", ""); err != nil || addr != "b:101" {
			t.Errorf("by protocol: %q %v", addr, err)
		}
		if addr, err := b.Addr("PLAINTEXT", "SAFE"); err != nil || addr != "b:101" {
			t.Errorf("by listener: %q %v", addr, err)
		}
		for _, ask := range [][2]string{{"SASL_SSL", ""}, {"PLAINTEXT", "NONE"}} {
			if _, err := b.Addr(ask[0], ask[1]); err == nil {
				t.Errorf("%v is found", ask)
			}
		}
	})
}

func TestTopics(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.topic("early", 1)
		w.leader("early", 0, 1, 5)
		w.topic("other", 1)
		w.look()
		w.sees("") // nobody asked
		w.pic.Ask("early", "late")
		w.sees("early: 1/5; late missing")
		w.topic("late", 2)
		w.sees("early: 1/5; late: -1/-1 -1/-1")
		w.leader("late", 1, 2, 0)
		w.sees("early: 1/5; late: -1/-1 2/0")
		w.leader("late", 0, 1, 0)
		w.leader("late", 1, 1, 1)
		w.sees("early: 1/5; late: 1/0 1/1")
		w.topic("late", 3)
		w.leader("late", 2, 2, 7)
		c := w.sees("early: 1/5; late: 1/0 1/1 2/7")
		if p := c.Partition("late", 2); p.Number != 2 || !slices.Equal(p.ISR, []int32{1, 2}) || !slices.Equal(p.Replicas, []int32{1, 2}) {
			t.Errorf("partition: %+v", p)
		}
		if c.Partition("late", 3) != nil || c.Partition("late", -1) != nil || c.Partition("none", 0) != nil || c.Leader("late", 0) != nil {
			t.Error("something is known that is not there")
		}
		w.broker(1, 100)
		if c = w.sees("1@b:100; early: 1/5; late: 1/0 1/1 2/7"); c.Leader("late", 0) == nil || c.Leader("late", 2) != nil {
			t.Error("leaders are not those registered")
		}
		w.pic.Drop("early")
		synctest.Wait() // it is not worth a picture of its own
		w.drop(znode.BrokerPath(1))
		w.sees("late: 1/0 1/1 2/7")
	})
}

// A topic that was deleted and made again is another one.
func TestATopicMadeAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.look()
		w.pic.Ask("t")
		w.topic("t", 1)
		w.leader("t", 0, 1, 9)
		first := w.sees("t: 1/9").Topics["t"]
		state := znode.StatePath("t", 0)
		w.drop(state, znode.PartitionPath("t", 0), znode.PartitionsPath("t"), znode.TopicPath("t"))
		w.sees("t missing")
		w.topic("t", 1)
		w.sees("t: -1/-1")
		w.leader("t", 0, 2, 0)
		if again := w.sees("t: 2/0").Topics["t"]; again.Created == first.Created {
			t.Error("it passes for the first one")
		}
	})
}

// What is no znode of Kafka's is named, and leaves the rest and what was known.
func TestRubbish(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.broker(1, 100)
		w.topic("t", 2)
		w.leader("t", 0, 1, 1)
		w.leader("t", 1, 1, 1)
		w.look()
		w.pic.Ask("t", "u", "..")
		w.sees("1@b:100; .. missing; t: 1/1 1/1; u missing")
		for path, data := range map[string]string{
			znode.BrokerPath(2):                "no JSON",
			znode.BrokerPath(1):                `{"version":1000}`,
			znode.BrokerIDsPath + "/what":      "",
			znode.StatePath("t", 1):            `{"version":1,"isr":[1]}`,
			znode.TopicPath("u"):               `{"version":1,"partitions":{"0":[1],"2000000000":[1]}}`,
			znode.TopicPath("t"):               `[]`,
			znode.TopicPath("unasked"):         `[]`,
			znode.StatePath("t", 7) + "/child": "1",
		} {
			w.put(path, []byte(data))
		}
		synctest.Wait() // faults of brokers do not show in the line
		c := w.sees("1@b:100; .. missing; t bad: 1/1 1/1!; u bad:")
		for _, path := range []string{znode.BrokerPath(1), znode.BrokerPath(2), znode.BrokerIDsPath, znode.StatePath("t", 1), znode.TopicPath("t"), znode.TopicPath("u")} {
			if err := c.Faults[path]; err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("fault of %s: %v", path, err)
			}
		}
		// One state is good again, the others are still told apart.
		w.leader("t", 1, 2, 2)
		w.leader("t", 0, 2, 2)
		w.sees("1@b:100; .. missing; t bad: 2/2 2/2; u bad:")
		w.topic("t", 2)
		w.topic("u", 1)
		w.drop(znode.BrokerIDsPath+"/what", znode.BrokerPath(2))
		w.broker(1, 101)
		synctest.Wait()
		if c = w.sees("1@b:101; .. missing; t: 2/2 2/2; u: -1/-1"); len(c.Faults) != 1 { // that of ".."
			t.Errorf("left over: %v", c.Faults)
		}
	})
}

// What is no assignment is named; what Kafka's brokers put up with is taken.
func TestAssignmentsOfOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.look()
		for data, want := range map[string]string{
			`{"version":1}`:                           "no partitions",
			`{"partitions":{}}`:                       "no partitions",
			`{"partitions":{"0":[]}}`:                 "partition 0 has no replicas",
			`{"version":99,"partitions":{"0":[1,1]}}`: "",
		} {
			w.put(znode.TopicPath("t"), []byte(data))
			w.pic.Ask("t")
			c, err := w.pic.Wait(t.Context(), func(c *picture.Cluster) bool { return c.Topics["t"] != nil })
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			got := w.pic.Load().Topics["t"].Err
			if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), znode.TopicPath("t"))) {
				t.Errorf("%s: %v, %+v", data, got, c.Topics["t"])
			}
			w.drop(znode.TopicPath("t"))
			w.pic.Drop("t")
			synctest.Wait()
		}
	})
}

// A session that ends takes its watches along; the next one reads everything.
func TestANewSessionReadsEverything(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.broker(1, 100)
		w.broker(2, 200)
		w.topic("t", 1)
		w.leader("t", 0, 1, 1)
		w.look()
		w.pic.Ask("t")
		w.sees("1@b:100; 2@b:200; t: 1/1")
		s, err := w.conn.Session()
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := session.CloseOther(t.Context(), session.Config{Dialer: w.k.Pipe}, w.e, s.ID(), s.Password()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		// All this happens while nobody watches.
		w.drop(znode.BrokerPath(1))
		w.broker(2, 210)
		w.broker(3, 300)
		w.leader("t", 0, 2, 2)
		w.sees("2@b:210; 3@b:300; t: 2/2")
		w.leader("t", 0, 3, 3)
		w.sees("2@b:210; 3@b:300; t: 3/3")
	})
}

func TestRefreshAndClose(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.topic("t", 1)
		w.leader("t", 0, 1, 1)
		w.look()
		w.pic.Ask("t")
		w.sees("t: 1/1")
		changed, stop := w.pic.Changes()
		w.pic.Refresh("t", 0)
		w.pic.Refresh("t", 1)
		w.pic.Refresh("none", 0)
		<-changed
		w.sees("t: 1/1")
		stop()
		w.conn.Close(t.Context())
		if _, err := w.pic.Wait(t.Context(), func(*picture.Cluster) bool { return false }); !errors.Is(err, picture.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		w.pic.Close()
		if show(w.pic.Load()) != "t: 1/1" {
			t.Error("the last picture is gone")
		}
	})
}
