package record

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestBuilderHeader(t *testing.T) {
	b := build(t, Spec{
		BaseOffset: 10, Codec: Gzip, HasProducer: true, ProducerID: 5, ProducerEpoch: 6, BaseSequence: 1<<31 - 2,
		Transactional: true, HasDeleteHorizon: true, DeleteHorizon: 1234,
	}, sample(3, 10))
	if err := b.Verify(); err != nil {
		t.Fatal(err)
	}
	if b.BaseOffset() != 10 || b.LastOffset() != 12 || b.Codec() != Gzip || !b.IsTransactional() || b.IsControl() ||
		b.ProducerID() != 5 || b.ProducerEpoch() != 6 || b.BaseSequence() != 1<<31-2 || b.LastSequence() != 0 || b.Magic() != 2 {
		t.Errorf("%x", []byte(b[:HeaderSize]))
	}
	if ms, ok := b.DeleteHorizon(); !ok || ms != 1234 || b.BaseTimestamp() != 1234 {
		t.Errorf("horizon %d %v", ms, ok)
	}
	same(t, collect(t, b.Records()), at(10, sample(3, 10))) // timestamps are relative to the horizon
	var bl Builder
	out, err := Recompress(&bl, b, Target{Codec: LZ4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ms, ok := out.DeleteHorizon(); !ok || ms != 1234 || !out.IsTransactional() || out.ProducerID() != 5 {
		t.Errorf("%x", []byte(out[:HeaderSize]))
	}
	same(t, collect(t, out.Records()), at(10, sample(3, 10)))
	if b := build(t, Spec{}, sample(1, 1)); b.HasProducer() || b.LastSequence() != NoSequence || b.LeaderEpoch() != -1 {
		t.Errorf("%x", []byte(b[:HeaderSize]))
	}
}

func TestBuilderRefuses(t *testing.T) {
	f := func(what string, spec Spec, want error, fill func(*Builder)) {
		t.Helper()
		var bl Builder
		for range 2 { // the second time from a failed builder
			bl.Reset(spec)
			fill(&bl)
			b, err := bl.Build()
			if b != nil || want != nil && !errors.Is(err, want) || want == nil && !isInvalid(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		bl.Reset(Spec{})
		bl.Append(0, nil, nil)
		if _, err := bl.Build(); err != nil {
			t.Errorf("%s, afterwards: %v", what, err)
		}
	}
	f("nothing", Spec{}, errEmpty, func(*Builder) {})
	f("offset twice", Spec{}, nil, func(bl *Builder) { bl.AppendAt(1, 0, nil, nil); bl.AppendAt(1, 0, nil, nil) })
	f("negative timestamp", Spec{}, nil, func(bl *Builder) { bl.Append(-2, nil, nil) })
	f("last offset before the last", Spec{}, nil, func(bl *Builder) { bl.AppendAt(5, 0, nil, nil); bl.SetLastOffsetDelta(4) })
	f("offset out of reach", Spec{}, nil, func(bl *Builder) { bl.AppendRecord(&Record{Offset: 1 << 31}) })
	f("unknown codec", Spec{Codec: 5}, ErrUnsupportedCodec, func(bl *Builder) { bl.Append(0, nil, nil) })
	big := func(bl *Builder) {
		for _, m := range sample(5000, 100) {
			bl.AppendAt(int32(m.Offset), m.Timestamp, m.Key, m.Value, m.Headers...)
		}
	}
	for _, c := range codecs {
		f("too large", Spec{Codec: c, MaxBytes: 10_000}, ErrTooLarge, big)
		f("one byte too large", Spec{Codec: c, MaxBytes: len(build(t, Spec{Codec: c}, sample(5000, 100))) - 1}, ErrTooLarge, big)
	}
	var bl Builder
	bl.Reset(Spec{Codec: Gzip, Level: 10})
	if _, err := bl.Build(); err == nil {
		t.Error("gzip level 10 passes")
	}
}

func TestRecompressKeepsCompactedOffsets(t *testing.T) {
	msgs := []msg{{Offset: 3, Timestamp: 7}, {Offset: 9, Timestamp: 8}}
	for _, from := range codecs {
		for _, to := range codecs {
			var bl, other Builder
			bl.Reset(Spec{BaseOffset: 50, Codec: from})
			for _, m := range msgs {
				bl.AppendAt(int32(m.Offset), m.Timestamp, m.Key, m.Value)
			}
			bl.SetLastOffsetDelta(20)
			b, err := bl.Build()
			if err != nil {
				t.Fatal(err)
			}
			b.SetLeaderEpoch(4)
			out, err := Recompress(&other, b, Target{Codec: to}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if out.LastOffset() != 70 || out.LeaderEpoch() != 4 || out.Codec() != to || out.Verify() != nil {
				t.Errorf("%s to %s: %x", from, to, []byte(out[:HeaderSize]))
			}
			same(t, collect(t, out.Records()), at(50, msgs))
		}
	}
	marker := Batch(AppendEndTxnMarker(nil, 1, 0, EndTxnMarker{}, 9))
	var bl Builder
	if out, err := Recompress(&bl, marker, Target{Codec: Gzip}, nil); err != nil || !slices.Equal(out, marker) {
		t.Errorf("control batch becomes %x, %v", []byte(out), err)
	}
}

func TestLevels(t *testing.T) {
	msgs := make([]msg, 3000)
	for i := range msgs {
		msgs[i] = msg{Offset: int64(i), Value: fmt.Appendf(nil, `{"user":%d,"action":"view","page":"/shop/%d","ms":%d}`, i*7919%1000, i*104729%97, i*i%4999)}
	}
	for _, c := range codecs {
		low, high, def, ok := c.Levels()
		if !ok {
			continue
		}
		small, large := len(build(t, Spec{Codec: c, Level: high}, msgs)), len(build(t, Spec{Codec: c, Level: low}, msgs))
		if small >= large {
			t.Errorf("%s: level %d gives %d bytes, level %d %d", c, high, small, low, large)
		}
		if a, b := build(t, Spec{Codec: c, Level: def}, msgs), build(t, Spec{Codec: c}, msgs); !slices.Equal(a, b) {
			t.Errorf("%s: level %d is not the default", c, def)
		}
		for _, level := range []int{low - 1, high + 1} {
			if level == def || level == DefaultLevel {
				continue
			}
			var bl Builder
			if bl.Reset(Spec{Codec: c, Level: level}); bl.err == nil {
				t.Errorf("%s takes level %d", c, level)
			}
		}
	}
}

func TestCodecNames(t *testing.T) {
	for _, c := range codecs {
		if got, err := ParseCodec(c.String()); got != c || err != nil {
			t.Errorf("%s: %s, %v", c, got, err)
		}
	}
	f := func(name string, want Codec, keep, ok bool) {
		t.Helper()
		c, k, err := ParseTopicCodec(name)
		if (err == nil) != ok || ok && (c != want || k != keep) || !ok && !errors.Is(err, ErrUnsupportedCodec) {
			t.Errorf("%q: %s %v, %v", name, c, k, err)
		}
	}
	f("producer", None, true, true)
	f("uncompressed", None, false, true)
	f("zstd", Zstd, false, true)
	f("none", None, false, false)
	f("GZIP", None, false, false)
	if s := Codec(6).String(); s != "codec(6)" {
		t.Error(s)
	}
}
