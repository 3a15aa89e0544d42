package record

// Upconvert makes one v2 batch of what an old producer sent (Produce v0 to v2):
// plain messages of magic 0 or 1, or one wrapper. Messages get the offsets 0, 1,
// 2…; magic 0 has timestamp -1, magic 1 keeps its own or, under a LogAppendTime
// wrapper, the wrapper's; there is no producer. Each message is checked as
// ValidateRecords checks records.
//
// The batch lives in bl until its next Reset and wants Assign. Errors:
// *CorruptError for a checksum, ErrShort for a tail that is not whole (corrupt,
// in a request), *InvalidError for framing and mixed formats, *RejectedError,
// *DecompressError, ErrTooLarge, ErrUnsupportedCodec.
func Upconvert(bl *Builder, set []byte, t Target, r *Rules) (Batch, Summary, error) {
	source, err := surveySet(set)
	if err != nil {
		return nil, Summary{}, err
	}
	bl.Reset(Spec{
		Codec: t.codec(source), Level: t.Level, MaxBytes: t.MaxBytes,
		TimestampType: r.TimestampType, LogAppendTime: r.Now,
	})
	if bl.err != nil {
		return nil, Summary{}, bl.err
	}
	c := checker{rules: r}
	c.sum = Summary{MaxTimestamp: NoTimestamp, MaxTimestampDelta: -1, Sequential: true}
	for e, err := range Entries(set) {
		if err == nil {
			err = c.convert(bl, e)
		}
		if err != nil {
			bl.drop()
			return nil, c.sum, err
		}
	}
	sum, err := c.finish(nil)
	if err != nil {
		bl.drop()
		return nil, sum, err
	}
	sum.RecordBytes = bl.rawBytes
	b, err := bl.Build()
	return b, sum, err
}

// surveySet verifies the entries of a set and gives the codec of its wrapper.
func surveySet(set []byte) (source Codec, err error) {
	count, magic := 0, int8(0)
	for e, err := range Entries(set) {
		if err != nil {
			return None, err
		}
		if err := e.Verify(); err != nil {
			return None, err
		}
		if count == 0 {
			magic = e.Magic()
		} else if e.Magic() != magic {
			return None, invalid("Batch magic %d is not the same as the first batch's magic byte %d", e.Magic(), magic)
		}
		if e.Codec() != None {
			source = e.Codec()
		}
		count++
	}
	switch {
	case count == 0:
		return None, invalid("Record batch has no batches at all")
	case count > 1 && source != None:
		return None, invalid("Compressed outer record has more than one batch")
	}
	return source, nil
}

// convert checks the messages of e and, while none is rejected, appends them.
func (c *checker) convert(bl *Builder, e Entry) error {
	c.from.fixed = e.TimestampType() == LogAppendTime
	last := int64(0)
	err := e.messages(func(m *Record) error {
		last = m.Offset
		delta := c.sum.Count
		c.from.offset = m.Offset - int64(delta)
		c.check(delta, m.Timestamp, m.Key != nil)
		if c.rejected == nil {
			bl.Append(m.Timestamp, m.Key, m.Value)
		}
		return bl.err
	})
	if err == nil && e.Codec() != None && e.Magic() == 1 {
		_, err = e.baseOffset(last)
	}
	return err
}
