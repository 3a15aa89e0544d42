package node

import (
	"time"

	"github.com/gregor-mq/gregor/api"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/storage"
	"github.com/gregor-mq/gregor/storage/producer"
	"github.com/gregor-mq/gregor/wire"
)

// appender is the log of an internal topic as its coordinator sees it.
type appender struct {
	replicas *replica.Manager
	topic    string
	// timeout is offsets.commit.timeout.ms.
	timeout time.Duration
}

// Append implements coordinator.Appender.
func (a appender) Append(partition, epoch int32, batch []byte, done func(base int64, code wire.Code)) {
	a.replicas.Append(&replica.AppendRequest{
		Topic: a.topic, Partition: partition, Records: batch, Acks: replica.AcksAll,
		LeaderEpoch: epoch, Timeout: a.timeout, Origin: producer.Coordinator,
	}, func(res replica.AppendResult) { done(res.BaseOffset, api.Code(res.Err)) })
}

// Read implements coordinator.Appender.
func (a appender) Read(partition int32, offset int64, buf []byte) ([]byte, error) {
	log, err := a.replicas.Log(a.topic, partition)
	if err != nil {
		return nil, err
	}
	offset = max(offset, log.StartOffset())
	end := log.EndOffset()
	if offset >= end {
		return nil, nil
	}
	span, err := log.Read(offset, end, cap(buf), true)
	if err != nil {
		return nil, err
	}
	defer span.Release()
	out, err := span.AppendTo(buf[:0])
	if err != nil {
		return nil, err
	}
	return storage.Whole(out), nil
}
