package record

import (
	"encoding/binary"
	"iter"
)

// Downconvert appends to dst what an old consumer can read (Fetch v0 to v3) of
// src, whole batches of any format: entries of magic 0 or 1.
//
// Headers and control batches are dropped. Records of compressed batches go,
// recompressed with the same codec, into one wrapper each, with absolute
// offsets inside in magic 0 and relative ones in magic 1; those of uncompressed
// batches become plain messages, from startOffset on, because old librdkafka
// wants it so. Batches that are old enough are copied.
//
// dst grows by at most maxBytes (0 is no limit), else ErrTooLarge. zstd is
// ErrUnsupportedCodec; a tail that is not whole ErrShort. With an error the
// batches before it are still appended. Other errors are those of Records.
func Downconvert(dst, src []byte, magic int8, startOffset int64, maxBytes int) ([]byte, error) {
	d := downconverter{magic: magic, start: startOffset, out: sink{b: dst}}
	if maxBytes > 0 {
		d.out.limit = len(dst) + maxBytes
	}
	for len(src) > 0 {
		whole := len(d.out.b)
		rest, err := d.one(src)
		if err == nil && d.out.limit > 0 && len(d.out.b) > d.out.limit {
			err = ErrTooLarge
		}
		if err != nil {
			return d.out.b[:whole], err
		}
		src = rest
	}
	return d.out.b, nil
}

type downconverter struct {
	magic int8
	start int64
	out   sink
	raw   []byte // inner messages that wait for the encoder
}

// one converts the first batch of src.
func (d *downconverter) one(src []byte) (rest []byte, err error) {
	size, magic, err := Peek(src)
	switch {
	case err != nil:
		return nil, err
	case size > len(src):
		return nil, ErrShort
	case magic <= d.magic:
		_, err = d.out.Write(src[:size])
		return src[size:], err
	case magic == 1:
		e, rest, err := NextEntry(src)
		if err == nil {
			err = d.records(e.Records(), e.Codec(), e.TimestampType())
		}
		return rest, err
	}
	b, rest, err := Next(src)
	switch {
	case err != nil || b.IsControl():
		return rest, err
	case b.Codec() == Zstd || !b.Codec().Known():
		return nil, ErrUnsupportedCodec
	}
	return rest, d.records(b.Records(), b.Codec(), b.TimestampType())
}

func (d *downconverter) records(records iter.Seq2[Record, error], c Codec, t TimestampType) error {
	if c != None {
		return d.wrapper(records, c, t)
	}
	for r, err := range records {
		if err != nil {
			return err
		}
		if r.Offset < d.start {
			continue
		}
		d.out.b = appendEntry(d.out.b, d.magic, r.Offset, t, r.Timestamp, r.Key, r.Value)
		if d.out.limit > 0 && len(d.out.b) > d.out.limit {
			return ErrTooLarge
		}
	}
	return nil
}

// wrapper writes the records as one compressed entry; none make no entry.
func (d *downconverter) wrapper(records iter.Seq2[Record, error], c Codec, t TimestampType) error {
	start := len(d.out.b)
	// Offset, timestamp and value length follow when they are known.
	d.out.b = appendEntryHeader(d.out.b, d.magic, 0, t, c, 0)
	d.out.b = appendEntryField(d.out.b, nil)
	d.out.b = append(d.out.b, 0, 0, 0, 0)
	body := len(d.out.b)
	enc, err := newEncoder(c, DefaultLevel, &d.out, d.magic)
	if err != nil {
		return err
	}
	last, maxTime, err := d.inner(enc, records, t)
	if err == nil {
		err = enc.finish()
	}
	enc.close()
	if err != nil || last < 0 {
		d.out.b = d.out.b[:start]
		return err
	}
	e := Entry(d.out.b[start:])
	e.SetOffset(last)
	if d.magic == 1 {
		binary.BigEndian.PutUint64(e[entryTimestamp:], uint64(maxTime))
	}
	binary.BigEndian.PutUint32(e[body-start-4:], uint32(len(e)-(body-start)))
	finishEntry(e)
	return nil
}

// inner writes the messages of a wrapper and gives the last offset, -1 if there
// was none, and the largest timestamp.
func (d *downconverter) inner(enc encoder, records iter.Seq2[Record, error], t TimestampType) (last, maxTime int64, err error) {
	d.raw = d.raw[:0]
	last, maxTime = -1, NoTimestamp
	base := int64(0)
	for r, err := range records {
		if err != nil {
			return last, maxTime, err
		}
		if last < 0 && d.magic == 1 {
			base = r.Offset
		}
		last, maxTime = r.Offset, max(maxTime, r.Timestamp)
		d.raw = appendEntry(d.raw, d.magic, r.Offset-base, t, r.Timestamp, r.Key, r.Value)
		if len(d.raw) >= windowBytes {
			if _, err := enc.Write(d.raw); err != nil {
				return last, maxTime, err
			}
			d.raw = d.raw[:0]
		}
	}
	_, err = enc.Write(d.raw)
	return last, maxTime, err
}
