package fetch_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/internal/env/memnet"
)

// log is a partition as its leader has it.
type log struct {
	leader, epoch int32
	start, end    int64
	batches       []batch
	aborted       []kmsg.FetchResponseTopicPartitionAbortedTransaction
	// code, if not 0, is what every request is answered with, one of ListOffsets
	// with findCode.
	code, findCode int16
	// whole is false for a leader that cuts off what is beyond the limit, and be it
	// the first batch.
	whole bool
}

// batch is what a log holds of the offsets from first to last.
type batch struct {
	first, last int64
	data        []byte
}

// brokers are brokers in memory that share their logs.
type brokers struct {
	t   *testing.T
	net *memnet.Net
	wg  sync.WaitGroup

	mu sync.Mutex
	// began is the time from which that of asked counts.
	began time.Time
	logs  map[string]*log
	// asked are the requests.
	asked []string
	// changed is closed when a log changes.
	changed   chan struct{}
	listeners map[int32]net.Listener
	conns     map[int32][]net.Conn
	// spoil, if set, changes an answer.
	spoil func(kmsg.Response)
}

func newBrokers(t *testing.T) *brokers {
	return &brokers{
		t: t, net: memnet.New(), began: time.Now(), logs: map[string]*log{}, changed: make(chan struct{}),
		listeners: map[int32]net.Listener{}, conns: map[int32][]net.Conn{},
	}
}

func name(topic string, partition int32) string { return fmt.Sprintf("%s-%d", topic, partition) }

func addr(id int32) string { return fmt.Sprintf("127.0.0.1:%d", 9000+id) }

// up lets a broker listen.
func (b *brokers) up(id int32) {
	b.t.Helper()
	l, err := b.net.Listen(b.t.Context(), "tcp", addr(id))
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners[id] = l
	b.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns[id] = append(b.conns[id], conn)
			b.mu.Unlock()
			b.wg.Go(func() { b.serve(id, conn) })
		}
	})
}

// down kills a broker.
func (b *brokers) down(id int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.listeners[id]; l != nil {
		l.Close()
	}
	for _, conn := range b.conns[id] {
		conn.Close()
	}
	delete(b.listeners, id)
	delete(b.conns, id)
}

// close ends all, once nobody is connected any more.
func (b *brokers) close() {
	for id := range int32(10) {
		b.down(id)
	}
	b.change("", func(*log) {})
	b.wg.Wait()
}

// change changes a log and wakes who waits for that.
func (b *brokers) change(name string, how func(*log)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.logs[name]
	if l == nil {
		l = &log{whole: true}
		b.logs[name] = l
	}
	how(l)
	close(b.changed)
	b.changed = make(chan struct{})
}

// write appends batches.
func (b *brokers) write(name string, batches ...batch) {
	b.change(name, func(l *log) {
		for _, one := range batches {
			l.batches, l.end = append(l.batches, one), one.last+1
		}
	})
}

// questions returns what was asked since the last call, a line each.
func (b *brokers) questions() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := strings.Join(b.asked, "\n")
	b.asked, b.began = nil, time.Now()
	return out
}

func (b *brokers) serve(id int32, conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
		req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
		body := frame[10+binary.BigEndian.Uint16(frame[8:]):]
		if req.IsFlexible() {
			body = body[1:] // no tags
		}
		if err := req.ReadFrom(body); err != nil {
			b.t.Error(err)
			return
		}
		resp := b.answer(id, req)
		resp.SetVersion(req.GetVersion())
		out := slices.Clone(frame[4:8])
		if resp.IsFlexible() && resp.Key() != 18 {
			out = append(out, 0)
		}
		out = resp.AppendTo(out)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out))), out...)); err != nil {
			return
		}
	}
}

func (b *brokers) answer(id int32, req kmsg.Request) kmsg.Response {
	var resp kmsg.Response
	switch req := req.(type) {
	case *kmsg.ApiVersionsRequest:
		return versions()
	case *kmsg.ListOffsetsRequest:
		resp = b.list(id, req)
	case *kmsg.FetchRequest:
		resp = b.fetch(id, req)
	default:
		b.t.Errorf("asked for %s", kmsg.NameForKey(req.Key()))
		return req.ResponseKind()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spoil != nil {
		b.spoil(resp)
	}
	return resp
}

// versions answers ApiVersions.
func versions() kmsg.Response {
	r := kmsg.NewPtrApiVersionsResponse()
	for key, highest := range map[int16]int16{1: 13, 2: 7, 18: 3} {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MaxVersion = key, highest
		r.ApiKeys = append(r.ApiKeys, k)
	}
	return r
}

// wrong tells why a broker does not answer for a partition, 0 if it does.
func (l *log) wrong(id, epoch int32, code int16) int16 {
	switch {
	case code != 0:
		return code
	case l.leader != id:
		return kerr.NotLeaderForPartition.Code
	case epoch >= 0 && epoch < l.epoch:
		return kerr.FencedLeaderEpoch.Code
	case epoch > l.epoch:
		return kerr.UnknownLeaderEpoch.Code
	}
	return 0
}

func (b *brokers) list(id int32, req *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := fmt.Sprintf("%v broker %d list", time.Since(b.began), id)
	if req.IsolationLevel == 1 {
		line += " committed"
	}
	resp := kmsg.NewPtrListOffsetsResponse()
	for _, rt := range req.Topics {
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			n := name(rt.Topic, rp.Partition)
			line += fmt.Sprintf(" %s@%d/%d", n, rp.Timestamp, rp.CurrentLeaderEpoch)
			l, p := b.logs[n], kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition = rp.Partition
			switch p.ErrorCode = l.wrong(id, rp.CurrentLeaderEpoch, l.findCode); {
			case p.ErrorCode != 0:
			case rp.Timestamp == -2:
				p.Offset = l.start
			default:
				p.Offset = l.end
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	if req.ReplicaID != -1 {
		b.t.Errorf("asked as replica %d", req.ReplicaID)
	}
	b.asked = append(b.asked, line)
	return resp
}

func (b *brokers) fetch(id int32, req *kmsg.FetchRequest) *kmsg.FetchResponse {
	b.mu.Lock()
	line := fmt.Sprintf("%v broker %d fetch", time.Since(b.began), id)
	if req.IsolationLevel == 1 {
		line += " committed"
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			line += fmt.Sprintf(" %s@%d/%d", name(t.Topic, p.Partition), p.FetchOffset, p.CurrentLeaderEpoch)
		}
	}
	if req.ReplicaID != -1 || req.SessionID != 0 || req.SessionEpoch != -1 {
		b.t.Errorf("asked as replica %d in session %d, %d", req.ReplicaID, req.SessionID, req.SessionEpoch)
	}
	b.asked = append(b.asked, line)
	b.mu.Unlock()
	timer := time.NewTimer(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	defer timer.Stop()
	for {
		b.mu.Lock()
		resp, size := b.read(id, req)
		changed, up := b.changed, b.listeners[id] != nil
		b.mu.Unlock()
		if size >= req.MinBytes || !up {
			return resp
		}
		select {
		case <-changed:
		case <-timer.C:
			return resp
		}
	}
}

// read returns what an answer would hold now; an error counts as any size.
func (b *brokers) read(id int32, req *kmsg.FetchRequest) (resp *kmsg.FetchResponse, size int32) {
	resp = kmsg.NewPtrFetchResponse()
	room := req.MaxBytes
	for _, rt := range req.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := b.logs[name(rt.Topic, rp.Partition)].read(id, &rp, room, size == 0)
			if p.ErrorCode != 0 {
				size += req.MinBytes
			}
			size += int32(len(p.RecordBatches))
			room -= int32(len(p.RecordBatches))
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp, size
}

// read reads one partition; the first batch of an answer comes whatever its size.
func (l *log) read(id int32, req *kmsg.FetchRequestTopicPartition, room int32, first bool) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = req.Partition, l.end, l.end, l.start
	p.ErrorCode = l.wrong(id, req.CurrentLeaderEpoch, l.code)
	if p.ErrorCode == 0 && (req.FetchOffset < l.start || req.FetchOffset > l.end) {
		p.ErrorCode = kerr.OffsetOutOfRange.Code
	}
	if p.ErrorCode != 0 {
		return p
	}
	p.AbortedTransactions = l.aborted
	room = min(room, req.PartitionMaxBytes)
	for _, one := range l.batches {
		if one.last < req.FetchOffset {
			continue
		}
		left := room - int32(len(p.RecordBatches))
		if first && l.whole && len(p.RecordBatches) == 0 {
			left = max(left, int32(len(one.data)))
		}
		p.RecordBatches = append(p.RecordBatches, one.data[:max(0, min(left, int32(len(one.data))))]...)
	}
	return p
}

// dial is a link.Config.Dial.
func (b *brokers) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return b.net.Dial(ctx, network, address)
}
