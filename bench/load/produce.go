package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
)

// produceVersion is what a Java client of Kafka 3.9 speaks.
const produceVersion = 11

// coalesce is how many bytes of small requests go into one write at most.
const coalesce = 64 << 10

// Batch says what every produce request of a load carries: one batch of
// records of equal size, without keys, uncompressed and incompressible.
type Batch struct {
	Records   int
	ValueSize int // bytes
}

// BatchOf is the batch of about size bytes whose records have values of so
// many bytes.
func BatchOf(size, valueSize int) Batch {
	return Batch{Records: max(1, size/valueSize), ValueSize: valueSize}
}

// Encode builds the batch; equal batches are equal bytes but for the time.
func (b Batch) Encode(now time.Time) (record.Batch, error) {
	rng := rand.New(rand.NewPCG(1, uint64(b.ValueSize)))
	value := make([]byte, b.ValueSize)
	var bl record.Builder
	bl.Reset(record.Spec{})
	for range b.Records {
		for i := range value {
			value[i] = byte(rng.Uint32())
		}
		bl.Append(now.UnixMilli(), nil, value)
	}
	return bl.Build()
}

// Produce is a raw produce load: every connection sends the same request to
// its own partition (connection number modulo Partitions).
type Produce struct {
	Topic       string
	Partitions  int
	Connections int
	InFlight    int // requests outstanding on each connection
	Acks        int16
	Batch       Batch
	Limit       Limit
}

// Run sends until the limit and returns when every answer has arrived.
func (p Produce) Run(ctx context.Context, addr string) (*Result, error) {
	return p.RunAt(ctx, []string{addr})
}

// RunAt is Run against several brokers: the addresses are those of the leaders
// of the partitions, from 0.
func (p Produce) RunAt(ctx context.Context, leaders []string) (*Result, error) {
	batch, err := p.Batch.Encode(time.Now())
	if err != nil {
		return nil, err
	}
	frames := make([][]byte, p.Connections)
	for i := range frames {
		if frames[i], err = produceFrame(p.Topic, int32(i%p.Partitions), p.Acks, batch); err != nil {
			return nil, err
		}
	}
	return runAll(ctx, leaders, p.Connections, p.Limit, func(i int, nc net.Conn, b *budget) (*Result, error) {
		c := newPipeline(nc, frames[i], p.InFlight)
		c.codeAt = produceCodeAt(p.Topic)
		if err := c.run(b, len(batch)); err != nil {
			return nil, fmt.Errorf("produce on connection %d: %w", i, err)
		}
		r := c.result
		r.Bytes, r.Records = r.Requests*int64(len(batch)), r.Requests*int64(p.Batch.Records)
		return r, nil
	})
}

func produceFrame(topic string, partition int32, acks int16, batch record.Batch) ([]byte, error) {
	req := wire.NewProduceRequest()
	req.Acks, req.TimeoutMs = acks, int32(grace.Milliseconds())
	req.TopicData = []wire.ProduceRequestTopicData{{Name: topic, PartitionData: []wire.ProduceRequestPartitionData{
		{Index: partition, Records: wire.Records{Bytes: batch}}}}}
	return frame(req, produceVersion)
}

// produceCodeAt is where the error code stands in the answer to a request for
// one partition, counted from the correlation id: id, header tags, one topic,
// its name, one partition, its index. Names are shorter than 127 bytes, so
// each length is one byte.
func produceCodeAt(topic string) int { return 4 + 1 + 1 + 1 + len(topic) + 1 + 4 }

// pipeline keeps up to window equal requests outstanding on one connection.
// One goroutine both writes and reads: answers are small, so the kernel holds
// them while a write blocks.
type pipeline struct {
	nc     net.Conn
	r      *bufio.Reader
	frames []byte // copies of the request, as many as one write may take
	size   int    // of one request
	window int
	codeAt int

	next   int32       // correlation id of the next request
	sentAt []time.Time // of the requests outstanding, by id modulo window
	result *Result
}

func newPipeline(nc net.Conn, request []byte, window int) *pipeline {
	copies := min(window, max(1, coalesce/len(request)))
	p := &pipeline{nc: nc, r: bufio.NewReader(nc), size: len(request), window: window,
		sentAt: make([]time.Time, window), result: &Result{}}
	for range copies {
		p.frames = append(p.frames, request...)
	}
	return p
}

func (p *pipeline) run(b *budget, batchSize int) error {
	outstanding := 0
	for n := b.take(p.window, batchSize); n > 0 || outstanding > 0; n = b.claim(p.window-outstanding, batchSize, time.Now()) {
		if err := p.send(n); err != nil {
			return err
		}
		outstanding += n
		// One answer is waited for; what arrived with it is taken along.
		for first := true; outstanding > 0 && (first || p.r.Buffered() > 0); first = false {
			if err := p.receive(p.next - int32(outstanding)); err != nil {
				return err
			}
			outstanding--
		}
	}
	return nil
}

func (p *pipeline) send(n int) error {
	for n > 0 {
		k := min(n, len(p.frames)/p.size)
		now := time.Now()
		for i := range k {
			binary.BigEndian.PutUint32(p.frames[i*p.size+corrAt:], uint32(p.next))
			p.sentAt[int(p.next)%p.window] = now
			p.next++
		}
		if _, err := p.nc.Write(p.frames[:k*p.size]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// receive reads the answer to the request with correlation id want.
func (p *pipeline) receive(want int32) error {
	head, err := p.r.Peek(4)
	if err != nil {
		return fmt.Errorf("answer %d: %w", want, err)
	}
	n := int(binary.BigEndian.Uint32(head))
	if n < p.codeAt+2 || n+4 > p.r.Size() {
		return fmt.Errorf("answer %d has %d bytes: %w", want, n, io.ErrUnexpectedEOF)
	}
	buf, err := p.r.Peek(4 + n)
	if err != nil {
		return fmt.Errorf("answer %d: %w", want, err)
	}
	if err := checkAnswer(buf[4:], want, p.codeAt); err != nil {
		return err
	}
	p.result.Requests++
	p.result.Latency.Record(time.Since(p.sentAt[int(want)%p.window]))
	_, err = p.r.Discard(4 + n)
	return err
}

// checkAnswer compares the correlation id and reads the error code.
func checkAnswer(answer []byte, want int32, codeAt int) error {
	if got := int32(binary.BigEndian.Uint32(answer)); got != want {
		return fmt.Errorf("answer to request %d arrived where %d was expected", got, want)
	}
	if code := wire.Code(binary.BigEndian.Uint16(answer[codeAt:])); code != wire.CodeNone {
		return fmt.Errorf("request %d: %w", want, code)
	}
	return nil
}
