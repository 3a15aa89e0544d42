package api

import (
	"encoding/binary"
	"errors"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/replica"
	"github.com/gregor-mq/gregor/wire"
)

const (
	// zstdProduceVersion is the first that may carry zstd (KIP-110).
	zstdProduceVersion = 7
	// oneBatchVersion is the first that promises one v2 batch per partition.
	oneBatchVersion = 3
	// minRecordSize is the smallest length field Kafka bears, a magic 0 entry's.
	minRecordSize = 14
	// adminClientID is who may produce to internal topics.
	adminClientID = "__admin_client"
)

// cutBatch cuts the first batch off records with a look at length and magic
// only, as Kafka's request validation does. ErrShort says that no whole batch
// is left; other errors are refusals whose text is meant for the client.
func cutBatch(records []byte) (batch, rest []byte, err error) {
	if len(records) < record.LogOverhead {
		return nil, records, record.ErrShort
	}
	length := int32(binary.BigEndian.Uint32(records[8:]))
	if length < minRecordSize {
		return nil, records, refuse(wire.CodeCorruptMessage, "Record size %d is less than the minimum record overhead (%d)", length, minRecordSize)
	}
	if len(records) < record.PrefixSize {
		return nil, records, record.ErrShort
	}
	if magic := magicOf(records); magic < 0 || magic > 2 {
		return nil, records, refuse(wire.CodeCorruptMessage, "Invalid magic found in record: %d", magic)
	}
	size := record.LogOverhead + int(length)
	if size > len(records) {
		return nil, records, record.ErrShort
	}
	return records[:size:size], records[size:], nil
}

// magicOf is the magic of a batch of any format, at least PrefixSize long.
func magicOf(batch []byte) int8 { return int8(batch[record.PrefixSize-1]) }

// admit looks for what refuses a whole request, in its order: a batch that
// cannot be one, or one of a transaction in a request that names none.
func admit(req *wire.ProduceRequest) (wire.Code, *string) {
	for i := range req.TopicData {
		for j := range req.TopicData[i].PartitionData {
			batch, _, err := cutBatch(req.TopicData[i].PartitionData[j].Records.Bytes)
			switch {
			case errors.Is(err, record.ErrShort):
			case err != nil:
				return Code(err), new(err.Error())
			case magicOf(batch) == 2 && len(batch) >= record.HeaderSize && record.Batch(batch).IsTransactional():
				if req.TransactionalID == nil {
					return wire.CodeTransactionalIDAuthorizationFailed, nil
				}
				return wire.CodeNone, nil
			}
		}
	}
	return wire.CodeNone, nil
}

// acceptable checks what a request may say of one partition, in Kafka's order.
func (b *Broker) acceptable(c *context, acks int16, topic string, in *wire.ProduceRequestPartitionData) error {
	t := b.Metadata.Image().Topic(topic)
	if t == nil {
		return wire.CodeUnknownTopicOrPartition
	}
	if _, ok := t.Partition(in.Index); !ok {
		return wire.CodeUnknownTopicOrPartition
	}
	if err := promised(c.version(), in.Records.Bytes); err != nil {
		return err
	}
	switch {
	case acks < replica.AcksAll || acks > replica.AcksLeader:
		return wire.CodeInvalidRequiredAcks
	case isInternal(topic) && c.clientID() != adminClientID:
		return wire.CodeInvalidTopicException
	}
	return nil
}

// promised checks that records are what the version promises: one v2 batch from
// version 3 on. Bytes behind it that are no whole batch are let through and not
// stored. Old producers may send any format.
func promised(version int16, records []byte) error {
	if version < oneBatchVersion {
		return nil
	}
	batch, rest, err := cutBatch(records)
	switch {
	case errors.Is(err, record.ErrShort):
		return &record.InvalidError{Reason: "the records hold no whole batch"}
	case err != nil:
		return err
	case magicOf(batch) != 2:
		return &record.InvalidError{Reason: "produce requests of version 3 and above hold record batches of magic 2 only"}
	case version < zstdProduceVersion && len(batch) >= record.HeaderSize && record.Batch(batch).Codec() == record.Zstd:
		return wire.CodeUnsupportedCompressionType
	}
	switch _, _, err = cutBatch(rest); {
	case err == nil:
		return &record.InvalidError{Reason: "produce requests of version 3 and above hold exactly one record batch per partition"}
	case errors.Is(err, record.ErrShort):
		return nil
	}
	return err
}
