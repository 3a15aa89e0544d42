package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica/follow"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

const me = 1

// heard is a Listener that writes down what it was told.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) BecameLeader(topic string, partition, epoch int32) {
	h.add("leads %s-%d since %d", topic, partition, epoch)
}

func (h *heard) Resigned(topic string, partition, epoch int32, deleted bool) {
	h.add("resigned %s-%d in %d deleted=%v", topic, partition, epoch, deleted)
}

func (h *heard) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.lines
	h.lines = nil
	return out
}

// stand is one broker's replicas over a disk in memory.
type stand struct {
	*Manager
	t     testing.TB
	env   env.Env
	fs    *memfs.FS
	dirs  []*storage.Dir
	cache *metadata.Cache
	heard *heard
	brain *brain
	topic storage.Config // what every topic is configured as
	min   int            // min.insync.replicas
	cfg   Config
	epoch int32
}

func newStand(t testing.TB, paths ...string) *stand {
	t.Helper()
	e := env.Real()
	fs := memfs.New(0, e.Clock.Now)
	e.FS = fs
	return openStand(t, e, fs, paths...)
}

// openStand opens directories and makes a manager over them; Load is the
// caller's.
func openStand(t testing.TB, e env.Env, fs *memfs.FS, paths ...string) *stand {
	t.Helper()
	if len(paths) == 0 {
		paths = []string{"/d1"}
	}
	s := &stand{t: t, env: e, fs: fs, cache: metadata.NewCache(), heard: &heard{}, brain: newBrain(), topic: storage.DefaultConfig(), min: 1}
	for _, p := range paths {
		d, err := storage.OpenDir(e, p, storage.DirOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s.dirs = append(s.dirs, d)
	}
	s.cfg = Config{
		BrokerID: me, SessionSlots: 3, RetentionInterval: time.Minute, TaskDelay: time.Second,
		CheckpointInterval: time.Minute, WatermarkInterval: 5 * time.Second,
		Follow: FollowConfig{Config: follow.Config{Backoff: time.Second, Dial: unreachable}},
		MaxLag: 30 * time.Second, Controller: s.brain,
		Topic: func(string) TopicConfig { c := s.topic; return TopicConfig{Storage: &c, MinISR: s.min} },
	}
	s.renew()
	return s
}

// unreachable is a broker that does not answer.
func unreachable(string, string) follow.Peer { return silent{} }

type silent struct{}

// Do implements follow.Peer.
func (silent) Do(context.Context, *rpc.Call) error { return errors.New("nobody there") }

// Close implements follow.Peer.
func (silent) Close() error { return nil }

// renew makes the manager from cfg.
func (s *stand) renew() {
	s.Manager = New(s.cfg, s.dirs, s.cache, s.heard, s.env, slog.New(slog.DiscardHandler))
}

func loaded(t testing.TB, paths ...string) *stand {
	t.Helper()
	s := newStand(t, paths...)
	s.load()
	return s
}

func (s *stand) load() {
	s.t.Helper()
	if err := s.Load(s.t.Context(), 2); err != nil {
		s.t.Fatal(err)
	}
}

// restart stops the manager and makes another one over the same disk.
func (s *stand) restart() *stand {
	s.t.Helper()
	if err := s.Stop(); err != nil {
		s.t.Fatal(err)
	}
	var paths []string
	for _, d := range s.dirs {
		paths = append(paths, d.Path())
	}
	next := openStand(s.t, s.env, s.fs, paths...)
	next.topic, next.epoch, next.cache = s.topic, s.epoch, s.cache
	next.renew()
	next.load()
	return next
}

func topicID(n byte) wire.UUID { return wire.UUID{15: n} }

// state is what the controller tells of one partition: led by this broker alone.
func state(topic string, index, epoch int32) wire.LeaderAndIsrRequestPartitionState {
	return wire.LeaderAndIsrRequestPartitionState{
		TopicName: topic, PartitionIndex: index, Leader: me, LeaderEpoch: epoch, Isr: []int32{me}, Replicas: []int32{me}, IsNew: true,
	}
}

// tell sends partition states of one topic and returns their codes.
func (s *stand) tell(id wire.UUID, states ...wire.LeaderAndIsrRequestPartitionState) []wire.Code {
	s.t.Helper()
	req := wire.NewLeaderAndIsrRequest()
	req.BrokerEpoch = -1
	req.TopicStates = []wire.LeaderAndIsrRequestTopicState{{TopicName: states[0].TopicName, TopicID: id, PartitionStates: states}}
	resp := s.LeaderAndIsr(req)
	if resp.ErrorCode != wire.CodeNone {
		s.t.Fatalf("LeaderAndIsr: %v", resp.ErrorCode)
	}
	var codes []wire.Code
	for _, e := range resp.PartitionErrors {
		codes = append(codes, e.ErrorCode)
	}
	return codes
}

// lead makes this broker lead partitions of a topic, and the cluster know them.
func (s *stand) lead(topic string, id wire.UUID, indexes ...int32) {
	s.t.Helper()
	s.epoch++
	var states []wire.LeaderAndIsrRequestPartitionState
	for _, i := range indexes {
		states = append(states, state(topic, i, s.epoch))
	}
	for i, code := range s.tell(id, states...) {
		if code != wire.CodeNone {
			s.t.Fatalf("%s-%d: %v", topic, indexes[i], code)
		}
	}
	s.publish(topic, id, indexes...)
}

// publish makes the metadata name partitions.
func (s *stand) publish(topic string, id wire.UUID, indexes ...int32) {
	s.t.Helper()
	req := wire.NewUpdateMetadataRequest()
	t := wire.UpdateMetadataRequestTopicState{TopicName: topic, TopicID: id}
	for _, i := range indexes {
		t.PartitionStates = append(t.PartitionStates, wire.UpdateMetadataRequestPartitionState{PartitionIndex: i, Leader: me})
	}
	req.TopicStates = append(req.TopicStates, t)
	if _, err := s.cache.Apply(req); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) delete(topic string, index int32) {
	s.t.Helper()
	code, codes := s.StopReplica(0, -1, []Stop{{Topic: topic, Partition: index, LeaderEpoch: epochDuringDelete, Delete: true}})
	if code != wire.CodeNone || codes[0] != wire.CodeNone {
		s.t.Fatalf("delete %s-%d: %v %v", topic, index, code, codes)
	}
}

// batch is one v2 batch of n records, size bytes of value in all.
func batch(t testing.TB, n, size int) []byte {
	t.Helper()
	return specBatch(t, record.Spec{}, n, size)
}

func specBatch(t testing.TB, spec record.Spec, n, size int) []byte {
	t.Helper()
	var b record.Builder
	b.Reset(spec)
	for range n {
		b.Append(time.Now().UnixMilli(), nil, bytes.Repeat([]byte("v"), size/n))
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(out)
}

// append writes one batch of n records with acks=all and wants it done at once.
func (s *stand) append(topic string, index int32, n, size int) AppendResult {
	s.t.Helper()
	return s.appendBytes(topic, index, batch(s.t, n, size))
}

func (s *stand) appendBytes(topic string, index int32, records []byte) AppendResult {
	s.t.Helper()
	var got *AppendResult
	s.Append(&AppendRequest{Topic: topic, Partition: index, Records: records, Acks: AcksAll, LeaderEpoch: AnyEpoch, Timeout: time.Second, Origin: producer.Client},
		func(r AppendResult) { got = &r })
	if got == nil {
		s.t.Fatal("append with one replica is not answered at once")
	}
	return *got
}

// want is one partition of a fetch.
func want(topic string, index int32, offset int64) FetchPartition {
	return FetchPartition{PartitionName: PartitionName{Topic: topic, Partition: index}, Offset: offset, MaxBytes: 1 << 20, LeaderEpoch: -1, LastFetchedEpoch: -1}
}

// plain is a fetch without a session.
func plain(parts ...FetchPartition) *FetchRequest {
	return &FetchRequest{
		ReplicaID: -1, MaxWait: 500 * time.Millisecond, MinBytes: 1, MaxBytes: 50 << 20,
		WholeBatches: true, SessionEpoch: finalEpoch, Partitions: parts,
	}
}

// inSession is a fetch of a session; id and epoch 0 make one.
func inSession(id, epoch int32, parts ...FetchPartition) *FetchRequest {
	req := plain(parts...)
	req.SessionID, req.SessionEpoch = id, epoch
	return req
}

// now runs a fetch that must be answered at once.
func (s *stand) now(req *FetchRequest) *FetchResult {
	s.t.Helper()
	res, pending := s.Fetch(req, func(func() *FetchResult) { s.t.Error("woken") })
	if pending != nil {
		s.t.Fatal("fetch is parked")
	}
	return res
}

// waiting is a parked fetch; woken counts how often it was told to resume.
type waiting struct {
	*Pending
	mu     sync.Mutex
	answer func() *FetchResult
	woken  int
}

// resume gives the answer of a fetch that was woken. Only in virtual time.
func (w *waiting) resume() *FetchResult {
	synctest.Wait()
	w.mu.Lock()
	answer := w.answer
	w.mu.Unlock()
	return answer()
}

// parked runs a fetch that must wait.
func (s *stand) parked(req *FetchRequest) *waiting {
	s.t.Helper()
	w := &waiting{}
	res, pending := s.Fetch(req, func(resume func() *FetchResult) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answer, w.woken = resume, w.woken+1
	})
	if pending == nil {
		s.t.Fatalf("fetch is answered at once: %s", show(res))
	}
	w.Pending = pending
	return w
}

func (w *waiting) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.woken
}

// show prints a result and gives its spans back.
func show(res *FetchResult) string {
	out := ""
	if res.Code != wire.CodeNone {
		out = brief(res.Code) + " "
	}
	for _, p := range res.Partitions {
		name := p.Topic
		if name == "" {
			name = fmt.Sprint(p.TopicID[15])
		}
		switch {
		case p.Err != nil:
			out += fmt.Sprintf("[%s-%d %s]", name, p.Partition, brief(p.Err))
		case p.Diverging != nil:
			out += fmt.Sprintf("[%s-%d hw=%d lso=%d start=%d diverges: epoch %d to %d %s]", name, p.Partition, p.HighWatermark, p.LastStable,
				p.LogStart, p.Diverging.Epoch, p.Diverging.Offset, offsets(p.Span))
		default:
			out += fmt.Sprintf("[%s-%d hw=%d lso=%d start=%d %s]", name, p.Partition, p.HighWatermark, p.LastStable, p.LogStart, offsets(p.Span))
		}
		p.Span.Release()
	}
	return out
}

// brief is an error without its explanation.
func brief(err error) string {
	name, _, _ := strings.Cut(err.Error(), " (")
	return name
}

// offsets lists base offsets of the batches in a span.
func offsets(s storage.Span) string {
	raw, err := s.AppendTo(nil)
	if err != nil {
		return err.Error()
	}
	var out []int64
	for b, err := range record.All(raw) {
		if err != nil {
			break
		}
		out = append(out, b.BaseOffset())
	}
	return fmt.Sprint(out)
}

// linked is how many fetches stand in a partition's list.
func (s *stand) linked(topic string, index int32) int {
	s.t.Helper()
	p := s.lookup(topic, index)
	if p == nil {
		return -1
	}
	return p.subscribers()
}

func (p *Partition) subscribers() (n int) {
	p.subs.Lock()
	defer p.subs.Unlock()
	for e := p.subs.head; e != nil; e = e.next {
		n++
	}
	return n
}

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
