package fetch

import (
	"iter"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/client/internal/picture"
)

// request is a partition as it is asked for, outside the lock.
type request struct {
	p      *part
	offset int64
	epoch  int32
}

// turn is what to ask a broker for, once.
type turn struct {
	requests []request
	// unknown says that offsets are to be found, not records to be read.
	unknown bool
	// wait is how long the broker may wait for records: until it is to be asked for
	// a partition that rests, and not at all while another has records to be taken.
	wait time.Duration
	// pause is how long to wait at most when there are no requests.
	pause time.Duration
}

// turn picks the partitions to ask a broker for: first those whose offset is to be
// found. While records wait to be taken there are none before quiet: the broker
// had nothing else.
func (f *Fetcher) turn(c *picture.Cluster, broker int32, quiet time.Time) turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Env.Clock.Now()
	t := turn{wait: f.cfg.MaxWait, pause: longBackoff}
	held := false
	for _, p := range f.mu.parts {
		if b := c.Leader(p.Topic, p.Partition); b == nil || b.ID != broker || p.busy {
			continue
		}
		if len(p.records) > 0 {
			held, t.wait = true, 0
			continue
		}
		if rest := p.retry.Sub(now); rest > 0 {
			t.wait, t.pause = min(t.wait, rest), min(t.pause, rest)
			continue
		}
		r := request{p, p.ask, c.Partition(p.Topic, p.Partition).LeaderEpoch}
		if r.offset < 0 && !t.unknown {
			t.unknown, t.requests = true, nil
		}
		if t.unknown == (r.offset < 0) {
			t.requests = append(t.requests, r)
		}
	}
	if rest := quiet.Sub(now); held && rest > 0 {
		t.requests, t.pause = nil, min(t.pause, rest)
	}
	for _, r := range t.requests {
		r.p.busy = true
	}
	return t
}

// topics returns the requests of a topic at a time.
func (t turn) topics() iter.Seq2[string, []request] {
	return func(yield func(string, []request) bool) {
		for left := t.requests; len(left) > 0; {
			topic := left[0].p.Topic
			n := slices.IndexFunc(left, func(r request) bool { return r.p.Topic != topic })
			if n < 0 {
				n = len(left)
			}
			if !yield(topic, left[:n]) {
				return
			}
			left = left[n:]
		}
	}
}

// pending are the requests of a turn that have no answer yet.
type pending map[assign.TopicPartition]request

func (t turn) pending() pending {
	left := make(pending, len(t.requests))
	for _, r := range t.requests {
		left[r.p.TopicPartition] = r
	}
	return left
}

// answer returns the request that an answer is for; ok is false if there is none,
// or none any more.
func (left pending) answer(topic string, partition int32) (r request, ok bool) {
	tp := assign.TopicPartition{Topic: topic, Partition: partition}
	r, ok = left[tp]
	delete(left, tp)
	return r, ok
}
