package load

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakeBroker answers what the loads send, decoded and encoded by kmsg, which
// shares no code with what is tested.
type fakeBroker struct {
	t    *testing.T
	addr string
	wg   sync.WaitGroup

	mu struct {
		sync.Mutex
		conns    int
		produced map[int32][]record.Batch // by partition
		refuse   int16                    // error code of every answer
		leaders  int                      // of the partitions shown; one more with every look
		cluster  []string                 // addresses of all brokers; partition i is led by the i-th, by the next when that is gone
		looked   func(leaders int)        // is told of every look, if set
		gone     int32                    // the broker of the cluster that leads nothing after the second look, -1 for none
		created  []kmsg.CreateTopicsRequestTopic
	}
}

const fakePartitions = 3

func newFakeBroker(t *testing.T) *fakeBroker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBroker{t: t, addr: l.Addr().String()}
	b.mu.produced, b.mu.gone = map[int32][]record.Batch{}, -1
	t.Cleanup(func() {
		l.Close()
		b.wg.Wait()
	})
	b.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.mu.conns++
			b.mu.Unlock()
			b.wg.Go(func() { b.serve(nc) })
		}
	})
	return b
}

func (b *fakeBroker) serve(nc net.Conn) {
	defer nc.Close()
	var size [4]byte
	for {
		if _, err := io.ReadFull(nc, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(nc, frame); err != nil {
			return
		}
		h, body, err := wire.DecodeRequestHeader(frame)
		if err != nil {
			b.t.Errorf("request header: %v", err)
			return
		}
		req := kmsg.RequestForKey(int16(h.Key))
		req.SetVersion(h.Version)
		if err := req.ReadFrom(body); err != nil {
			b.t.Errorf("%v v%d: %v", h.Key, h.Version, err)
			return
		}
		resp := b.answer(req)
		resp.SetVersion(h.Version)
		out := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(h.CorrelationID))
		if resp.IsFlexible() && h.Key != wire.KeyApiVersions {
			out = append(out, 0)
		}
		out = resp.AppendTo(out)
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

func (b *fakeBroker) answer(req kmsg.Request) kmsg.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		return b.produceLocked(req)
	case *kmsg.FetchRequest:
		return b.fetchLocked(req)
	case *kmsg.MetadataRequest:
		return b.metadataLocked(req)
	case *kmsg.CreateTopicsRequest:
		resp := kmsg.NewPtrCreateTopicsResponse()
		b.mu.created = append(b.mu.created, req.Topics...)
		for _, t := range req.Topics {
			rt := kmsg.NewCreateTopicsResponseTopic()
			rt.Topic, rt.ErrorCode = t.Topic, b.mu.refuse
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	default:
		resp := req.ResponseKind()
		if v, ok := resp.(*kmsg.ApiVersionsResponse); ok {
			v.ErrorCode = b.mu.refuse
		}
		return resp
	}
}

func (b *fakeBroker) produceLocked(req *kmsg.ProduceRequest) kmsg.Response {
	resp := kmsg.NewPtrProduceResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, b.mu.refuse
			rt.Partitions = append(rt.Partitions, rp)
			b.mu.produced[p.Partition] = append(b.mu.produced[p.Partition], record.Batch(p.Records))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// fetchLocked serves what was produced from the batch that holds the offset,
// as much as is asked for, the last batch cut off where that ends.
func (b *fakeBroker) fetchLocked(req *kmsg.FetchRequest) kmsg.Response {
	resp := kmsg.NewPtrFetchResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, b.mu.refuse
			rp.RecordBatches = []byte{}
			for _, batch := range b.mu.produced[p.Partition] {
				if rp.HighWatermark += int64(batch.Count()); rp.HighWatermark > p.FetchOffset {
					rp.RecordBatches = append(rp.RecordBatches, batch...)
				}
			}
			rp.RecordBatches = rp.RecordBatches[:min(len(rp.RecordBatches), int(p.PartitionMaxBytes))]
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (b *fakeBroker) metadataLocked(req *kmsg.MetadataRequest) kmsg.Response {
	resp := kmsg.NewPtrMetadataResponse()
	b.mu.leaders++
	if b.mu.looked != nil {
		b.mu.looked(b.mu.leaders)
	}
	if b.mu.leaders > 1 {
		resp.Brokers = []kmsg.MetadataResponseBroker{{Host: "localhost", Port: 1}}
	}
	if len(b.mu.cluster) > 0 {
		resp.Brokers, resp.ControllerID = clusterBrokers(b.t, b.mu.cluster), int32(len(b.mu.cluster)-1)
	}
	for _, t := range req.Topics {
		rt := kmsg.NewMetadataResponseTopic()
		rt.Topic = t.Topic
		for i := range int32(fakePartitions) {
			rp := kmsg.NewMetadataResponseTopicPartition()
			if rp.Partition = i; int(i) >= b.mu.leaders {
				rp.Leader, rp.ErrorCode = -1, int16(wire.CodeLeaderNotAvailable)
			} else if n := int32(len(b.mu.cluster)); n > 0 {
				if rp.Leader = i % n; rp.Leader == b.mu.gone && b.mu.leaders > fakePartitions+1 {
					rp.Leader = (i + 1) % n
				}
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func clusterBrokers(t *testing.T, addrs []string) []kmsg.MetadataResponseBroker {
	var out []kmsg.MetadataResponseBroker
	for i, addr := range addrs {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Error(err)
			continue
		}
		out = append(out, kmsg.MetadataResponseBroker{NodeID: int32(i), Host: a.IP.String(), Port: int32(a.Port)})
	}
	return out
}
