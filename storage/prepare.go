package storage

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
)

var builders = sync.Pool{New: func() any { return new(record.Builder) }}

// rewriter lends a builder to an append whose batch cannot be stored as it
// came; the batch lives in the builder until release.
type rewriter struct{ bl *record.Builder }

func (r *rewriter) builder() *record.Builder {
	if r.bl == nil {
		r.bl = builders.Get().(*record.Builder)
	}
	return r.bl
}

func (r *rewriter) release() {
	if r.bl != nil {
		builders.Put(r.bl)
		r.bl = nil
	}
}

// prepare checks what a producer or coordinator sent and makes it what the
// topic wants, before any lock is taken.
func (l *Log) prepare(src []byte, cfg *Config, opt *AppendOptions, rewrite *rewriter) (record.Batch, record.Summary, error) {
	rules := record.Rules{
		Partition:     l.name,
		Now:           opt.Now.UnixMilli(),
		TimestampType: cfg.TimestampType,
		MaxBeforeMs:   cfg.MaxBeforeMs,
		MaxAfterMs:    cfg.MaxAfterMs,
		NeedKeys:      cfg.Compact,
		Internal:      opt.Origin != producer.Client,
	}
	target := record.Target{Codec: cfg.Codec, Keep: cfg.KeepCodec, Level: cfg.CodecLevel, MaxBytes: int(cfg.MaxMessageBytes)}
	b, err := oneBatch(src, cfg)
	if errors.Is(err, record.ErrOldFormat) {
		whole := cutTail(src)
		if len(whole) == 0 {
			return nil, record.Summary{}, noBatch(src)
		}
		return record.Upconvert(rewrite.builder(), whole, target, &rules)
	}
	if err != nil {
		return nil, record.Summary{}, err
	}
	if err := b.Verify(); err != nil {
		return nil, record.Summary{}, err
	}
	sum, err := b.ValidateRecords(&rules)
	if err != nil {
		return nil, sum, err
	}
	// Kafka leaves uncompressed control batches as they are.
	other := !cfg.KeepCodec && b.Codec() != cfg.Codec && !(b.IsControl() && b.Codec() == record.None)
	if other || !sum.Sequential && !rules.Internal {
		if b, err = record.Recompress(rewrite.builder(), b, target, &rules); err != nil {
			return nil, sum, err
		}
	}
	b.SetMaxTimestamp(rules.TimestampType, sum.MaxTimestamp)
	return b, sum, nil
}

// oneBatch cuts the only batch off src. Producers send one batch per partition.
func oneBatch(src []byte, cfg *Config) (record.Batch, error) {
	b, rest, err := record.Next(src)
	switch {
	case errors.Is(err, record.ErrShort):
		return nil, noBatch(src)
	case err != nil:
		return nil, err
	case len(b) > int(cfg.MaxMessageBytes):
		return nil, fmt.Errorf("batch of %d bytes, max.message.bytes is %d: %w", len(b), cfg.MaxMessageBytes, ErrTooLarge)
	}
	if rest = cutTail(rest); len(rest) == 0 {
		return b, nil
	}
	if _, _, err := record.Peek(rest); err != nil {
		return nil, err
	}
	return nil, &record.InvalidError{Reason: "Compressed outer record has more than one batch"}
}

// cutTail drops the bytes behind the last whole entry, of any format, of what a
// producer sent: they are too few to be one. Bytes that are none stay.
func cutTail(src []byte) []byte {
	n := 0
	for n < len(src) {
		size, _, err := record.Peek(src[n:])
		if errors.Is(err, record.ErrShort) || err == nil && size > len(src)-n {
			return src[:n]
		}
		if err != nil {
			break // for whoever reads it to refuse
		}
		n += size
	}
	return src
}

func noBatch(src []byte) error {
	return &record.CorruptError{Reason: fmt.Sprintf("%d bytes hold no whole batch", len(src))}
}
