package replica

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/fault"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/internal/rpc"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica/follow"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

var clusterLog = flag.Bool("cluster.log", false, "print what the brokers of a cluster log")

// cluster is some brokers' replicas without the brokers: a controller that
// decides by a few rules, and connections that are function calls. Only in
// virtual time.
type cluster struct {
	t        *testing.T
	protocol config.ProtocolVersion
	topic    storage.Config
	log      *slog.Logger
	hosts    *fault.Network
	brokers  []*member // the id is the index
	group    sync.WaitGroup

	mu    sync.Mutex
	rng   *rand.Rand
	cut   map[[2]int32]bool // who does not reach whom; -1 is the controller
	slow  map[[2]int32]bool // whose messages take long
	parts []*decided
	acked []map[int64]string // value by offset, of each partition
	sent  int
}

// member is one broker.
type member struct {
	c    *cluster
	id   int32
	host *fault.Host
	fs   *memfs.FS
	// What follows changes with every life; guarded by cluster.mu.
	life   int // 0 while it is down
	lives  int
	m      *Manager
	stop   context.CancelFunc
	orders chan *wire.LeaderAndIsrRequest
}

// decided is what the controller knows of a partition of topic t.
type decided struct {
	leader, epoch, version int32
	isr                    []int32
}

const brain0 int32 = -1 // the controller, for cuts

func newCluster(t *testing.T, seed uint64, brokers, partitions int, protocol string) *cluster {
	p, err := config.ParseProtocolVersion(protocol)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, protocol: p, topic: storage.DefaultConfig(), hosts: fault.NewNetwork(), rng: rand.New(rand.NewPCG(seed, 1)),
		cut: map[[2]int32]bool{}, slow: map[[2]int32]bool{}, log: slog.New(slog.DiscardHandler)}
	if *clusterLog {
		c.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	c.topic.SegmentBytes = 4 << 10
	all := make([]int32, brokers)
	for i := range all {
		all[i] = int32(i)
		e := env.Real()
		b := &member{c: c, id: int32(i), fs: memfs.New(0, e.Clock.Now)}
		e.FS = b.fs
		b.host = c.hosts.Host(fmt.Sprint("broker ", i), e, fault.Options{DiskRuns: true})
		c.brokers = append(c.brokers, b)
	}
	for i := range partitions {
		c.parts = append(c.parts, &decided{leader: int32(i % brokers), isr: slices.Clone(all)})
		c.acked = append(c.acked, map[int64]string{})
	}
	for _, b := range c.brokers {
		c.up(b)
	}
	return c
}

// end stops all brokers.
func (c *cluster) end() {
	for _, b := range c.brokers {
		c.down(b, false)
	}
	c.group.Wait()
}

func (c *cluster) upTo(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// logDirs are the log directories of each broker.
var logDirs = []string{"/d", "/e"}

// up starts a broker with what its disk holds.
func (c *cluster) up(b *member) {
	e := b.host.Boot()
	var dirs []*storage.Dir
	for _, path := range logDirs {
		d, err := storage.OpenDir(e, path, storage.DirOptions{})
		if err != nil {
			c.t.Fatal(err)
		}
		dirs = append(dirs, d)
	}
	cache := metadata.NewCache()
	m := New(Config{
		BrokerID: b.id, SessionSlots: 10, RetentionInterval: time.Minute, TaskDelay: time.Second, CheckpointInterval: 20 * time.Second,
		WatermarkInterval: 3 * time.Second, MaxLag: 3 * time.Second, Controller: control{b},
		Topic: func(string) TopicConfig { t := c.topic; return TopicConfig{Storage: &t, MinISR: 1} },
		Follow: FollowConfig{Listener: "L", Config: follow.Config{
			Protocol: c.protocol, Fetchers: 1 + int(b.id)%2, MaxWait: 300 * time.Millisecond, MinBytes: 1, MaxBytes: 1 << 20, PartitionBytes: 2000,
			Backoff: 100 * time.Millisecond, Dial: func(address, _ string) follow.Peer { return c.dial(b, address) },
		}},
		Moves: MoveConfig{Backoff: 100 * time.Millisecond},
	}, dirs, cache, &heard{}, e, c.log.With("broker", b.id))
	if err := m.Load(c.t.Context(), 2); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.Start(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	b.lives++
	b.life, b.m, b.stop, b.orders = b.lives, m, cancel, make(chan *wire.LeaderAndIsrRequest, 1000)
	orders := b.orders
	c.group.Go(func() { c.deliver(ctx, m, cache, orders) })
	for _, p := range c.parts {
		if p.leader < 0 && slices.Contains(p.isr, b.id) {
			p.leader, p.epoch, p.version = b.id, p.epoch+1, p.version+1
		}
	}
	c.tellLocked()
}

// down ends a broker: cleanly, or as kill -9 does.
func (c *cluster) down(b *member, kill bool) {
	c.mu.Lock()
	if b.life == 0 {
		c.mu.Unlock()
		return
	}
	m, stop := b.m, b.stop
	if kill {
		b.life = 0
	}
	c.mu.Unlock()
	if kill {
		b.host.Kill()
	}
	stop()
	if err := m.Stop(); err != nil && !kill {
		c.t.Errorf("broker %d stops: %v", b.id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b.life = 0
	for _, p := range c.parts {
		if !slices.Contains(p.isr, b.id) {
			continue
		}
		if len(p.isr) > 1 {
			p.isr = slices.DeleteFunc(slices.Clone(p.isr), func(id int32) bool { return id == b.id })
		}
		if p.leader == b.id {
			p.leader = c.electLocked(p)
		}
		p.epoch, p.version = p.epoch+1, p.version+1
	}
	c.tellLocked()
}

// electLocked picks a live member of the ISR, -1 when there is none.
func (c *cluster) electLocked(p *decided) int32 {
	var can []int32
	for _, id := range p.isr {
		if c.brokers[id].life != 0 {
			can = append(can, id)
		}
	}
	if len(can) == 0 {
		return metadata.NoLeader
	}
	return can[c.rng.IntN(len(can))]
}

// move elects another leader.
func (c *cluster) move(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[i]
	if to := c.electLocked(p); to >= 0 {
		p.leader, p.epoch, p.version = to, p.epoch+1, p.version+1
		c.tellLocked()
	}
}

// tellLocked sends what is decided to all live brokers; what they know is stale
// to them.
func (c *cluster) tellLocked() {
	req := wire.NewLeaderAndIsrRequest()
	req.BrokerEpoch = -1
	t := wire.LeaderAndIsrRequestTopicState{TopicName: "t", TopicID: topicID(1)}
	if !c.protocol.AtLeast("2.8-IV1") {
		t.TopicID = wire.UUID{}
	}
	var all []int32
	for _, b := range c.brokers {
		all = append(all, b.id)
	}
	for i, p := range c.parts {
		t.PartitionStates = append(t.PartitionStates, wire.LeaderAndIsrRequestPartitionState{
			TopicName: "t", PartitionIndex: int32(i), Leader: p.leader, LeaderEpoch: p.epoch, PartitionEpoch: p.version, Isr: p.isr, Replicas: all, IsNew: true})
	}
	req.TopicStates = append(req.TopicStates, t)
	for _, b := range c.brokers {
		if b.life != 0 {
			b.orders <- req
		}
	}
}

// deliver brings the controller's requests to a broker, late.
func (c *cluster) deliver(ctx context.Context, m *Manager, cache *metadata.Cache, orders <-chan *wire.LeaderAndIsrRequest) {
	for {
		select {
		case req := <-orders:
			if env.Sleep(ctx, m.env.Clock, time.Duration(c.upTo(100))*time.Millisecond) != nil {
				return
			}
			if _, err := cache.Apply(c.liveBrokers()); err != nil {
				c.t.Error(err)
			}
			m.LeaderAndIsr(req)
		case <-ctx.Done():
			return
		}
	}
}

func (c *cluster) liveBrokers() *wire.UpdateMetadataRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	req := wire.NewUpdateMetadataRequest()
	for _, b := range c.brokers {
		if b.life != 0 {
			req.LiveBrokers = append(req.LiveBrokers, wire.UpdateMetadataRequestBroker{ID: b.id,
				Endpoints: []wire.UpdateMetadataRequestEndpoint{{Host: "b", Port: 9000 + b.id, Listener: "L"}}})
		}
	}
	return req
}

// control is the controller as a broker reaches it.
type control struct{ b *member }

// AlterPartition implements Controller. Answers get lost as well as requests.
func (k control) AlterPartition(ctx context.Context, req *wire.AlterPartitionRequest) (*wire.AlterPartitionResponse, error) {
	c := k.b.c
	if err := c.travel(ctx, k.b.id, brain0); err != nil {
		return nil, err
	}
	c.mu.Lock()
	resp := wire.NewAlterPartitionResponse()
	for _, t := range req.Topics {
		out := wire.AlterPartitionResponseTopicData{TopicName: t.TopicName, TopicID: t.TopicID}
		for _, q := range t.Partitions {
			a := wire.AlterPartitionResponsePartitionData{PartitionIndex: q.PartitionIndex}
			p := c.parts[q.PartitionIndex]
			var isr []int32
			for _, s := range q.NewIsrWithEpochs {
				isr = append(isr, s.BrokerID)
			}
			switch {
			case p.leader != k.b.id || q.LeaderEpoch != p.epoch:
				a.ErrorCode = wire.CodeFencedLeaderEpoch
			case q.PartitionEpoch <= p.version && slices.Equal(isr, p.isr): // the answer was lost
				a.LeaderID, a.LeaderEpoch, a.Isr, a.PartitionEpoch = p.leader, p.epoch, p.isr, p.version
			case q.PartitionEpoch != p.version:
				a.ErrorCode = wire.CodeInvalidUpdateVersion
			case slices.ContainsFunc(q.NewIsrWithEpochs, func(s wire.AlterPartitionRequestBrokerState) bool { return c.brokers[s.BrokerID].life == 0 }):
				a.ErrorCode = wire.CodeIneligibleReplica
			default:
				p.isr, p.version = isr, p.version+1
				a.LeaderID, a.LeaderEpoch, a.Isr, a.PartitionEpoch = p.leader, p.epoch, p.isr, p.version
			}
			out.Partitions = append(out.Partitions, a)
		}
		resp.Topics = append(resp.Topics, out)
	}
	c.mu.Unlock()
	return resp, c.travel(ctx, brain0, k.b.id)
}

var errCut = errors.New("no route to host")

// travel is the way of a message.
func (c *cluster) travel(ctx context.Context, from, to int32) error {
	c.mu.Lock()
	took := 1 + c.rng.IntN(20)
	if c.slow[[2]int32{from, to}] {
		took = 1 + c.rng.IntN(1000)
	}
	c.mu.Unlock()
	if err := env.Sleep(ctx, env.Real().Clock, time.Duration(took)*time.Millisecond); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut[[2]int32{from, to}] || c.cut[[2]int32{to, from}] {
		return errCut
	}
	return nil
}

// road is a connection of one broker to another.
type road struct {
	c        *cluster
	from, to *member
}

func (c *cluster) dial(from *member, address string) follow.Peer {
	for _, b := range c.brokers {
		if address == fmt.Sprintf("b:%d", 9000+b.id) {
			return &road{c, from, b}
		}
	}
	c.t.Errorf("nobody is at %s", address)
	return unreachable("", "")
}

// Close implements follow.Peer.
func (*road) Close() error { return nil }

// Do implements follow.Peer. All goes through its encoded form.
func (r *road) Do(ctx context.Context, call *rpc.Call) error {
	if err := r.c.travel(ctx, r.from.id, r.to.id); err != nil {
		return err
	}
	raw, err := wire.Append(nil, call.Request, call.Version)
	if err != nil {
		return err
	}
	req := wire.NewRequest(call.Request.Key())
	if err := req.Decode(raw, call.Version); err != nil {
		return err
	}
	r.c.mu.Lock()
	m, life := r.to.m, r.to.life
	r.c.mu.Unlock()
	if life == 0 {
		return errors.New("connection refused")
	}
	answer, err := serve(ctx, m, req, call.Version)
	if err != nil {
		return err
	}
	if err := r.c.travel(ctx, r.to.id, r.from.id); err != nil {
		return err
	}
	r.c.mu.Lock()
	same := r.to.life == life
	r.c.mu.Unlock()
	if !same {
		return errors.New("connection reset")
	}
	if call.Buffer, err = wire.Append(call.Buffer[:0], answer, call.Version); err != nil {
		return err
	}
	if call.Response == nil {
		call.Response = wire.NewResponse(call.Request.Key())
	}
	return call.Response.Decode(call.Buffer, call.Version)
}

// serve does what package api does for followers.
func serve(ctx context.Context, m *Manager, req wire.Body, version int16) (wire.Body, error) {
	switch req := req.(type) {
	case *wire.FetchRequest:
		return serveFetch(ctx, m, req, version)
	case *wire.ListOffsetsRequest:
		resp := wire.NewListOffsetsResponse()
		for _, t := range req.Topics {
			out := wire.ListOffsetsResponseTopicResponse{Name: t.Name}
			for _, p := range t.Partitions {
				found, err := m.ListOffset(t.Name, p.PartitionIndex, p.Timestamp, ReadUncommitted, req.ReplicaID, p.CurrentLeaderEpoch)
				out.Partitions = append(out.Partitions, wire.ListOffsetsResponsePartitionResponse{
					PartitionIndex: p.PartitionIndex, ErrorCode: codeOf(err), Offset: found.Offset, LeaderEpoch: found.LeaderEpoch})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil
	case *wire.OffsetForLeaderEpochRequest:
		resp := wire.NewOffsetForLeaderEpochResponse()
		for _, t := range req.Topics {
			out := wire.OffsetForLeaderEpochResponseOffsetForLeaderTopicResult{Topic: t.Topic}
			for _, p := range t.Partitions {
				epoch, end, err := m.EpochEnd(t.Topic, p.Partition, p.LeaderEpoch, p.CurrentLeaderEpoch)
				out.Partitions = append(out.Partitions, wire.OffsetForLeaderEpochResponseEpochEndOffset{
					Partition: p.Partition, ErrorCode: codeOf(err), LeaderEpoch: epoch, EndOffset: end})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil
	}
	return nil, fmt.Errorf("%T is not served", req)
}

func codeOf(err error) wire.Code {
	code, coded := errors.AsType[wire.Code](err)
	_, outside := errors.AsType[*storage.OffsetError](err)
	switch {
	case err == nil:
		return wire.CodeNone
	case coded:
		return code
	case outside:
		return wire.CodeOffsetOutOfRange
	}
	return wire.CodeKafkaStorageError
}

func serveFetch(ctx context.Context, m *Manager, req *wire.FetchRequest, version int16) (wire.Body, error) {
	r := &FetchRequest{
		ReplicaID: max(req.ReplicaID, req.ReplicaState.ReplicaID), MaxWait: time.Duration(req.MaxWaitMs) * time.Millisecond, MinBytes: int(req.MinBytes),
		MaxBytes: int(req.MaxBytes), WholeBatches: true, ByID: version >= 13, SessionID: req.SessionID, SessionEpoch: req.SessionEpoch,
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			r.Partitions = append(r.Partitions, FetchPartition{PartitionName: PartitionName{t.Topic, t.TopicID, p.Partition}, Offset: p.FetchOffset,
				MaxBytes: int(p.PartitionMaxBytes), LeaderEpoch: p.CurrentLeaderEpoch, LastFetchedEpoch: p.LastFetchedEpoch, LogStart: p.LogStartOffset})
		}
	}
	for _, t := range req.ForgottenTopicsData {
		for _, p := range t.Partitions {
			r.Forgotten = append(r.Forgotten, PartitionName{t.Topic, t.TopicID, p})
		}
	}
	woken := make(chan func() *FetchResult, 1)
	res, pending := m.Fetch(r, func(resume func() *FetchResult) { woken <- resume })
	if pending != nil {
		select {
		case resume := <-woken:
			res = resume()
		case <-ctx.Done():
			pending.Cancel()
			return nil, context.Cause(ctx)
		}
	}
	resp := wire.NewFetchResponse()
	resp.ErrorCode, resp.SessionID = res.Code, res.SessionID
	for _, p := range res.Partitions {
		out := wire.NewFetchResponsePartitionData()
		out.PartitionIndex, out.ErrorCode = p.Partition, codeOf(p.Err)
		out.HighWatermark, out.LogStartOffset = p.HighWatermark, p.LogStart
		if p.Diverging != nil {
			out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset = p.Diverging.Epoch, p.Diverging.Offset
		}
		records, err := p.Span.AppendTo([]byte{})
		p.Span.Release()
		if err != nil {
			return nil, err
		}
		out.Records.Bytes = records
		resp.Responses = append(resp.Responses, wire.FetchResponseFetchableTopicResponse{Topic: p.Topic, TopicID: p.TopicID,
			Partitions: []wire.FetchResponsePartitionData{out}})
	}
	return resp, nil
}

// send appends one batch to the leader that the controller knows, and notes it
// when all replicas in sync have it.
func (c *cluster) send(partition int) {
	c.mu.Lock()
	p := c.parts[partition]
	if p.leader < 0 || c.brokers[p.leader].life == 0 {
		c.mu.Unlock()
		return
	}
	b := c.brokers[p.leader]
	m := b.m
	var values []string
	for range 1 + c.rng.IntN(3) {
		c.sent++
		values = append(values, fmt.Sprintf("%d-%0*d", c.sent, 1+c.rng.IntN(300), 0))
	}
	c.mu.Unlock()
	var rb record.Builder
	rb.Reset(record.Spec{})
	for _, v := range values {
		rb.Append(time.Now().UnixMilli(), nil, []byte(v))
	}
	raw, err := rb.Build()
	if err != nil {
		c.t.Error(err)
		return
	}
	m.Append(&AppendRequest{Topic: "t", Partition: int32(partition), Records: bytes.Clone(raw), Acks: AcksAll, LeaderEpoch: AnyEpoch,
		Timeout: 5 * time.Second, Origin: producer.Client}, func(r AppendResult) {
		if r.Err != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, v := range values {
			c.acked[partition][r.BaseOffset+int64(i)] = v
		}
	})
}
