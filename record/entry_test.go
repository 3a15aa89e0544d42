package record

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wrap makes a wrapper around inner entries with a wrapper offset and flags.
func wrap(t testing.TB, magic int8, c Codec, offset int64, typ TimestampType, timestamp int64, inner ...[]byte) Entry {
	t.Helper()
	var s sink
	enc, err := newEncoder(c, DefaultLevel, &s, magic)
	if err == nil {
		_, err = enc.Write(slices.Concat(inner...))
	}
	if err == nil {
		err = enc.finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	enc.close()
	e := appendEntryHeader(nil, magic, offset, typ, c, timestamp)
	e = appendEntryField(appendEntryField(e, nil), s.b)
	finishEntry(e)
	return e
}

func plain(magic int8, offset, timestamp int64, value string) []byte {
	return appendEntry(nil, magic, offset, CreateTime, timestamp, nil, []byte(value))
}

func TestWrapperOffsets(t *testing.T) {
	f := func(what string, e Entry, want ...int64) {
		t.Helper()
		var got []int64
		var failed error
		for r, err := range e.Records() {
			if failed = err; err == nil {
				got = append(got, r.Offset)
			}
		}
		if want == nil && !isInvalid(failed) || want != nil && failed != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", what, got, failed, want)
		}
	}
	three := func(magic int8, offsets ...int64) (out []byte) {
		for _, o := range offsets {
			out = append(out, plain(magic, o, 5, "v")...)
		}
		return out
	}
	for _, c := range []Codec{Gzip, Snappy, LZ4} {
		f("magic 1 is relative", wrap(t, 1, c, 102, CreateTime, 5, three(1, 0, 1, 2)), 100, 101, 102)
		f("with gaps", wrap(t, 1, c, 107, CreateTime, 5, three(1, 0, 5, 7)), 100, 105, 107)
		f("old librdkafka", wrap(t, 1, c, 0, CreateTime, 5, three(1, 0, 1, 2)), 0, 1, 2)
		f("wrapper before its last", wrap(t, 1, c, 1, CreateTime, 5, three(1, 0, 1, 2)))
		f("magic 0 is absolute", wrap(t, 0, c, 102, CreateTime, 5, three(0, 100, 101, 102)), 100, 101, 102)
		f("mixed magic", wrap(t, 1, c, 102, CreateTime, 5, three(0, 0)))
		f("wrapper in a wrapper", wrap(t, 1, c, 0, CreateTime, 5, wrap(t, 1, c, 0, CreateTime, 5, three(1, 0))))
		f("nothing inside", wrap(t, 1, c, 0, CreateTime, 5))
	}
	null := appendEntryHeader(nil, 1, 0, CreateTime, Gzip, 0)
	null = appendEntryField(appendEntryField(null, nil), nil)
	finishEntry(null)
	f("null value", null)
	zstd := slices.Clone(Entry(plain(1, 0, 0, "v")))
	zstd[entryAttributes] = byte(Zstd)
	f("zstd", zstd)
}

func TestInnerChecksums(t *testing.T) {
	bad := plain(1, 0, 5, "value")
	bad[len(bad)-1] ^= 1
	e := wrap(t, 1, Gzip, 0, CreateTime, 5, bad)
	if err := e.Verify(); err != nil {
		t.Fatal(err)
	}
	for _, err := range e.Records() {
		if !isCorrupt(err) {
			t.Errorf("%v", err)
		}
	}
	var bl Builder
	if _, _, err := Upconvert(&bl, e, Target{Keep: true}, openRules()); !isCorrupt(err) {
		t.Errorf("%v", err)
	}
}

func TestUpconvert(t *testing.T) {
	f := func(what string, set []byte, target Target, rules *Rules, want Codec, stamps ...int64) {
		t.Helper()
		var bl Builder
		b, sum, err := Upconvert(&bl, set, target, rules)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := b.Verify(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if b.HasProducer() || b.BaseSequence() != NoSequence || b.ProducerEpoch() != NoProducerEpoch || b.LeaderEpoch() != NoLeaderEpoch ||
			b.Codec() != want || b.TimestampType() != rules.TimestampType || b.MaxTimestamp() != sum.MaxTimestamp {
			t.Errorf("%s: %x, %+v", what, []byte(b[:HeaderSize]), sum)
		}
		var got []int64
		for i, m := range collect(t, b.Records()) {
			if m.Offset != int64(i) || string(m.Value) != fmt.Sprint("v", i) {
				t.Errorf("%s: %s", what, m)
			}
			got = append(got, m.Timestamp)
		}
		if !slices.Equal(got, stamps) {
			t.Errorf("%s: timestamps %v, want %v", what, got, stamps)
		}
	}
	keep := Target{Keep: true}
	appendTime := openRules()
	appendTime.TimestampType = LogAppendTime
	now := appendTime.Now
	for _, c := range []Codec{Gzip, Snappy, LZ4} {
		w1 := wrap(t, 1, c, 2, CreateTime, 30, plain(1, 0, 20, "v0"), plain(1, 1, 30, "v1"), plain(1, 2, 10, "v2"))
		w0 := wrap(t, 0, c, 2, CreateTime, 0, plain(0, 0, 0, "v0"), plain(0, 1, 0, "v1"))
		f("wrapper of magic 1", w1, keep, openRules(), c, 20, 30, 10)
		f("wrapper of magic 0", w0, keep, openRules(), c, -1, -1)
		f("to another codec", w1, Target{Codec: Zstd}, openRules(), Zstd, 20, 30, 10)
		f("to none", w1, Target{Codec: None}, openRules(), None, 20, 30, 10)
		f("append time", w1, keep, appendTime, c, now, now, now)
		// Odd offsets inside are forgiven, as Kafka does.
		odd := wrap(t, 1, c, 9, CreateTime, 30, plain(1, 5, 20, "v0"), plain(1, 5, 30, "v1"))
		f("odd offsets", odd, keep, openRules(), c, 20, 30)
		lat := wrap(t, 1, c, 0, LogAppendTime, 99, plain(1, 0, 20, "v0"))
		f("wrapper with append time", lat, keep, openRules(), c, 99)
	}
	messages := slices.Concat(plain(1, 7, 20, "v0"), plain(1, 7, -1, "v1"))
	f("plain messages", messages, keep, openRules(), None, 20, -1)
	f("plain messages compressed", messages, Target{Codec: LZ4}, openRules(), LZ4, 20, -1)
	f("plain messages of magic 0", slices.Concat(plain(0, 0, 0, "v0"), plain(0, 0, 0, "v1")), keep, openRules(), None, -1, -1)
}

func TestUpconvertRefuses(t *testing.T) {
	f := func(what string, set []byte, rules *Rules, ok func(error) bool) {
		t.Helper()
		var bl Builder
		if b, _, err := Upconvert(&bl, set, Target{Keep: true}, rules); b != nil || !ok(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	wrapper := []byte(wrap(t, 1, Gzip, 0, CreateTime, 5, plain(1, 0, 5, "v")))
	message := plain(1, 0, 5, "v")
	f("nothing", nil, openRules(), isInvalid)
	f("two wrappers", slices.Concat(wrapper, wrapper), openRules(), isInvalid)
	f("mixed magic", slices.Concat(message, plain(0, 0, 0, "v")), openRules(), isInvalid)
	f("v2 batch", build(t, Spec{}, sample(1, 5)), openRules(), isCorrupt)
	f("v2 batch behind", slices.Concat(message, build(t, Spec{}, sample(1, 5))), openRules(), isCorrupt)
	f("tail", append(slices.Clone(message), 0, 0), openRules(), func(err error) bool { return errors.Is(err, ErrShort) })
	f("negative timestamp", plain(1, 0, -2, "v"), openRules(), isInvalid)
	rejected := func(stamp bool, n int) func(error) bool {
		return func(err error) bool {
			r, ok := errors.AsType[*RejectedError](err)
			return ok && r.Timestamp == stamp && r.Total == n
		}
	}
	keys := openRules()
	keys.NeedKeys = true
	f("no keys", slices.Concat(message, message), keys, rejected(false, 2))
	recent := openRules()
	recent.MaxBeforeMs = 1000
	f("too old", slices.Concat(message, plain(1, 0, recent.Now, "v"), wrapper[:0]), recent, rejected(true, 1))
	appendTime := openRules()
	appendTime.TimestampType = LogAppendTime
	lat := appendEntry(nil, 1, 0, LogAppendTime, 5, nil, nil)
	f("producer claims append time", lat, appendTime, rejected(true, 1))
	if _, _, err := Upconvert(new(Builder), message, Target{Codec: 7}, openRules()); !errors.Is(err, ErrUnsupportedCodec) {
		t.Error(err)
	}
}

func TestDownconvert(t *testing.T) {
	f := func(what string, src []byte, magic int8, start int64, want string) {
		t.Helper()
		out, err := Downconvert(nil, src, magic, start, 0)
		var got []string
		for e, err := range Entries(out) {
			if err == nil {
				err = e.Verify()
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			s := fmt.Sprintf("%s %d@%d:", e.Codec(), e.Offset(), e.Timestamp())
			for _, m := range collect(t, e.Records()) {
				s += fmt.Sprintf(" %d@%d", m.Offset, m.Timestamp)
			}
			got = append(got, s)
		}
		if err != nil {
			got = append(got, err.Error())
		}
		if g := strings.Join(got, "; "); g != want {
			t.Errorf("%s:\n got %s\nwant %s", what, g, want)
		}
	}
	msgs := []msg{{Offset: 0, Timestamp: 20}, {Offset: 1, Timestamp: 30, Headers: []Header{{Key: []byte("h")}}}, {Offset: 4, Timestamp: 10}}
	batch := func(c Codec) Batch { return build(t, Spec{BaseOffset: 100, Codec: c}, msgs) }
	marker := AppendEndTxnMarker(nil, 1, 0, EndTxnMarker{}, 9)
	f("plain to 1", batch(None), 1, 0, "none 100@20: 100@20; none 101@30: 101@30; none 104@10: 104@10")
	f("plain to 0", batch(None), 0, 0, "none 100@-1: 100@-1; none 101@-1: 101@-1; none 104@-1: 104@-1")
	f("plain from the middle", batch(None), 1, 101, "none 101@30: 101@30; none 104@10: 104@10")
	f("plain from behind", batch(None), 1, 105, "")
	for _, c := range []Codec{Gzip, Snappy, LZ4} {
		f("compressed to 1, whole", batch(c), 1, 101, c.String()+" 104@30: 100@20 101@30 104@10")
		f("compressed to 0", batch(c), 0, 0, c.String()+" 104@-1: 100@-1 101@-1 104@-1")
		one, err := Downconvert(nil, batch(c), 1, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		f("1 to 0", one, 0, 0, c.String()+" 104@-1: 100@-1 101@-1 104@-1")
		f("1 stays", one, 1, 0, c.String()+" 104@30: 100@20 101@30 104@10")
	}
	f("append time", build(t, Spec{TimestampType: LogAppendTime, LogAppendTime: 77}, msgs), 1, 4, "none 4@77: 4@77")
	f("append time, compressed", build(t, Spec{Codec: Gzip, TimestampType: LogAppendTime, LogAppendTime: 77}, msgs), 1, 0, "gzip 4@77: 0@77 1@77 4@77")
	f("control batches go", slices.Concat(batch(None), marker), 1, 104, "none 104@10: 104@10")
	f("emptied batches go", slices.Concat(batch(None).AppendEmpty(nil), batch(Gzip).AppendEmpty(nil)), 1, 0, "")
	f("zstd, what precedes stays", slices.Concat(batch(None), batch(Zstd)), 1, 104, "none 104@10: 104@10; "+ErrUnsupportedCodec.Error())
	f("tail", append(slices.Clone([]byte(batch(None))), 1, 2), 1, 104, "none 104@10: 104@10; "+ErrShort.Error())
}
