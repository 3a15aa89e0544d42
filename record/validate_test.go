package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// edit is a batch with a changed header and a right checksum.
func edit(b Batch, change func(Batch)) Batch {
	b = slices.Clone(b)
	change(b)
	b.SetCRC()
	return b
}

func TestValidateHeader(t *testing.T) {
	good := build(t, Spec{HasProducer: true, ProducerID: 0, ProducerEpoch: 1, BaseSequence: 5}, sample(3, 20))
	f := func(change func(Batch), want string) {
		t.Helper()
		b := edit(good, change)
		_, err := b.ValidateRecords(openRules())
		if !isInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		rules := openRules()
		rules.Internal = true
		if _, err := b.ValidateHeader(rules); err != nil {
			t.Errorf("internal batch: %v", err)
		}
	}
	f(func(b Batch) { b.SetBaseOffset(7) }, "should be 0, but it is 7")
	f(func(b Batch) { binary.BigEndian.PutUint32(b[offLastOffsetDelta:], 1<<32-1) }, "invalid offset range: [0, -1]")
	f(func(b Batch) { binary.BigEndian.PutUint32(b[offLastOffsetDelta:], 5) }, "Inconsistent batch offset range [0, 5] and count of records 3")
	f(func(b Batch) { binary.BigEndian.PutUint32(b[offCount:], 0) }, "Invalid reported count for record batch: 0")
	f(func(b Batch) { binary.BigEndian.PutUint32(b[offCount:], 1<<31) }, "Invalid reported count")
	f(func(b Batch) { b[offAttributes+1] |= attrControl }, "not allowed to write control records")
	f(func(b Batch) { b.SetProducer(9, 1, -1) }, "Invalid sequence number -1 in record batch with producerId 9")

	sum, err := good.ValidateRecords(openRules())
	if err != nil || !sum.Sequential || sum.Count != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
	for codec := range Codec(8) {
		b := edit(good, func(b Batch) { b[offAttributes+1] |= byte(codec) })
		if _, err := b.ValidateHeader(openRules()); errors.Is(err, ErrUnsupportedCodec) == codec.Known() {
			t.Errorf("%s: %v", codec, err)
		}
	}
}

func TestValidateTimestamps(t *testing.T) {
	const now = 10_000
	f := func(what string, spec Spec, rules Rules, stamps []int64, want Summary, bad ...int32) {
		t.Helper()
		for _, c := range codecs {
			spec.Codec = c
			var msgs []msg
			for i, ts := range stamps {
				msgs = append(msgs, msg{Offset: int64(i), Timestamp: ts, Value: []byte("v")})
			}
			b := build(t, spec, msgs)
			rules.Now, rules.Partition = now, "t-0"
			sum, err := b.ValidateRecords(&rules)
			if len(bad) == 0 {
				want.Count, want.Sequential = int32(len(stamps)), true
				sum.RecordBytes = 0
				if err != nil || sum != want {
					t.Errorf("%s, %s: %+v, want %+v, %v", what, c, sum, want, err)
				}
				continue
			}
			rej, ok := errors.AsType[*RejectedError](err)
			if !ok || !rej.Timestamp || !typed(err) {
				t.Fatalf("%s, %s: %v", what, c, err)
			}
			var got []int32
			for _, r := range rej.Records {
				got = append(got, r.Index)
			}
			if !slices.Equal(got, bad) || rej.Total != len(bad) {
				t.Errorf("%s, %s: rejected %v, want %v", what, c, got, bad)
			}
		}
	}
	bounds := Rules{MaxBeforeMs: 100, MaxAfterMs: 10}
	wide := Rules{MaxBeforeMs: 1<<63 - 1, MaxAfterMs: 1<<63 - 1}
	appendTime := Rules{TimestampType: LogAppendTime, MaxBeforeMs: 1, MaxAfterMs: 1}
	f("inside", Spec{}, bounds, []int64{now, now - 100, now + 10, now + 10}, Summary{MaxTimestamp: now + 10, MaxTimestampDelta: 2})
	f("outside", Spec{}, bounds, []int64{now, now - 101, 0, now + 11}, Summary{}, 1, 2, 3)
	f("none is never out of range", Spec{}, bounds, []int64{-1, -1}, Summary{MaxTimestamp: -1, MaxTimestampDelta: -1})
	f("far with default limits", Spec{}, wide, []int64{0, 1 << 62}, Summary{MaxTimestamp: 1 << 62, MaxTimestampDelta: 1})
	f("broker sets the time", Spec{}, appendTime, []int64{5, 1 << 50}, Summary{MaxTimestamp: now, MaxTimestampDelta: 1})
	lat := Spec{TimestampType: LogAppendTime, LogAppendTime: now + 5}
	f("producer claims append time", lat, appendTime, []int64{5, 6}, Summary{}, 0, 1)
	// Kafka looks at the type only where it does not look at the time.
	f("append time under CreateTime", lat, bounds, []int64{5, 6}, Summary{MaxTimestamp: now + 5, MaxTimestampDelta: 0})
	f("append time without a time", Spec{TimestampType: LogAppendTime, LogAppendTime: -1}, bounds, []int64{5}, Summary{}, 0)
}

func TestValidateKeysOfCompactedTopic(t *testing.T) {
	msgs := sample(10, 30) // of five, the second to fourth have keys; an empty one is one
	rules := openRules()
	rules.NeedKeys = true
	for _, c := range codecs {
		_, err := build(t, Spec{Codec: c}, msgs).ValidateRecords(rules)
		rej, ok := errors.AsType[*RejectedError](err)
		if !ok || rej.Timestamp || rej.Total != 4 || rej.Records[1].Index != 4 ||
			rej.Records[0].Message != "Compacted topic cannot accept message without key in topic partition t-0" {
			t.Fatalf("%s: %#v", c, err)
		}
		const text = "due to 4 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=0, message='Compacted"
		if !strings.Contains(err.Error(), text) {
			t.Error(err)
		}
	}
}

func TestRejectedRecordsAreBounded(t *testing.T) {
	var bl Builder
	bl.Reset(Spec{})
	for range MaxRecordErrors + 5 {
		bl.Append(0, nil, nil)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	rules := openRules()
	rules.NeedKeys = true
	_, err = b.ValidateRecords(rules)
	rej, ok := errors.AsType[*RejectedError](err)
	if !ok || len(rej.Records) != MaxRecordErrors || rej.Total != MaxRecordErrors+5 {
		t.Fatalf("%v", err)
	}
}

// Records whose framing is wrong behind a right checksum.
func TestValidateFraming(t *testing.T) {
	body := func(fields ...int64) []byte { // attributes, then varints; -100 is a byte of a field
		b := []byte{0}
		for _, v := range fields {
			if v == -100 {
				b = append(b, 'x')
			} else {
				b = appendVarlong(b, v)
			}
		}
		return append(appendVarint(nil, int32(len(b))), b...)
	}
	null := int64(-1)
	f := func(what string, count int32, records []byte, ok bool) {
		t.Helper()
		for _, c := range codecs {
			b := frameRecords(t, c, count, records)
			_, err := b.ValidateRecords(openRules())
			var walkErr error
			n := int32(0)
			for _, err := range b.Records() {
				if walkErr = err; err == nil {
					n++
				}
			}
			if ok && (err != nil || walkErr != nil || n != count) {
				t.Errorf("%s, %s: %v, walk of %d %v", what, c, err, n, walkErr)
			}
			if !ok && (!isInvalid(err) || !isInvalid(walkErr)) {
				t.Errorf("%s, %s: %v, walk %v", what, c, err, walkErr)
			}
		}
	}
	good := body(0, 0, null, null, 0)
	f("good", 1, good, true)
	f("any negative length is null", 1, body(0, 0, -7, -9, 0), true)
	f("header", 1, body(0, 0, null, null, 1, 1, -100, null), true)
	f("fewer than counted", 2, good, false)
	f("more than counted", 1, slices.Concat(good, good), false)
	f("trailing byte", 1, append(slices.Clone(good), 0), false)
	f("nothing at all", 1, nil, false)
	f("cut", 1, good[:len(good)-1], false)
	f("negative length", 1, appendVarint(nil, -1), false)
	f("length of six bytes", 1, append([]byte{0x8c, 0x80, 0x80, 0x80, 0x80, 0}, good[1:]...), false)
	f("overlong length", 1, append([]byte{good[0] | 0x80, 0x80, 0}, good[1:]...), true)
	f("empty body", 1, []byte{0}, false)
	f("byte behind the headers", 1, body(0, 0, null, null, 0, 0), false)
	f("key beyond the record", 1, body(0, 0, 50, null, 0), false)
	f("value beyond the record", 1, body(0, 0, null, 2, -100), false)
	f("negative headers", 1, body(0, 0, null, null, -1), false)
	f("more headers than bytes", 1, body(0, 0, null, null, 1<<30), false)
	f("null header key", 1, body(0, 0, null, null, 1, null, null), false)
	f("header value beyond", 1, body(0, 0, null, null, 1, 0, 9), false)
}

// frameRecords makes a batch around bytes that need not be records.
func frameRecords(t testing.TB, c Codec, count int32, records []byte) Batch {
	t.Helper()
	s := sink{b: make([]byte, HeaderSize)}
	if c == None {
		s.b = append(s.b, records...)
	} else {
		enc, err := newEncoder(c, DefaultLevel, &s, 2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = enc.Write(records); err == nil {
			err = enc.finish()
		}
		if err != nil {
			t.Fatal(err)
		}
		enc.close()
	}
	b := Batch(s.b)
	putHeader(b, uint16(c), count-1, 0, 0, -1, -1, -1, count)
	b.SetCRC()
	return b
}

func TestRecordsLongerThanTheWindow(t *testing.T) {
	for _, c := range codecs {
		msgs := sample(5, 10)
		msgs[0].Value = make([]byte, 3*windowBytes)
		msgs[1].Key = make([]byte, windowBytes+1)
		msgs[3].Headers[0].Value = make([]byte, 2*windowBytes)
		msgs[3].Headers = append(msgs[3].Headers, Header{Key: make([]byte, 2*windowBytes)})
		b := build(t, Spec{Codec: c}, msgs)
		same(t, collect(t, b.Records()), msgs)
		if sum, err := b.ValidateRecords(openRules()); err != nil || sum.Count != 5 {
			t.Errorf("%s: %+v, %v", c, sum, err)
		}
	}
}

func TestAssign(t *testing.T) {
	for _, typ := range []TimestampType{CreateTime, LogAppendTime} {
		rules := openRules()
		rules.TimestampType = typ
		b := build(t, Spec{}, sample(4, 10))
		crc := b.CRC()
		sum, err := b.ValidateRecords(rules)
		if err != nil {
			t.Fatal(err)
		}
		b.Assign(77, 5, rules, sum)
		if err := b.Verify(); err != nil {
			t.Error(err)
		}
		if b.BaseOffset() != 77 || b.LastOffset() != 80 || b.LeaderEpoch() != 5 || b.TimestampType() != typ {
			t.Errorf("%d..%d epoch %d %s", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.TimestampType())
		}
		if kept := b.CRC() == crc; kept != (typ == CreateTime) {
			t.Errorf("%s: checksum kept: %v", typ, kept)
		}
		for r, err := range b.Records() {
			if err != nil || typ == LogAppendTime && r.Timestamp != rules.Now {
				t.Errorf("%v at %d, %v", typ, r.Timestamp, err)
			}
		}
	}

	// A header that lies about its largest timestamp is put right.
	b := build(t, Spec{}, sample(4, 10))
	honest := b.MaxTimestamp()
	b.SetMaxTimestamp(CreateTime, 5)
	sum, err := b.ValidateRecords(openRules())
	if err != nil {
		t.Fatal(err)
	}
	if b.Assign(0, 0, openRules(), sum); b.MaxTimestamp() != honest || b.Verify() != nil {
		t.Errorf("%d, want %d", b.MaxTimestamp(), honest)
	}
}

func TestOffsetDeltasOutOfOrderAreNumberedAnew(t *testing.T) {
	for _, c := range codecs {
		one := build(t, Spec{}, sample(1, 10)).RecordBytes()
		b := frameRecords(t, c, 3, slices.Concat(one, one, one)) // deltas 0, 0, 0
		sum, err := b.ValidateRecords(openRules())
		if err != nil || sum.Sequential {
			t.Fatalf("%s: %+v, %v", c, sum, err)
		}
		var bl Builder
		b, err = Recompress(&bl, b, Target{Keep: true}, openRules())
		if err != nil {
			t.Fatal(err)
		}
		if sum, err = b.ValidateRecords(openRules()); err != nil || !sum.Sequential || b.Codec() != c {
			t.Errorf("%s: %+v, %v", c, sum, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	b := build(t, Spec{}, sample(100, 100))
	rules := openRules()
	f := func(what string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := testing.AllocsPerRun(50, func() { _ = do() }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	f("Next", func() error { _, _, err := Next(b); return err })
	f("Verify", b.Verify)
	f("ValidateRecords", func() error { _, err := b.ValidateRecords(rules); return err })
	f("Records", func() error {
		headers := 0
		for r, err := range b.Records() {
			if err != nil {
				return err
			}
			for h := range r.Headers.All() {
				headers += len(h.Key)
			}
		}
		if headers == 0 {
			return fmt.Errorf("no headers")
		}
		return nil
	})
	var bl Builder
	f("Builder", func() error {
		bl.Reset(Spec{})
		for r, err := range b.Records() {
			if err != nil {
				return err
			}
			bl.AppendRecord(&r)
		}
		_, err := bl.Build()
		return err
	})
}
