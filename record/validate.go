package record

import (
	"fmt"
	"strings"
)

// Rules are what a leader asks of a batch, from the topic's configuration.
type Rules struct {
	Partition     string // topic-partition, for error texts
	Now           int64  // ms
	TimestampType TimestampType
	MaxBeforeMs   int64 // message.timestamp.before.max.ms
	MaxAfterMs    int64 // message.timestamp.after.max.ms
	NeedKeys      bool  // cleanup.policy contains compact
	// Internal says that the batch comes from a coordinator of this broker, not
	// from a client: control batches, any offsets and sequences are accepted.
	Internal bool
}

// Summary is what a walk learns of a batch.
type Summary struct {
	Count        int32
	MaxTimestamp int64 // ms; what the header should say, -1 for none
	// MaxTimestampDelta is the offset delta of the first record that has
	// MaxTimestamp, or of the last record where the broker sets the time; -1 if
	// there is no timestamp.
	MaxTimestampDelta int32
	// Sequential says that offset deltas are 0, 1, 2…. A producer's batch where
	// they are not must be rewritten (Recompress with its own codec numbers anew).
	Sequential bool
	// RecordBytes is the size of the records section uncompressed.
	RecordBytes int64
}

// MaxRecordErrors bounds how many records of a rejected batch are named, so
// that a request cannot buy a response many times its size.
const MaxRecordErrors = 10_000

// RecordError is one rejected record (KIP-467).
type RecordError struct {
	Index   int32 // in the batch, from 0
	Message string
}

// RejectedError says that records break rules of the topic. The whole batch is
// refused: INVALID_TIMESTAMP 32 if any timestamp is bad, else INVALID_RECORD 87.
type RejectedError struct {
	Timestamp bool // INVALID_TIMESTAMP
	Records   []RecordError
	Total     int // may exceed len(Records)
}

// Error is the text of Kafka's error_message field.
func (e *RejectedError) Error() string {
	if e.Timestamp {
		return "One or more records have been rejected due to invalid timestamp"
	}
	first := make([]string, 0, 3)
	for _, r := range e.Records[:min(3, len(e.Records))] {
		first = append(first, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", r.Index, r.Message))
	}
	return fmt.Sprintf("One or more records have been rejected due to %d record errors in total, "+
		"and only showing the first three errors at most: [%s]", e.Total, strings.Join(first, ", "))
}

// ValidateHeader checks what a leader asks of a client's batch before it looks
// at records: base offset 0, one offset per record, no control batch, a sequence
// number where there is a producer id. Errors are *InvalidError and
// ErrUnsupportedCodec. The checksum is Verify's business. The summary is what
// the header claims.
func (b Batch) ValidateHeader(r *Rules) (Summary, error) {
	sum := Summary{Count: b.Count(), MaxTimestamp: b.MaxTimestamp(), MaxTimestampDelta: b.LastOffsetDelta(), Sequential: true}
	if r.TimestampType == LogAppendTime {
		sum.MaxTimestamp = r.Now
	}
	if !b.Codec().Known() {
		return sum, fmt.Errorf("%s: %w", b.Codec(), ErrUnsupportedCodec)
	}
	if r.Internal {
		return sum, nil
	}
	count, offsets := b.Count(), int64(b.LastOffsetDelta())+1
	switch {
	case b.BaseOffset() != 0:
		return sum, invalid("The baseOffset of the record batch in the append to %s should be 0, but it is %d",
			r.Partition, b.BaseOffset())
	case offsets <= 0:
		return sum, invalid("Batch has an invalid offset range: [%d, %d] in topic partition %s",
			b.BaseOffset(), b.LastOffset(), r.Partition)
	case count <= 0:
		return sum, invalid("Invalid reported count for record batch: %d in topic partition %s", count, r.Partition)
	case offsets != int64(count):
		return sum, invalid("Inconsistent batch offset range [%d, %d] and count of records %d in topic partition %s",
			b.BaseOffset(), b.LastOffset(), count, r.Partition)
	case b.IsControl():
		return sum, invalid("Clients are not allowed to write control records in topic partition %s", r.Partition)
	case b.HasProducer() && b.BaseSequence() < 0:
		return sum, invalid("Invalid sequence number %d in record batch with producerId %d in topic partition %s",
			b.BaseSequence(), b.ProducerID(), r.Partition)
	}
	return sum, nil
}

// ValidateRecords is ValidateHeader and a walk over every record: framing and
// count, keys and timestamps as the rules ask. Compressed batches are inflated
// through a window and never held whole. Besides ValidateHeader's, errors are
// *RejectedError for records that break rules, *InvalidError for broken framing
// and *DecompressError. Nothing is allocated for a batch that passes.
func (b Batch) ValidateRecords(r *Rules) (Summary, error) {
	if sum, err := b.ValidateHeader(r); err != nil {
		return sum, err
	}
	c := checker{rules: r, from: b.origin()}
	c.sum = Summary{MaxTimestamp: NoTimestamp, MaxTimestampDelta: -1, Sequential: true}
	var err error
	if b.Codec() == None {
		err = c.walkFlat(b)
	} else {
		err = c.walkInflated(b)
	}
	return c.finish(err)
}

// checker applies rules to the records of one batch or old message set.
type checker struct {
	rules    *Rules
	from     origin
	sum      Summary
	rejected *RejectedError
}

func (c *checker) walkFlat(b Batch) error {
	rest := b.RecordBytes()
	c.sum.RecordBytes = int64(len(rest))
	for range b.Count() {
		body, more, ok := frame(rest)
		if !ok {
			return errFraming
		}
		s, ok := measure(body)
		if !ok {
			return errFraming
		}
		rest = more
		c.see(&s)
	}
	if len(rest) > 0 {
		return errRemaining
	}
	return nil
}

func (c *checker) walkInflated(b Batch) error {
	if b.Count() == 0 {
		return nil
	}
	s, err := openStream(b.Codec(), b.RecordBytes(), b.Magic())
	if err != nil {
		return err
	}
	defer s.close()
	for range b.Count() {
		sh, err := s.measure()
		if err != nil {
			return err
		}
		c.see(&sh)
	}
	c.sum.RecordBytes = s.taken
	return s.mustEnd()
}

// see checks the next record of a v2 batch.
func (c *checker) see(s *shape) {
	if s.offsetDelta != c.sum.Count {
		c.sum.Sequential = false
	}
	timestamp := c.from.timestamp
	if !c.from.fixed {
		timestamp += s.timestampDelta
	}
	c.check(s.offsetDelta, timestamp, s.keySize >= 0)
}

// check applies the rules; a key error hides a timestamp error, as in Kafka.
func (c *checker) check(delta int32, timestamp int64, hasKey bool) {
	r := c.rules
	index := c.sum.Count
	c.sum.Count++
	if timestamp > c.sum.MaxTimestamp {
		c.sum.MaxTimestamp, c.sum.MaxTimestampDelta = timestamp, delta
	}
	if r.NeedKeys && !hasKey {
		c.reject(index, false, "Compacted topic cannot accept message without key in topic partition %s", r.Partition)
		return
	}
	if r.TimestampType == CreateTime && timestamp != NoTimestamp {
		// Wrapping arithmetic, as Java's: with the default limits nothing is out of range.
		if diff := r.Now - timestamp; diff > r.MaxBeforeMs || -diff > r.MaxAfterMs {
			c.reject(index, true, "Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
				timestamp, c.from.offset+int64(delta), r.Now-r.MaxBeforeMs, r.Now+r.MaxAfterMs)
		}
		return
	}
	if c.from.fixed {
		c.reject(index, true, "Invalid timestamp type in message with offset %d. Producer should not set timestamp type to LogAppendTime.",
			c.from.offset+int64(delta))
	}
}

func (c *checker) reject(index int32, timestamp bool, format string, args ...any) {
	if c.rejected == nil {
		c.rejected = new(RejectedError)
	}
	e := c.rejected
	e.Total++
	e.Timestamp = e.Timestamp || timestamp
	if len(e.Records) < MaxRecordErrors {
		e.Records = append(e.Records, RecordError{Index: index, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) finish(err error) (Summary, error) {
	if err == nil && c.rejected != nil {
		err = c.rejected
	}
	if c.rules.TimestampType == LogAppendTime && c.sum.Count > 0 {
		c.sum.MaxTimestamp, c.sum.MaxTimestampDelta = c.rules.Now, c.sum.Count-1
	}
	return c.sum, err
}

// Assign gives an accepted batch its place in the log: base offset, leader
// epoch, timestamp type and largest timestamp. The checksum is computed again
// only if the last two change.
func (b Batch) Assign(offset int64, epoch int32, r *Rules, sum Summary) {
	b.SetBaseOffset(offset)
	b.SetLeaderEpoch(epoch)
	b.SetMaxTimestamp(r.TimestampType, sum.MaxTimestamp)
}
