package api

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/coordinator"
	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// fakeCall is a call without a connection; it may be answered once.
type fakeCall struct {
	t      testing.TB
	header wire.RequestHeader
	body   []byte
	peer   Peer
	reply  wire.Body
	closed error
}

func (c *fakeCall) Header() wire.RequestHeader { return c.header }
func (c *fakeCall) Body() []byte               { return c.body }
func (c *fakeCall) Peer() Peer                 { return c.peer }
func (c *fakeCall) NoReply()                   { c.t.Error("no reply") }
func (c *fakeCall) Release()                   {}
func (c *fakeCall) OnClose(func())             {}

func (c *fakeCall) ReplyFunc(build func() wire.Body) { c.Reply(build()) }

func (c *fakeCall) Reply(body wire.Body) {
	if c.reply != nil || c.closed != nil {
		c.t.Error("answered twice")
	}
	c.reply = body
}

func (c *fakeCall) CloseConn(err error) { c.closed = err }

// bench is a broker over fakes: broker 1 with listener PLAINTEXT, and topic t
// with partitions 0 and 1.
type bench struct {
	t       testing.TB
	broker  *Broker
	groups  *fakeGroups
	admin   *fakeAdmin
	configs *fakeConfigs
	levels  fakeLevels
	old     *fakeOldOffsets
}

func newBench(t testing.TB, overrides ...string) *bench {
	t.Helper()
	settings, _, err := config.Load(config.Source{Overrides: append([]string{"broker.id=1"}, overrides...)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, groups: &fakeGroups{}, admin: &fakeAdmin{}, configs: &fakeConfigs{topics: map[string]map[string]string{}},
		levels: fakeLevels{"root": "INFO", "keeper": "WARN"}, old: &fakeOldOffsets{stored: map[string]int64{}},
	}
	b.broker = New(Owners{
		ID: 1, ClusterID: "cluster", Env: env.Real(), Log: slog.New(slog.DiscardHandler), Settings: fakeSettings{settings},
		Metadata: metadata.NewCache(), Groups: b.groups, Admin: b.admin, Configs: b.configs, LogLevels: b.levels, OldOffsets: b.old,
	})
	b.topic("t", 1, 1)
	return b
}

// topic tells the broker of a topic with one partition per leader.
func (b *bench) topic(name string, leaders ...int32) {
	b.t.Helper()
	req := wire.NewUpdateMetadataRequest()
	req.LiveBrokers = []wire.UpdateMetadataRequestBroker{
		{ID: 1, Endpoints: []wire.UpdateMetadataRequestEndpoint{{Listener: "PLAINTEXT", Host: "one", Port: 9092}}},
		{ID: 2, Endpoints: []wire.UpdateMetadataRequestEndpoint{{Listener: "OTHER", Host: "two", Port: 9093}}},
	}
	state := wire.UpdateMetadataRequestTopicState{TopicName: name, TopicID: wire.UUID{15: name[0]}}
	for i, leader := range leaders {
		state.PartitionStates = append(state.PartitionStates, wire.UpdateMetadataRequestPartitionState{
			PartitionIndex: int32(i), Leader: leader, Replicas: []int32{leader}, Isr: []int32{leader}})
	}
	req.TopicStates = []wire.UpdateMetadataRequestTopicState{state}
	if _, err := b.broker.Metadata.Apply(req); err != nil {
		b.t.Fatal(err)
	}
}

// send hands a request over as a connection would.
func (b *bench) send(version int16, req wire.Body) *fakeCall {
	b.t.Helper()
	body, err := wire.Append(nil, req, version)
	if err != nil {
		b.t.Fatalf("%T v%d: %v", req, version, err)
	}
	call := &fakeCall{
		t: b.t, header: wire.RequestHeader{Key: req.Key(), Version: version, ClientID: new("client")}, body: body,
		peer: Peer{Listener: "PLAINTEXT", Host: "10.1.2.3"},
	}
	b.broker.Handle(call)
	return call
}

// ask returns the answer as a client decodes it.
func ask[R wire.Body](b *bench, version int16, req wire.Body) R {
	b.t.Helper()
	return decoded[R](b.t, version, b.send(version, req))
}

func decoded[R wire.Body](t testing.TB, version int16, call *fakeCall) R {
	t.Helper()
	if call.reply == nil {
		t.Fatalf("%v v%d: no answer, closed with %v", call.header.Key, version, call.closed)
	}
	raw, err := wire.Append(nil, call.reply, version)
	if err != nil {
		t.Fatalf("%v v%d: %v", call.header.Key, version, err)
	}
	resp := wire.NewResponse(call.header.Key)
	if err := resp.Decode(raw, version); err != nil {
		t.Fatalf("%v v%d: %v", call.header.Key, version, err)
	}
	return resp.(R)
}

type fakeSettings struct{ broker *config.Broker }

func (s fakeSettings) Broker() *config.Broker     { return s.broker }
func (s fakeSettings) Topic(string) *config.Topic { return s.broker.TopicDefaults() }

type fakeAdmin struct {
	Admin
	created []string
	hold    bool // creating ends with finish only
	finish  func()
}

func (a *fakeAdmin) AutoCreate(topics []string, done func(map[string]wire.Code)) {
	a.created = append(a.created, topics...)
	a.finish = func() { done(map[string]wire.Code{topics[0]: wire.CodeInvalidReplicationFactor}) }
	if !a.hold {
		a.finish()
	}
}

// fakeGroups answers every request with one reply.
type fakeGroups struct {
	got   []any
	reply any
}

func answer[B any](f *fakeGroups, r any, done func(B)) {
	f.got = append(f.got, r)
	b, _ := f.reply.(B)
	done(b)
}

func (f *fakeGroups) Join(r group.Join, done func(group.JoinReply))           { answer(f, r, done) }
func (f *fakeGroups) Sync(r group.Sync, done func(group.SyncReply))           { answer(f, r, done) }
func (f *fakeGroups) Heartbeat(r group.Heartbeat, done func(group.CodeReply)) { answer(f, r, done) }
func (f *fakeGroups) Leave(r group.Leave, done func(group.LeaveReply))        { answer(f, r, done) }
func (f *fakeGroups) Commit(r group.Commit, done func(group.CommitReply))     { answer(f, r, done) }
func (f *fakeGroups) DeleteOffsets(r group.DeleteOffsets, done func(group.DeleteOffsetsReply)) {
	answer(f, r, done)
}
func (f *fakeGroups) Describe(names []string, done func([]group.DescribeReply)) {
	answer(f, names, done)
}
func (f *fakeGroups) Delete(names []string, done func([]coordinator.Deleted)) { answer(f, names, done) }
func (f *fakeGroups) List(states, types []string, done func(group.ListReply)) {
	answer(f, [2][]string{states, types}, done)
}

func (f *fakeGroups) Fetch(groups []group.Fetch, done func([]group.FetchReply)) {
	if f.reply == nil {
		f.reply = make([]group.FetchReply, len(groups))
	}
	answer(f, groups, done)
}

func (f *fakeGroups) PartitionFor(name string) int32 { return int32(len(name)) % 2 }
func (f *fakeGroups) OnPartitionsDeleted(topics []group.TopicPartitions) {
	f.got = append(f.got, topics)
}

// fakeConfigs is /config with no delay.
type fakeConfigs struct {
	topics      map[string]map[string]string
	all, own    map[string]string
	writes      int
	readFailure error
}

func (f *fakeConfigs) Topic(name string, done func(map[string]string, error)) {
	done(maps.Clone(f.topics[name]), f.readFailure)
}

func (f *fakeConfigs) SetTopic(name string, overrides map[string]string, done func(error)) {
	f.writes++
	f.topics[name] = overrides
	done(nil)
}

func (f *fakeConfigs) Broker(id *int32, done func(map[string]string, error)) {
	if id == nil {
		done(maps.Clone(f.all), f.readFailure)
		return
	}
	done(maps.Clone(f.own), f.readFailure)
}

func (f *fakeConfigs) SetBroker(id *int32, settings map[string]string, done func(error)) {
	f.writes++
	if id == nil {
		f.all = settings
	} else {
		f.own = settings
	}
	done(nil)
}

type fakeLevels map[string]string

func (f fakeLevels) Names() []string                   { return slices.Sorted(maps.Keys(f)) }
func (f fakeLevels) Level(name string) (string, bool)  { l, ok := f[name]; return l, ok }
func (f fakeLevels) SetLevel(name, level string) error { f[name] = level; return nil }
func (f fakeLevels) ResetLevel(name string) error      { f[name] = "INFO"; return nil }

// fakeOldOffsets is /consumers; a group called broken cannot be reached.
type fakeOldOffsets struct{ stored map[string]int64 }

func oldKey(groupID string, o OldOffset) string {
	return groupID + "/" + o.Topic + "/" + string(rune('0'+o.Partition))
}

func (f *fakeOldOffsets) Commit(groupID string, offsets []OldOffset, done func([]OldOffset)) {
	for i, o := range offsets {
		if groupID == "broken" {
			offsets[i].Err = errors.New("connection loss")
			continue
		}
		f.stored[oldKey(groupID, o)] = o.Offset
	}
	done(offsets)
}

func (f *fakeOldOffsets) Fetch(groupID string, offsets []OldOffset, done func([]OldOffset)) {
	for i, o := range offsets {
		offsets[i].Offset = -1
		if groupID == "broken" {
			offsets[i].Err = errors.New("connection loss")
		} else if n, ok := f.stored[oldKey(groupID, o)]; ok {
			offsets[i].Offset = n
		} else {
			offsets[i].Err = wire.CodeUnknownTopicOrPartition
		}
	}
	done(offsets)
}
