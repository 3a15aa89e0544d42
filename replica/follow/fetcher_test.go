package follow

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/wire"
)

// TestFetcherNumbers holds the choice of a fetcher against Java's.
func TestFetcherNumbers(t *testing.T) {
	f := func(topic string, index int32, n, want int) {
		t.Helper()
		if got := (Partition{topic, index}).fetcherNumber(n); got != want {
			t.Errorf("%s-%d of %d: %d, want %d", topic, index, n, got, want)
		}
	}
	f("t", 0, 7, 5)
	f("t", 1, 7, 6)
	f("__consumer_offsets", 49, 7, 6)
	f("orders.eu-1_x", 12, 7, 2)
	f("a-rather-long-topic-name", 3, 1, 0)
	// hashCode is 0, and 31*0 + the smallest number has no absolute value.
	f("", -1<<31, 3, 0)
}

// peer answers fetches by a function.
type peer struct {
	answer func(req *wire.FetchRequest, resp *wire.FetchResponse)
	frames int // bytes of memory that answers take
}

// Do implements Peer.
func (p *peer) Do(_ context.Context, call *rpc.Call) error {
	req, ok := call.Request.(*wire.FetchRequest)
	if !ok {
		return fmt.Errorf("%T is not answered", call.Request)
	}
	resp, ok := call.Response.(*wire.FetchResponse)
	if !ok {
		return fmt.Errorf("%T is not filled", call.Response)
	}
	resp.Reset()
	if cap(call.Buffer) < p.frames {
		call.Buffer = make([]byte, p.frames)
	}
	p.answer(req, resp)
	return nil
}

// Close implements Peer.
func (*peer) Close() error { return nil }

// still is a Replica that takes everything and keeps nothing.
type still struct {
	at    Position
	calls int
}

func (s *still) Position() (Position, error) { return s.at, nil }

func (s *still) Append(f Fetched) (Position, error) {
	s.calls++
	s.at.End += int64(len(f.Records))
	s.at.HighWatermark = s.at.End
	return s.at, nil
}

func (s *still) EpochEnd(int32) (int32, int64, error) { return -1, -1, nil }
func (s *still) Truncate(int64) (Position, error)     { return s.at, nil }
func (s *still) Restart(to int64) (Position, error)   { s.at.End = to; return s.at, nil }
func (s *still) Fail(error)                           {}

// byHand returns a fetcher without a goroutine, over partitions of one topic.
func byHand(t testing.TB, p *peer, partitions int) (*fetcher, []*still) {
	t.Helper()
	latest, err := config.ParseProtocolVersion("3.9")
	if err != nil {
		t.Fatal(err)
	}
	set := New(Config{
		BrokerID: 1, BrokerEpoch: func() int64 { return 1 }, Protocol: latest, MaxWait: time.Second, MinBytes: 1, Backoff: time.Hour,
		Address: func(int32) (string, error) { return "b:1", nil }, Dial: func(string, string) Peer { return p },
	}, env.Real(), slog.New(slog.DiscardHandler))
	f := newFetcher(t.Context(), set, source{2, 0})
	replicas := make([]*still, partitions)
	for i := range replicas {
		replicas[i] = &still{at: Position{Epoch: 1}}
		a := Assignment{Partition: Partition{"t", int32(i)}, TopicID: wire.UUID{1}, Leader: 2, LeaderEpoch: 1, Replica: replicas[i]}
		f.order(a.Partition, &assigned{Assignment: a})
	}
	f.obey()
	return f, replicas
}

// reply names partitions of an answer.
func reply(resp *wire.FetchResponse, session int32, size int, indexes ...int32) {
	resp.SessionID = session
	resp.Responses = []wire.FetchResponseFetchableTopicResponse{{TopicID: wire.UUID{1}}}
	for _, i := range indexes {
		d := wire.NewFetchResponsePartitionData()
		d.PartitionIndex, d.Records.Bytes = i, make([]byte, size)
		resp.Responses[0].Partitions = append(resp.Responses[0].Partitions, d)
	}
}

func TestWrongAnswers(t *testing.T) {
	f := func(what string, full, next []int32, words string) {
		t.Helper()
		var asked []string
		p := &peer{}
		p.answer = func(req *wire.FetchRequest, resp *wire.FetchResponse) {
			asked = append(asked, fmt.Sprintf("%d/%d", req.SessionID, req.SessionEpoch))
			switch len(asked) {
			case 1:
				reply(resp, 5, 0, full...)
			case 2:
				reply(resp, 5, 0, next...)
			default:
				reply(resp, 6, 0, 0, 1, 2)
			}
		}
		h, _ := byHand(t, p, 3)
		for range 3 {
			h.quiet = time.Time{}
			h.fetch()
		}
		if got := strings.Join(asked, " "); got != words {
			t.Errorf("%s: sessions %s, want %s", what, got, words)
		}
	}
	f("right", []int32{0, 1, 2}, nil, "0/0 5/1 5/2")
	f("one missing in a full answer", []int32{0, 2}, []int32{0, 1, 2}, "0/0 5/0 5/1")
	f("one twice", []int32{0, 1, 1}, []int32{0, 1, 2}, "0/0 0/0 5/1")
	f("one too many", []int32{0, 1, 2, 3}, []int32{0, 1, 2}, "0/0 0/0 5/1")
	f("one too many in the next", []int32{0, 1, 2}, []int32{3}, "0/0 5/1 5/0")
}

func TestWrongAnswersTouchNothing(t *testing.T) {
	p := &peer{answer: func(_ *wire.FetchRequest, resp *wire.FetchResponse) { reply(resp, 5, 10, 0, 1, 7) }}
	h, replicas := byHand(t, p, 2)
	h.fetch()
	if replicas[0].calls+replicas[1].calls != 0 {
		t.Error("records of an answer that does not fit were taken")
	}
	if wait, idle := h.idle(); !idle || wait <= 0 {
		t.Error("the source is asked again at once")
	}
}

// TestIdlePartitionsCostNothing counts: in a session, a round names and touches
// the partitions in which something happens, whatever else is followed.
func TestIdlePartitionsCostNothing(t *testing.T) {
	const idle, busy = 500, 10
	named := 0
	p := &peer{answer: busyAnswer(&named, idle+busy, busy)}
	h, replicas := byHand(t, p, idle+busy)
	h.fetch()
	if named != idle+busy {
		t.Fatalf("the full request names %d", named)
	}
	h.fetch() // all got something
	for _, r := range replicas {
		r.calls = 0
	}
	for range 10 {
		h.fetch()
		if named != busy {
			t.Fatalf("a request names %d partitions", named)
		}
	}
	for i, r := range replicas {
		if want := map[bool]int{true: 10}[i < busy]; r.calls != want {
			t.Fatalf("partition %d was touched %d times", i, r.calls)
		}
	}
	allocs := func(h *fetcher) float64 { return testing.AllocsPerRun(20, h.fetch) }
	alone, _ := byHand(t, &peer{answer: busyAnswer(&named, busy, busy)}, busy)
	alone.fetch()
	alone.fetch()
	if with, without := allocs(h), allocs(alone); with > without {
		t.Errorf("%v allocations a round with idle partitions, %v without", with, without)
	}
}

// busyAnswer answers the first request for all partitions, and later ones with
// 100 bytes for each of the first few.
func busyAnswer(named *int, all, busy int) func(*wire.FetchRequest, *wire.FetchResponse) {
	indexes := make([]int32, all)
	for i := range indexes {
		indexes[i] = int32(i)
	}
	return func(req *wire.FetchRequest, resp *wire.FetchResponse) {
		*named = 0
		for i := range req.Topics {
			*named += len(req.Topics[i].Partitions)
		}
		if req.SessionEpoch == 0 {
			reply(resp, 5, 100, indexes...)
			return
		}
		reply(resp, 5, 100, indexes[:busy]...)
	}
}

func TestBufferOfAnIdleFetcher(t *testing.T) {
	size := 100
	p := &peer{frames: 1 << 20, answer: func(_ *wire.FetchRequest, resp *wire.FetchResponse) { reply(resp, 5, size, 0) }}
	h, _ := byHand(t, p, 1)
	h.fetch()
	if cap(h.buffer) < 1<<20 {
		t.Error("a busy fetcher gave its buffer away")
	}
	size = 0
	h.fetch()
	if cap(h.buffer) > keepBuffer {
		t.Errorf("an idle fetcher holds %d bytes", cap(h.buffer))
	}
}

// slow is a Replica whose Append takes until it is let go; what else is asked of it
// meanwhile is counted.
type slow struct {
	still
	letGo   chan struct{}
	busy    atomic.Bool
	between atomic.Int32
}

// Position implements Replica.
func (s *slow) Position() (Position, error) {
	if s.busy.Load() {
		s.between.Add(1)
	}
	return Position{Epoch: 1}, nil
}

// Append implements Replica.
func (s *slow) Append(Fetched) (Position, error) {
	s.busy.Store(true)
	<-s.letGo
	s.busy.Store(false)
	return Position{Epoch: 1}, nil
}

// Partitions go to other fetchers in the same leader epoch, in which their Replicas
// refuse nothing: so the former fetchers end before others begin.
func TestResizeWaitsForWhoCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{answer: func(_ *wire.FetchRequest, resp *wire.FetchResponse) {
			time.Sleep(time.Second) // virtual
			reply(resp, 5, 10, 0)
		}}
		h, _ := byHand(t, p, 0)
		set, r := h.set, &slow{letGo: make(chan struct{})}
		set.Start(t.Context())
		set.Follow([]Assignment{{Partition: Partition{"t", 0}, TopicID: wire.UUID{1}, Leader: 2, LeaderEpoch: 1, Replica: r}})
		time.Sleep(2 * time.Second)
		if !r.busy.Load() {
			t.Fatal("nothing is copied")
		}
		resized := make(chan struct{})
		go func() {
			set.Resize(2)
			close(resized)
		}()
		synctest.Wait()
		select {
		case <-resized:
			t.Error("resized while a Replica was in use")
		default:
		}
		if n := r.between.Load(); n > 0 {
			t.Errorf("another fetcher called the Replica %d times meanwhile", n)
		}
		close(r.letGo)
		<-resized
		set.Stop()
	})
}

// BenchmarkRound is the follower's part of one fetch of 10 busy partitions,
// alone and beside 5,000 idle ones.
func BenchmarkRound(b *testing.B) {
	for _, idle := range []int{0, 5000} {
		b.Run(fmt.Sprintf("busy=10/idle=%d", idle), func(b *testing.B) {
			named := 0
			h, _ := byHand(b, &peer{answer: busyAnswer(&named, idle+10, 10)}, idle+10)
			h.fetch()
			h.fetch()
			b.ReportAllocs()
			for b.Loop() {
				h.obey()
				h.resume()
				h.truncateDue()
				h.throttle()
				h.fetch()
			}
		})
	}
}
