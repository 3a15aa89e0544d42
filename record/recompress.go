package record

// Target says how a rewritten batch is stored.
type Target struct {
	Codec    Codec
	Keep     bool // compression.type=producer: the codec the source has, Codec is not looked at
	Level    int  // compression.<codec>.level; DefaultLevel for the codec's own
	MaxBytes int  // max.message.bytes; ErrTooLarge beyond it, 0 is no limit
}

func (t *Target) codec(source Codec) Codec {
	if t.Keep {
		return source
	}
	return t.Codec
}

// Recompress rewrites a batch with another codec, record by record, so that
// neither side is held inflated. Offsets, producer, flags, leader epoch and
// delete horizon stay; offset deltas of a batch without gaps are numbered anew.
// With rules the leader sets timestamp type and append time from them; without
// (nil) both stay. An uncompressed control batch stays uncompressed, as in Kafka.
//
// The result lives in bl until its next Reset. Errors are those of Records and
// Build.
func Recompress(bl *Builder, b Batch, t Target, r *Rules) (Batch, error) {
	spec := Spec{
		BaseOffset: b.BaseOffset(), Codec: t.codec(b.Codec()), Level: t.Level, MaxBytes: t.MaxBytes,
		TimestampType: b.TimestampType(), LogAppendTime: b.MaxTimestamp(),
		HasProducer: b.HasProducer(), ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		Transactional: b.IsTransactional(), Control: b.IsControl(),
	}
	spec.DeleteHorizon, spec.HasDeleteHorizon = b.DeleteHorizon()
	if r != nil {
		spec.TimestampType, spec.LogAppendTime = r.TimestampType, r.Now
	}
	if b.IsControl() && b.Codec() == None {
		spec.Codec = None
	}
	bl.Reset(spec)
	noGaps := int64(b.Count()) == int64(b.LastOffsetDelta())+1
	for rec, err := range b.Records() {
		if err != nil {
			bl.drop()
			return nil, err
		}
		if noGaps {
			rec.Offset = b.BaseOffset() + int64(bl.Count())
		}
		if bl.AppendRecord(&rec); bl.err != nil {
			break
		}
	}
	bl.SetLastOffsetDelta(b.LastOffsetDelta())
	out, err := bl.Build()
	if err != nil {
		return nil, err
	}
	out.SetLeaderEpoch(b.LeaderEpoch())
	return out, nil
}
