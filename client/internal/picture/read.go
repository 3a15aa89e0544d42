package picture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// maxNode bounds what is decoded, in bytes: what Kafka's own clients accept.
const maxNode = zk.MaxReply

// kind is what a job reads.
type kind uint8

const (
	readIDs    kind = iota // the children of /brokers/ids
	readBroker             // the registration of broker number
	readTopic              // the assignment of topic
	readState              // the state of partition number of topic
)

// job is one node to read, and to watch from then on.
type job struct {
	kind   kind
	topic  string
	number int32
}

// jobOf returns the job for a path that a watch fired on.
func jobOf(path string) job {
	if path == znode.BrokerIDsPath {
		return job{kind: readIDs}
	}
	switch n := znode.ParsePath(path); n.Kind {
	case znode.BrokerNode:
		return job{kind: readBroker, number: n.Broker}
	case znode.TopicNode:
		return job{kind: readTopic, topic: n.Topic}
	case znode.StateNode:
		return job{kind: readState, topic: n.Topic, number: n.Partition}
	}
	must.Bug("a watch on %s", path)
	return job{}
}

func (j job) path() string {
	switch j.kind {
	case readIDs:
		return znode.BrokerIDsPath
	case readBroker:
		return znode.BrokerPath(j.number)
	case readTopic:
		return znode.TopicPath(j.topic)
	default:
		return znode.StatePath(j.topic, j.number)
	}
}

func (j job) request() zk.Request {
	if j.kind == readIDs {
		return &zk.GetChildren2Request{Path: j.path(), Watch: true}
	}
	return &zk.GetDataRequest{Path: j.path(), Watch: true}
}

// work is what is to be read, each node once.
type work struct {
	jobs map[job]bool
}

func newWork() work { return work{jobs: map[job]bool{}} }

func (w *work) add(j job) { w.jobs[j] = true }

// drop forgets the jobs of a topic.
func (w *work) drop(topic string) {
	for j := range w.jobs {
		if j.topic == topic {
			delete(w.jobs, j)
		}
	}
}

// take returns all jobs, in an order that is always the same.
func (w *work) take() []job {
	out := make([]job, 0, len(w.jobs))
	for j := range w.jobs {
		out = append(out, j)
	}
	clear(w.jobs)
	slices.SortFunc(out, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.topic, b.topic), cmp.Compare(a.number, b.number))
	})
	return out
}

// read reads until nothing is left to read: what one node says leads to others.
// It reports false when the session ended before; the next one starts over.
func (p *Picture) read(ctx context.Context) bool {
	for len(p.todo.jobs) > 0 {
		jobs := p.todo.take()
		reqs := make([]zk.Request, len(jobs))
		for i, j := range jobs {
			reqs[i] = j.request()
			p.sub.Watch(j.path())
		}
		var missing []job
		for i, r := range p.session.DoRetry(ctx, reqs) {
			switch {
			case errors.Is(r.Err, zk.ErrNoNode):
				missing = append(missing, jobs[i])
			case !p.apply(ctx, jobs[i], r):
				p.session = nil
			}
		}
		if p.session == nil || !p.await(ctx, missing) {
			for _, j := range jobs {
				p.todo.add(j)
			}
			return false
		}
	}
	return true
}

// await sets watches on nodes that are not there. A registration needs none: the
// list of brokers tells when it comes.
func (p *Picture) await(ctx context.Context, missing []job) bool {
	var reqs []zk.Request
	for _, j := range missing {
		reqs = append(reqs, &zk.ExistsRequest{Path: j.path(), Watch: j.kind != readBroker})
	}
	if len(reqs) == 0 {
		return true
	}
	for i, r := range p.session.DoRetry(ctx, reqs) {
		j := missing[i]
		switch {
		case errors.Is(r.Err, zk.ErrNoNode):
			p.gone(j)
		case r.Err == nil:
			p.todo.add(j) // it has come since
		case !p.refused(ctx, j, r.Err):
			p.session = nil
			return false
		}
	}
	return true
}

// refused takes in an error about a node; it reports false for those that mean
// that the session is of no more use.
func (p *Picture) refused(ctx context.Context, j job, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	for _, end := range []error{zk.ErrSessionExpired, zk.ErrConnectionLoss, zk.ErrAuthFailed, session.ErrClosed, session.ErrOverflow} {
		if errors.Is(err, end) {
			return false
		}
	}
	p.broken(j, fmt.Errorf("read %s: %w", j.path(), err))
	p.later = append(p.later, j)
	p.retry.Reset(retryAfter)
	return true
}

// apply takes in the answer to a job; it reports false when the session ended.
func (p *Picture) apply(ctx context.Context, j job, r session.Response) bool {
	if r.Err != nil {
		return p.refused(ctx, j, r.Err)
	}
	var err error
	switch body := r.Body.(type) {
	case *zk.GetChildren2Response:
		err = p.children(j, body.Children)
	case *zk.GetDataResponse:
		if len(body.Data) > maxNode {
			err = &znode.Error{Path: j.path(), Rule: fmt.Sprintf("%d bytes, more than %d", len(body.Data), maxNode)}
			break
		}
		err = p.data(j, body)
	}
	p.broken(j, err)
	return true
}

// broken notes what is wrong with a node, nil for nothing. What it said before
// stays.
func (p *Picture) broken(j job, err error) {
	if err != nil && p.next.faults[j.path()] == nil {
		p.log.LogAttrs(context.Background(), slog.LevelWarn, "znode cannot be read", slog.Any("error", err))
	}
	p.next.fault(j.path(), err)
	if t := p.next.topic(j.topic); t != nil && j.kind == readTopic {
		t.Err = err
	} else if t != nil && j.kind == readState && int(j.number) < len(t.Partitions) {
		t.Partitions[j.number].Err = err
	}
}

// children takes in the names below /brokers/ids.
func (p *Picture) children(j job, names []string) error {
	var err error
	here := map[int32]bool{}
	for _, name := range names {
		id, bad := strconv.ParseInt(name, 10, 32)
		if bad != nil || id < 0 {
			err = &znode.Error{Path: j.path(), Rule: fmt.Sprintf("child %q is no broker id", name)}
			continue
		}
		here[int32(id)] = true
		if p.next.brokers[int32(id)] == nil {
			p.todo.add(job{kind: readBroker, number: int32(id)})
		}
	}
	for id := range p.next.brokers {
		if !here[id] {
			p.gone(job{kind: readBroker, number: id})
		}
	}
	return err
}

// data takes in a node's content.
func (p *Picture) data(j job, body *zk.GetDataResponse) error {
	switch j.kind {
	case readBroker:
		b, err := znode.DecodeBroker(j.path(), body.Data)
		if err == nil {
			p.next.broker(&Broker{ID: j.number, Endpoints: b.Endpoints})
		}
		return err
	case readTopic:
		return p.assignment(j, body)
	default:
		s, err := znode.DecodePartitionState(j.path(), body.Data)
		t := p.next.topic(j.topic)
		if err == nil && t != nil && int(j.number) < len(t.Partitions) {
			part := &t.Partitions[j.number]
			part.Leader, part.LeaderEpoch, part.ISR = s.Leader, s.LeaderEpoch, s.ISR
		}
		return err
	}
}

// assignment takes in a topic's partitions and has the states of new ones read.
func (p *Picture) assignment(j job, body *zk.GetDataResponse) error {
	t := p.next.topic(j.topic)
	if t == nil {
		return nil
	}
	if t.Exists && t.Created != body.Stat.Czxid {
		p.cut(t, 0)
		t.Partitions = nil
	}
	t.Exists, t.Created = true, body.Stat.Czxid
	a, err := znode.DecodeTopic(j.path(), body.Data)
	if err != nil {
		return err
	}
	if err := Whole(j.path(), a); err != nil {
		return err
	}
	n := len(a.Partitions)
	for i := range n {
		if _, ok := a.Partitions[int32(i)]; !ok {
			return &znode.Error{Path: j.path(), Rule: fmt.Sprintf("%d partitions, but none has number %d", n, i)}
		}
	}
	if n < len(t.Partitions) {
		p.cut(t, n)
		t.Partitions = t.Partitions[:n]
	}
	for i := range t.Partitions {
		t.Partitions[i].Replicas = a.Partitions[int32(i)].Replicas
	}
	for i := len(t.Partitions); i < n; i++ {
		t.Partitions = append(t.Partitions, Partition{Number: int32(i), Replicas: a.Partitions[int32(i)].Replicas, Leader: -1, LeaderEpoch: -1})
		p.todo.add(job{kind: readState, topic: j.topic, number: int32(i)})
	}
	return nil
}

// Whole refuses what no topic is: one without partitions, and one with a partition
// that no broker holds. Whatever else Kafka's brokers put up with is taken too.
func Whole(path string, t znode.Topic) error {
	if len(t.Partitions) == 0 {
		return &znode.Error{Path: path, Rule: "no partitions"}
	}
	for _, number := range slices.Sorted(maps.Keys(t.Partitions)) {
		if len(t.Partitions[number].Replicas) == 0 {
			return &znode.Error{Path: path, Rule: fmt.Sprintf("partition %d has no replicas", number)}
		}
	}
	return nil
}

// gone takes in that a node does not exist.
func (p *Picture) gone(j job) {
	p.broken(j, nil)
	t := p.next.topic(j.topic)
	switch j.kind {
	case readBroker:
		delete(p.next.brokers, j.number)
		p.sub.Unwatch(j.path())
	case readIDs:
		clear(p.next.brokers)
	case readTopic:
		if t != nil {
			p.cut(t, 0)
			t.Exists, t.Created, t.Partitions = false, 0, nil
		}
	case readState:
		if t != nil && int(j.number) < len(t.Partitions) {
			part := &t.Partitions[j.number]
			part.Leader, part.LeaderEpoch, part.ISR = -1, -1, nil
		}
	}
}
