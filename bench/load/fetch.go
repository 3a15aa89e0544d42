package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// fetchVersion is the last that names topics; later ones differ by the id.
const fetchVersion = 12

// drainBuffer takes in what is thrown away: small enough to stay in the
// processor's cache.
const drainBuffer = 256 << 10

// Fetch is a raw fetch load: every connection reads its own partition
// (connection number modulo Partitions) from its start, one request at a
// time, and begins again at the end. The partitions must hold nothing but
// copies of Batch: where the next fetch begins is computed, not decoded.
type Fetch struct {
	Topic       string
	Partitions  int
	Connections int
	MaxBytes    int32 // of each answer
	Batch       Batch
	Limit       Limit
}

// Run reads until the limit.
func (f Fetch) Run(ctx context.Context, addr string) (*Result, error) {
	batch, err := f.Batch.Encode(time.Now())
	if err != nil {
		return nil, err
	}
	return runAll(ctx, []string{addr}, f.Connections, f.Limit, func(i int, nc net.Conn, b *budget) (*Result, error) {
		c, err := newFetcher(nc, f, int32(i%f.Partitions), len(batch))
		if err == nil {
			err = c.run(b)
		}
		if err != nil {
			return nil, fmt.Errorf("fetch on connection %d: %w", i, err)
		}
		return c.result, nil
	})
}

// offsetMark stands for the fetch offset while the request is encoded, so that
// its place can be found.
const offsetMark = 0x0123456789abcdef

func fetchFrame(topic string, partition int32, maxBytes int32) (f []byte, offsetAt int, err error) {
	req := wire.NewFetchRequest()
	req.MaxWaitMs, req.MinBytes, req.MaxBytes = 500, 1, maxBytes
	p := wire.NewFetchRequestPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offsetMark, maxBytes
	req.Topics = []wire.FetchRequestTopic{{Topic: topic, Partitions: []wire.FetchRequestPartition{p}}}
	if f, err = frame(req, fetchVersion); err != nil {
		return nil, 0, err
	}
	for at := range f[:len(f)-7] {
		if binary.BigEndian.Uint64(f[at:]) == offsetMark {
			return f, at, nil
		}
	}
	return nil, 0, fmt.Errorf("the fetch offset is nowhere in the request")
}

// fetchAnswer is the head of an answer for one partition without aborted
// transactions.
type fetchAnswer struct {
	highWatermark int64
	records       int // bytes
}

// fetchHead is the longest head: all before the records, whose length takes up
// to five bytes.
func fetchHead(topic string) int { return fetchCodeAt(topic) + 2 + 8 + 8 + 8 + 1 + 4 + 5 }

// fetchCodeAt is where the partition's error code stands: correlation id,
// header tags, throttle time, error code, session id, one topic, its name, one
// partition, its index.
func fetchCodeAt(topic string) int { return 4 + 1 + 4 + 2 + 4 + 1 + 1 + len(topic) + 1 + 4 }

// parse reads the head; what is not there is an error, whole or not.
func (a *fetchAnswer) parse(head []byte, topic string, want int32) error {
	codeAt := fetchCodeAt(topic)
	if len(head) < codeAt+2+8+8+8+1+4+1 {
		return fmt.Errorf("answer %d: %w", want, io.ErrUnexpectedEOF)
	}
	if err := checkAnswer(head, want, codeAt); err != nil {
		return err
	}
	a.highWatermark = int64(binary.BigEndian.Uint64(head[codeAt+2:]))
	at := codeAt + 2 + 8 + 8 + 8
	if head[at] > 1 {
		return fmt.Errorf("answer %d lists aborted transactions", want)
	}
	n, k := binary.Uvarint(head[at+1+4:])
	if k <= 0 {
		return fmt.Errorf("answer %d: length of the records: %w", want, io.ErrUnexpectedEOF)
	}
	a.records = max(0, int(n)-1)
	return nil
}

type fetcher struct {
	Fetch
	nc        net.Conn
	request   []byte
	offsetAt  int
	batchSize int
	buf       []byte
	answer    fetchAnswer
	result    *Result
}

func newFetcher(nc net.Conn, f Fetch, partition int32, batchSize int) (*fetcher, error) {
	req, at, err := fetchFrame(f.Topic, partition, f.MaxBytes)
	return &fetcher{Fetch: f, nc: nc, request: req, offsetAt: at, batchSize: batchSize,
		buf: make([]byte, drainBuffer), result: &Result{}}, err
}

func (c *fetcher) run(b *budget) error {
	offset := int64(0)
	for id := int32(0); ; id++ {
		now := time.Now()
		if b.claim(1, int(c.MaxBytes), now) == 0 {
			return nil
		}
		binary.BigEndian.PutUint32(c.request[corrAt:], uint32(id))
		binary.BigEndian.PutUint64(c.request[c.offsetAt:], uint64(offset))
		if _, err := c.nc.Write(c.request); err != nil {
			return err
		}
		if err := c.receive(id); err != nil {
			return err
		}
		c.result.Latency.Record(time.Since(now))
		batches := c.answer.records / c.batchSize
		if batches == 0 {
			return fmt.Errorf("answer %d from offset %d has %d bytes of records, a batch has %d", id, offset, c.answer.records, c.batchSize)
		}
		c.result.Requests++
		c.result.Bytes += int64(c.answer.records)
		c.result.Records += int64(batches * c.Batch.Records)
		if offset += int64(batches * c.Batch.Records); offset >= c.answer.highWatermark {
			offset = 0
		}
	}
}

// receive reads one answer: its head, then the rest into the void.
func (c *fetcher) receive(want int32) error {
	have := 0
	for have < 4 || have < 4+min(fetchHead(c.Topic), int(binary.BigEndian.Uint32(c.buf))) {
		n, err := c.nc.Read(c.buf[have:])
		if err != nil {
			return fmt.Errorf("answer %d: %w", want, err)
		}
		have += n
	}
	left := 4 + int(binary.BigEndian.Uint32(c.buf)) - have
	if left < 0 {
		return fmt.Errorf("answer %d is followed by %d bytes that nobody asked for", want, -left)
	}
	if err := c.answer.parse(c.buf[4:have], c.Topic, want); err != nil {
		return err
	}
	for left > 0 {
		n, err := c.nc.Read(c.buf[:min(left, len(c.buf))])
		if err != nil {
			return fmt.Errorf("answer %d: %w", want, err)
		}
		left -= n
	}
	return nil
}
