package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/lane"
	"github.com/gregor-mq/gregor/client/internal/picture"
	"github.com/gregor-mq/gregor/znode"
)

// signpost is a guide to one partition, whose leader answers when it is let.
type signpost struct {
	ch chan struct{}
	// let is closed when the leader answers.
	let chan struct{}
	mu  struct {
		sync.Mutex
		view view
	}
}

func newSignpost() *signpost {
	s := &signpost{ch: make(chan struct{}, 1), let: make(chan struct{})}
	s.mu.view = view{numbers: []int32{0}, leaders: []lane.Leader{{ID: 1}}}
	return s
}

func (s *signpost) follow(string)            { s.ch <- struct{}{} }
func (s *signpost) look(string, int32)       {}
func (s *signpost) why(string, int32) error  { return nil }
func (s *signpost) changed() <-chan struct{} { return s.ch }
func (s *signpost) settle()                  {}

func (s *signpost) view(string) (view, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.view, true
}

// gone says that the topic was deleted.
func (s *signpost) gone() {
	s.mu.Lock()
	s.mu.view = view{err: ErrNoTopic}
	s.mu.Unlock()
	s.ch <- struct{}{}
}

func (s *signpost) request(ctx context.Context, _ int32, req kmsg.Request) (kmsg.Response, error) {
	select {
	case <-s.let:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	resp := kmsg.NewPtrProduceResponse()
	for _, t := range req.(*kmsg.ProduceRequest).Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		rt.Partitions = append(rt.Partitions, kmsg.NewProduceResponseTopicPartition())
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

func (s *signpost) close(context.Context) error { return nil }

// told are outcomes in their order.
type told struct {
	sync.Mutex
	text string
}

func (o *told) add(text string) {
	o.Lock()
	defer o.Unlock()
	o.text += text
}

func (o *told) now() string {
	o.Lock()
	defer o.Unlock()
	return o.text
}

// ordered tells a story of a producer of single records.
func ordered(t *testing.T, story func(*testing.T, *Producer, *signpost)) {
	synctest.Test(t, func(t *testing.T) {
		o, err := gatherProducer([]ProducerOption{Idempotent(false), BatchBytes(1)})
		if err != nil {
			t.Fatal(err)
		}
		s := newSignpost()
		p := startProducer(t.Context(), o, s)
		story(t, p, s)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Records behind one whose outcome is still being told wait for that.
func TestOutcomesAreToldInOrder(t *testing.T) {
	ordered(t, func(t *testing.T, p *Producer, s *signpost) {
		close(s.let)
		var out told
		slow := make(chan struct{})
		p.SendAsync(t.Context(), &Record{Topic: "t"}, func(*Record, error) { <-slow; out.add("1") })
		synctest.Wait()
		p.SendAsync(t.Context(), &Record{Topic: "t"}, func(*Record, error) { out.add("2") })
		time.Sleep(time.Second)
		if got := out.now(); got != "" {
			t.Errorf("told %s while the first waits", got)
		}
		close(slow)
		synctest.Wait()
		if got := out.now(); got != "12" {
			t.Errorf("told in the order %s", got)
		}
	})
}

// So they do when the topic is deleted while the first is on its way.
func TestATopicGoesWhileABatchIsAway(t *testing.T) {
	ordered(t, func(t *testing.T, p *Producer, s *signpost) {
		var out told
		send := func(name string) {
			p.SendAsync(t.Context(), &Record{Topic: "t"}, func(_ *Record, err error) {
				if out.add(name); errors.Is(err, ErrNoTopic) {
					out.add("!")
				}
			})
			synctest.Wait()
		}
		send("1")
		send("2")
		s.gone()
		synctest.Wait()
		if got := out.now(); got != "" {
			t.Errorf("told %s while the first is on its way", got)
		}
		close(s.let)
		synctest.Wait()
		if got := out.now(); got != "12!" {
			t.Errorf("told in the order %s", got)
		}
	})
}

// What stands between a producer and a leader is said in words.
func TestWhyNothingIsWritten(t *testing.T) {
	broken := errors.New("it is broken")
	listens := func(name string) []znode.Endpoint {
		return []znode.Endpoint{{Listener: name, Protocol: "PLAINTEXT", Host: "h", Port: 1}}
	}
	pic := func(brokers map[int32]*picture.Broker, p picture.Partition) *picture.Cluster {
		return &picture.Cluster{Brokers: brokers, Topics: map[string]*picture.Topic{"t": {Name: "t", Exists: true, Partitions: []picture.Partition{p}}}, Faults: map[string]error{}}
	}
	one := map[int32]*picture.Broker{1: {ID: 1, Endpoints: listens("NO")}, 2: {ID: 2, Endpoints: listens("YES")}}
	faulty := pic(one, picture.Partition{Leader: 3, Replicas: []int32{3}})
	faulty.Faults[znode.BrokerPath(3)] = broken
	unread := pic(one, picture.Partition{})
	unread.Topics, unread.Faults[znode.TopicPath("t")] = nil, broken
	for _, o := range []struct {
		c    *picture.Cluster
		want string
	}{
		{pic(one, picture.Partition{Leader: -1, Replicas: []int32{3, 4}}), "it has no leader, none of its replicas [3 4] is registered"},
		{pic(one, picture.Partition{Leader: -1, Replicas: []int32{1, 3}, ISR: []int32{3}}), "it has no leader, of its replicas [1 3] are registered [1], in sync were [3]"},
		{pic(one, picture.Partition{Leader: 3, Replicas: []int32{3, 1}, ISR: []int32{3}}), "its leader, broker 3, is not registered, of its replicas [3 1] are registered [1], in sync were [3]"},
		{pic(one, picture.Partition{Leader: 1, Replicas: []int32{1}}), "broker 1 has no listener YES"},
		{pic(one, picture.Partition{Leader: -1, Err: broken}), "it is broken"},
		{faulty, "it is broken"},
		{unread, "it is broken"},
		{&picture.Cluster{}, "zookeeper has not told of it"},
		{pic(one, picture.Partition{Leader: 2}), "<nil>"},
	} {
		if got := fmt.Sprint(obstacle(o.c, connection{listener: "YES"}, "t", 0)); got != o.want {
			t.Errorf("%s, want %s", got, o.want)
		}
	}
}
