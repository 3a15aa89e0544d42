package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/record"
)

// RequiredAcks is what a record must have reached before it counts as written.
type RequiredAcks int16

const (
	// AcksAll waits for all replicas that are in sync: what is acknowledged survives
	// as long as one of them does. It is the default.
	AcksAll RequiredAcks = -1
	// AcksLeader waits for the leader alone.
	AcksLeader RequiredAcks = 1
	// AcksNone waits for nothing: a record counts as written when it was sent, and
	// has no offset.
	AcksNone RequiredAcks = 0
)

// Codec is how batches are compressed.
type Codec int8

// The codecs, with the numbers that batches have. Zstd needs brokers of 2.1 or newer.
const (
	Uncompressed = Codec(record.None)
	Gzip         = Codec(record.Gzip)
	Snappy       = Codec(record.Snappy)
	LZ4          = Codec(record.LZ4)
	Zstd         = Codec(record.Zstd)
)

// producerOptions is what a Producer is made with.
type producerOptions struct {
	connection
	acks            RequiredAcks
	strategy        Strategy
	linger          time.Duration
	batchBytes      int
	bufferBytes     int
	codec           Codec
	idempotent      bool
	idempotentAsked bool
	delivery        time.Duration
	request         time.Duration
	layerFour       bool
	seeds           []string
}

type producerOption func(*producerOptions)

func (f producerOption) producer(o *producerOptions) { f(o) }

// Acks sets what a record must have reached before it is acknowledged.
func Acks(a RequiredAcks) ProducerOption {
	return producerOption(func(o *producerOptions) { o.acks = a })
}

// Partitioner sets which partition a record goes to; KeyHash is the default.
func Partitioner(s Strategy) ProducerOption {
	return producerOption(func(o *producerOptions) { o.strategy = s })
}

// Linger makes a batch that is not full wait so long for more records; 0, the
// default, sends it at once. Records gather all the same while the batch before
// theirs is on its way.
func Linger(d time.Duration) ProducerOption {
	return producerOption(func(o *producerOptions) { o.linger = d })
}

// BatchBytes sets how much a batch holds before compression, in bytes; 1,000,000 is
// the default, a little less than brokers take. A larger record has a batch alone.
func BatchBytes(n int) ProducerOption {
	return producerOption(func(o *producerOptions) { o.batchBytes = n })
}

// BufferBytes sets how much may wait to be acknowledged, in bytes; 32 MiB is the
// default. Send and SendAsync wait while there is no room.
func BufferBytes(n int) ProducerOption {
	return producerOption(func(o *producerOptions) { o.bufferBytes = n })
}

// Compression sets how batches are compressed; Uncompressed is the default.
func Compression(c Codec) ProducerOption {
	return producerOption(func(o *producerOptions) { o.codec = c })
}

// Idempotent sets whether brokers take each record once, however often it had to be
// sent: then every acknowledged record is in the log exactly once, and in the order
// in which records of its partition were given to the producer. It is the default
// with AcksAll, which it needs. Without it the order holds too, but a record whose
// acknowledgement was lost may be in the log twice.
func Idempotent(on bool) ProducerOption {
	return producerOption(func(o *producerOptions) { o.idempotent, o.idempotentAsked = on, true })
}

// DeliveryTimeout sets after which time a record is given up, with ErrTimeout; 2
// minutes is the default. A record that is on its way is not given up before the
// answer is here or its connection failed.
func DeliveryTimeout(d time.Duration) ProducerOption {
	return producerOption(func(o *producerOptions) { o.delivery = d })
}

// RequestTimeout sets how long a broker may take to answer, replicas included; 30
// seconds is the default. Then the batch is sent again.
func RequestTimeout(d time.Duration) ProducerOption {
	return producerOption(func(o *producerOptions) { o.request = d })
}

// LayerFour makes the producer spread load as producers without ZooKeeper did: its
// own IP address and port choose one broker for it, and it sends everything there
// over one TCP connection.
//
// The brokers are read from ZooKeeper once, or given by Brokers. The producer then
// asks its broker, and nobody else, which partitions that broker leads, and
// produces to those; Strategy sees only them. It fails with ErrNotLed for a topic
// of which its broker leads no partition. It does not notice brokers that come or
// go: while its broker is down, records wait and time out. Load differs from
// producer to producer, so brokers fill unevenly, and with KeyHash equal keys of
// different producers end up in different partitions.
func LayerFour() ProducerOption {
	return producerOption(func(o *producerOptions) { o.layerFour = true })
}

// Brokers gives LayerFour the brokers to choose from, host:port each, in an order
// that is the same for all producers. ZooKeeper is then not asked at all.
func Brokers(addrs ...string) ProducerOption {
	return producerOption(func(o *producerOptions) { o.seeds = addrs })
}

// gatherProducer applies opts to the defaults and checks what came of it.
func gatherProducer(opts []ProducerOption) (producerOptions, error) {
	o := producerOptions{
		connection: defaults(), acks: AcksAll, strategy: KeyHash(), batchBytes: 1_000_000, bufferBytes: 32 << 20,
		idempotent: true, delivery: 2 * time.Minute, request: 30 * time.Second,
	}
	for i, opt := range opts {
		if opt == nil {
			return o, fmt.Errorf("option %d is nil", i)
		}
		opt.producer(&o)
	}
	if err := o.check(); err != nil {
		return o, err
	}
	if !o.idempotentAsked {
		o.idempotent = o.acks == AcksAll
	}
	switch {
	case o.acks < AcksAll || o.acks > AcksLeader:
		return o, fmt.Errorf("acks %d: want AcksAll, AcksLeader or AcksNone", o.acks)
	case o.idempotent && o.acks != AcksAll:
		return o, errors.New("an idempotent producer needs AcksAll")
	case !record.Codec(o.codec).Known():
		return o, fmt.Errorf("compression %d is not known", o.codec)
	case o.strategy.picker == nil:
		return o, errors.New("partitioner is none of KeyHash, RoundRobin, Sticky, Manual, PartitionBy with a function")
	case o.batchBytes < 1 || o.bufferBytes < 1 || o.linger < 0 || o.delivery <= 0 || o.request <= 0:
		return o, fmt.Errorf("batch of %d bytes, buffer of %d, linger %v, delivery timeout %v and request timeout %v must be positive",
			o.batchBytes, o.bufferBytes, o.linger, o.delivery, o.request)
	case len(o.seeds) > 0 && !o.layerFour:
		return o, errors.New("Brokers is for LayerFour; otherwise ZooKeeper names the brokers")
	}
	return o, nil
}
