package follow

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
)

// leader is a broker that leads partitions, as far as followers can tell. It
// keeps one fetch session per connection, and writes down what it was asked.
type leader struct {
	t       *testing.T
	name    string
	journal *journal
	env     env.Env
	ln      net.Listener

	mu      sync.Mutex
	topics  map[string]wire.UUID
	logs    map[Partition]*ledger
	changed chan struct{} // closed when anything happens
	conns   map[net.Conn]bool
	// next is the error of the next fetch as a whole.
	next      wire.Code
	noSession bool // as if no slot were free
	batch     int  // records per partition and fetch
	sessions  int32
	cuts      int // how often connections were broken
}

// ledger is one partition on its leader.
type ledger struct {
	history
	epoch int32 // the leader's
	// code refuses the partition, extra is sent once with a fetch of it.
	code wire.Code
}

// epochEnd knows the leader's own epoch, whether it has records or not.
func (l *ledger) epochEnd(epoch int32) (int32, int64) {
	switch {
	case epoch == l.epoch:
		return epoch, l.end()
	case epoch > l.epoch:
		return -1, -1
	}
	if latest := l.latest(); epoch > latest && latest >= 0 {
		return latest, l.end()
	}
	return l.history.epochEnd(epoch)
}

// serve starts a leader at an address.
func serve(t *testing.T, name, address string, e env.Env, j *journal) *leader {
	ln, err := e.Net.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l := &leader{t: t, name: name, journal: j, env: e, ln: ln, topics: map[string]wire.UUID{}, logs: map[Partition]*ledger{},
		changed: make(chan struct{}), conns: map[net.Conn]bool{}, batch: 1000}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			l.conns[c] = true
			l.mu.Unlock()
			go l.talk(c)
		}
	}()
	return l
}

// close ends the leader as a kill does.
func (l *leader) close() {
	l.ln.Close()
	l.cut()
}

// cut breaks its connections.
func (l *leader) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
	l.cuts++
	l.wakeLocked()
}

func (l *leader) wakeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// change changes what the leader leads.
func (l *leader) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.wakeLocked()
}

// slot is one partition of a fetch session.
type slot struct {
	name   Partition
	id     wire.UUID
	want   wire.FetchRequestPartition
	high   int64
	start  int64
	failed bool
}

// visit is one connection with its session.
type visit struct {
	l     *leader
	id    int32
	epoch int32
	slots []*slot
}

func (l *leader) talk(c net.Conn) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
		c.Close()
	}()
	v := &visit{l: l}
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		h, body, err := wire.DecodeRequestHeader(frame)
		if err != nil {
			l.t.Error(err)
			return
		}
		req := wire.NewRequest(h.Key)
		if err := req.Decode(body, h.Version); err != nil {
			l.t.Error(err)
			return
		}
		var w wire.Writer
		if err := wire.EncodeResponse(&w, h.Version, h.CorrelationID, v.answer(h, req)); err != nil {
			l.t.Error(err)
			return
		}
		if _, err := c.Write(w.Bytes()); err != nil {
			return
		}
	}
}

func (v *visit) answer(h wire.RequestHeader, req wire.Body) wire.Body {
	switch req := req.(type) {
	case *wire.FetchRequest:
		return v.fetch(h, req)
	case *wire.ListOffsetsRequest:
		return v.l.listOffsets(h, req)
	case *wire.OffsetForLeaderEpochRequest:
		return v.l.epochEnds(h, req)
	}
	v.l.t.Errorf("%T came", req)
	return wire.NewResponse(h.Key)
}

func (l *leader) topicOf(id wire.UUID) string {
	for name, x := range l.topics {
		if x == id {
			return name
		}
	}
	return string(id[1:2])
}

// note writes down a request that says something new.
func (v *visit) note(h wire.RequestHeader, req *wire.FetchRequest) {
	if len(req.Topics)+len(req.ForgottenTopicsData) == 0 && req.SessionEpoch > 0 {
		return
	}
	out := fmt.Sprintf("%s hears fetch v%d from %s", v.l.name, h.Version, *h.ClientID)
	switch replica := req.ReplicaID; {
	case h.Version >= fetchState:
		out += fmt.Sprintf(" replica=%d/%d", req.ReplicaState.ReplicaID, req.ReplicaState.ReplicaEpoch)
	default:
		out += fmt.Sprintf(" replica=%d", replica)
	}
	if req.SessionEpoch == 0 {
		out += " full"
	}
	if req.SessionEpoch == 0 && req.SessionID != 0 {
		out += fmt.Sprintf(" closing=%d", req.SessionID)
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			name := t.Topic
			if h.Version >= fetchByID {
				name = v.l.topicOf(t.TopicID)
			}
			out += fmt.Sprintf(" [%s-%d epoch=%d at %d of %d start=%d]", name, p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.LastFetchedEpoch, p.LogStartOffset)
		}
	}
	for _, t := range req.ForgottenTopicsData {
		name := t.Topic
		if h.Version >= fetchByID {
			name = v.l.topicOf(t.TopicID)
		}
		out += fmt.Sprintf(" forget %s %v", name, t.Partitions)
	}
	v.l.journal.add("%s", out)
}

// fetch answers when there is something to say, or the time is over.
func (v *visit) fetch(h wire.RequestHeader, req *wire.FetchRequest) wire.Body {
	l := v.l
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	late := l.env.Clock.AfterFunc(time.Duration(req.MaxWaitMs)*time.Millisecond, cancel)
	defer late.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	v.note(h, req)
	cuts, resp := l.cuts, wire.NewFetchResponse()
	if resp.ErrorCode = v.openLocked(h, req); resp.ErrorCode != wire.CodeNone {
		return resp
	}
	for {
		urgent, told := v.readLocked(h, req, resp)
		if urgent || ctx.Err() != nil || cuts != l.cuts {
			for _, f := range told {
				f()
			}
			break
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		l.mu.Lock()
		resp.Responses = nil
	}
	resp.SessionID = v.id
	return resp
}

// openLocked brings the session up to date.
func (v *visit) openLocked(h wire.RequestHeader, req *wire.FetchRequest) wire.Code {
	l := v.l
	if code := l.next; code != wire.CodeNone {
		l.next = wire.CodeNone
		return code
	}
	switch {
	case req.SessionEpoch == 0 || h.Version < 7:
		l.sessions++
		v.slots, v.id, v.epoch = nil, l.sessions, 1
		if l.noSession || h.Version < 7 {
			v.id = 0
		}
	case req.SessionID != v.id:
		return wire.CodeFetchSessionIDNotFound
	case req.SessionEpoch != v.epoch:
		return wire.CodeInvalidFetchSessionEpoch
	default:
		v.epoch++
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			v.slotLocked(t.Topic, t.TopicID, p.Partition, h.Version).want = p
		}
	}
	for _, t := range req.ForgottenTopicsData {
		for _, index := range t.Partitions {
			gone := v.slotLocked(t.Topic, t.TopicID, index, h.Version)
			for i, s := range v.slots {
				if s == gone {
					v.slots = append(v.slots[:i:i], v.slots[i+1:]...)
					break
				}
			}
		}
	}
	return wire.CodeNone
}

func (v *visit) slotLocked(topic string, id wire.UUID, index int32, version int16) *slot {
	if version >= fetchByID {
		topic = v.l.topicOf(id)
	}
	for _, s := range v.slots {
		if s.name == (Partition{topic, index}) && s.id == id {
			return s
		}
	}
	s := &slot{name: Partition{topic, index}, id: id, high: -2}
	v.slots = append(v.slots, s)
	return s
}

// readLocked fills an answer; urgent reports records or an error. told is to run
// when the answer is sent.
func (v *visit) readLocked(h wire.RequestHeader, req *wire.FetchRequest, resp *wire.FetchResponse) (urgent bool, told []func()) {
	for _, s := range v.slots {
		out := wire.NewFetchResponsePartitionData()
		out.PartitionIndex = s.want.Partition
		v.readOneLocked(h, s, &out)
		failed := out.ErrorCode != wire.CodeNone || out.DivergingEpoch.Epoch >= 0
		now := failed || len(out.Records.Bytes) > 0
		urgent = urgent || now
		if req.SessionEpoch != 0 && h.Version >= 7 && !now && s.high == out.HighWatermark && s.start == out.LogStartOffset && !s.failed {
			continue
		}
		told = append(told, func() { s.high, s.start, s.failed = out.HighWatermark, out.LogStartOffset, failed })
		resp.Responses = append(resp.Responses, wire.FetchResponseFetchableTopicResponse{Topic: s.name.Topic, TopicID: s.id,
			Partitions: []wire.FetchResponsePartitionData{out}})
	}
	if len(v.slots) == 0 {
		v.id, urgent = 0, true
	}
	return urgent, told
}

func (v *visit) readOneLocked(h wire.RequestHeader, s *slot, out *wire.FetchResponsePartitionData) {
	refuse := func(c wire.Code) { out.ErrorCode, out.HighWatermark, out.Records.Bytes = c, -1, []byte{} }
	p := v.l.logs[s.name]
	out.Records.Bytes = []byte{}
	switch {
	case p == nil && h.Version >= fetchByID:
		refuse(wire.CodeUnknownTopicID)
		return
	case p == nil:
		refuse(wire.CodeUnknownTopicOrPartition)
		return
	case p.code != wire.CodeNone:
		refuse(p.code)
		return
	case s.want.CurrentLeaderEpoch >= 0 && s.want.CurrentLeaderEpoch < p.epoch:
		refuse(wire.CodeFencedLeaderEpoch)
		return
	case s.want.CurrentLeaderEpoch > p.epoch:
		refuse(wire.CodeUnknownLeaderEpoch)
		return
	case s.want.FetchOffset < p.start:
		refuse(wire.CodeOffsetOutOfRange)
		return
	}
	out.HighWatermark, out.LogStartOffset = p.high, p.start
	if last := s.want.LastFetchedEpoch; last >= 0 {
		e, end := p.epochEnd(last)
		if e < 0 {
			refuse(wire.CodeOffsetOutOfRange)
			return
		}
		if e < last || end < s.want.FetchOffset {
			out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset = e, end
			return
		}
	}
	if s.want.FetchOffset > p.end() {
		refuse(wire.CodeOffsetOutOfRange)
		return
	}
	out.Records.Bytes = append(out.Records.Bytes, p.encode(s.want.FetchOffset, v.l.batch)...)
}

func (l *leader) listOffsets(h wire.RequestHeader, req *wire.ListOffsetsRequest) wire.Body {
	l.mu.Lock()
	defer l.mu.Unlock()
	resp := wire.NewListOffsetsResponse()
	said := fmt.Sprintf("%s hears list-offsets v%d replica=%d", l.name, h.Version, req.ReplicaID)
	for _, t := range req.Topics {
		out := wire.ListOffsetsResponseTopicResponse{Name: t.Name}
		for _, p := range t.Partitions {
			said += fmt.Sprintf(" [%s-%d epoch=%d time=%d]", t.Name, p.PartitionIndex, p.CurrentLeaderEpoch, p.Timestamp)
			o := wire.NewListOffsetsResponsePartitionResponse()
			o.PartitionIndex = p.PartitionIndex
			led := l.logs[Partition{t.Name, p.PartitionIndex}]
			switch {
			case led == nil:
				o.ErrorCode = wire.CodeUnknownTopicOrPartition
			case p.Timestamp == earliestOffset:
				o.Offset = led.start
			default:
				o.Offset = led.end()
			}
			if h.Version == 0 && led != nil {
				o.OldStyleOffsets, o.Offset = []int64{o.Offset}, -1
			}
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
	l.journal.add("%s", said)
	return resp
}

func (l *leader) epochEnds(h wire.RequestHeader, req *wire.OffsetForLeaderEpochRequest) wire.Body {
	l.mu.Lock()
	defer l.mu.Unlock()
	resp := wire.NewOffsetForLeaderEpochResponse()
	said := fmt.Sprintf("%s hears epoch-end v%d", l.name, h.Version)
	for _, t := range req.Topics {
		out := wire.OffsetForLeaderEpochResponseOffsetForLeaderTopicResult{Topic: t.Topic}
		for _, p := range t.Partitions {
			said += fmt.Sprintf(" [%s-%d epoch=%d asks %d]", t.Topic, p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch)
			o := wire.NewOffsetForLeaderEpochResponseEpochEndOffset()
			o.Partition = p.Partition
			switch led := l.logs[Partition{t.Topic, p.Partition}]; {
			case led == nil:
				o.ErrorCode = wire.CodeUnknownTopicOrPartition
			case led.code != wire.CodeNone:
				o.ErrorCode = led.code
			default:
				o.LeaderEpoch, o.EndOffset = led.epochEnd(p.LeaderEpoch)
			}
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
	l.journal.add("%s", strings.TrimSpace(said))
	return resp
}
