package load

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var small = Batch{Records: 10, ValueSize: 100}

func TestBatchIsWhatItSays(t *testing.T) {
	f := func(b Batch) {
		t.Helper()
		now := time.UnixMilli(1_700_000_000_123)
		enc, err := b.Encode(now)
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Verify(); err != nil {
			t.Fatal(err)
		}
		var k kmsg.RecordBatch
		if err := k.ReadFrom(enc); err != nil {
			t.Fatal(err)
		}
		if int(k.NumRecords) != b.Records || k.ProducerID != -1 || k.Attributes != 0 || k.FirstTimestamp != now.UnixMilli() {
			t.Errorf("kmsg reads %d records of producer %d, attributes %d, at %d", k.NumRecords, k.ProducerID, k.Attributes, k.FirstTimestamp)
		}
		n := 0
		for rest := k.Records; len(rest) > 0; n++ {
			var r kmsg.Record
			if err := r.ReadFrom(rest); err != nil {
				t.Fatal(err)
			}
			if len(r.Value) != b.ValueSize || len(r.Key) != 0 || int(r.OffsetDelta) != n {
				t.Errorf("record %d has a key of %d, a value of %d bytes and delta %d", n, len(r.Key), len(r.Value), r.OffsetDelta)
			}
			rest = rest[recordSize(r):]
		}
		if n != b.Records {
			t.Errorf("%d records, want %d", n, b.Records)
		}
		again, err := b.Encode(now)
		if err != nil || !slices.Equal(enc, again) {
			t.Errorf("encoded anew it differs (%v)", err)
		}
	}
	f(small)
	f(Batch{Records: 1, ValueSize: 1})
	f(BatchOf(100_000, 1000))
	f(BatchOf(100_000, 100))
}

// recordSize is what a record of the batch takes, its length included.
func recordSize(r kmsg.Record) int {
	n := int(r.Length)
	for u := uint32(r.Length) << 1; ; u >>= 7 { // zigzag of a positive number
		n++
		if u < 0x80 {
			return n
		}
	}
}

func TestBatchOf(t *testing.T) {
	if b := BatchOf(100_000, 1000); b != (Batch{100, 1000}) {
		t.Errorf("%+v", b)
	}
	if b := BatchOf(10, 100); b != (Batch{1, 100}) {
		t.Errorf("%+v", b)
	}
}

func TestProduceThenFetch(t *testing.T) {
	f := func(inFlight int, limit int64) {
		t.Helper()
		b := newFakeBroker(t)
		p := Produce{Topic: "topic", Partitions: fakePartitions, Connections: 2 * fakePartitions, InFlight: inFlight, Acks: -1,
			Batch: small, Limit: Limit{Bytes: limit, Time: time.Minute}}
		r, err := p.Run(t.Context(), b.addr)
		if err != nil {
			t.Fatal(err)
		}
		batches := 0
		for i := range int32(fakePartitions) {
			if len(b.mu.produced[i]) == 0 {
				t.Errorf("nothing went to partition %d", i)
			}
			batches += len(b.mu.produced[i])
			for _, batch := range b.mu.produced[i] {
				if err := batch.Verify(); err != nil || int(batch.Count()) != small.Records {
					t.Errorf("a batch of %d records: %v", batch.Count(), err)
				}
			}
		}
		size := int64(b.mu.produced[0][0].Size())
		if r.Requests != int64(batches) || r.Records != int64(batches*small.Records) || r.Bytes != int64(batches)*size || r.Latency.Count() != r.Requests {
			t.Errorf("%d requests, %d records, %d bytes, %d latencies of %d batches", r.Requests, r.Records, r.Bytes, r.Latency.Count(), batches)
		}
		// Every connection may pass the limit by what it has in flight.
		if r.Bytes < limit || r.Bytes > limit+int64(p.Connections*inFlight)*size {
			t.Errorf("%d bytes, limit %d", r.Bytes, limit)
		}
		// Three and a half batches: the half is not whole and not counted.
		fetch := Fetch{Topic: "topic", Partitions: fakePartitions, Connections: fakePartitions, MaxBytes: int32(7 * size / 2),
			Batch: small, Limit: Limit{Bytes: 3 * limit, Time: time.Minute}}
		r, err = fetch.Run(t.Context(), b.addr)
		if err != nil {
			t.Fatal(err)
		}
		if r.Bytes == 0 || r.Records == 0 || r.Records > r.Bytes/size*int64(small.Records) || r.Latency.Count() != r.Requests {
			t.Errorf("%d bytes, %d records, %d requests", r.Bytes, r.Records, r.Requests)
		}
	}
	f(1, 50_000)
	f(8, 500_000)
}

func TestTimeEndsALoad(t *testing.T) {
	b := newFakeBroker(t)
	p := Produce{Topic: "t", Partitions: 1, Connections: 1, InFlight: 1, Acks: 1, Batch: small, Limit: Limit{Bytes: 1 << 60, Time: 20 * time.Millisecond}}
	r, err := p.Run(t.Context(), b.addr)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Elapsed < p.Limit.Time || r.Elapsed > 10*time.Second {
		t.Errorf("%d requests in %v", r.Requests, r.Elapsed)
	}
}

func TestErrorCodesEndALoad(t *testing.T) {
	b := newFakeBroker(t)
	limit := Limit{Bytes: 1 << 20, Time: time.Minute}
	b.mu.refuse = int16(wire.CodeNotLeaderOrFollower)
	f := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, wire.CodeNotLeaderOrFollower) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := Produce{Topic: "t", Partitions: 1, Connections: 3, InFlight: 2, Batch: small, Limit: limit}.Run(t.Context(), b.addr)
	f("produce", err)
	_, err = Fetch{Topic: "t", Partitions: 1, Connections: 3, MaxBytes: 1 << 20, Batch: small, Limit: limit}.Run(t.Context(), b.addr)
	f("fetch", err)
	_, err = Hold(t.Context(), b.addr, 2)
	f("hold", err)
	f("create", CreateTopics(t.Context(), b.addr, 1, "t"))
	f("touch", Touch(t.Context(), b.addr, "t", 2))
}

func TestFetchOfTooLittle(t *testing.T) {
	b := newFakeBroker(t)
	_, err := Fetch{Topic: "t", Partitions: 1, Connections: 1, MaxBytes: 1 << 20, Batch: small,
		Limit: Limit{Bytes: 1 << 20, Time: time.Minute}}.Run(t.Context(), b.addr)
	if err == nil || !strings.Contains(err.Error(), "0 bytes of records") {
		t.Errorf("an empty partition: %v", err)
	}
}

func TestTouch(t *testing.T) {
	b := newFakeBroker(t)
	if err := Touch(t.Context(), b.addr, "t", 5); err != nil {
		t.Fatal(err)
	}
	for i := range int32(5) {
		if p := b.mu.produced[i]; len(p) != 1 || record.Batch(p[0]).Count() != 1 {
			t.Errorf("partition %d got %d batches", i, len(p))
		}
	}
}

func TestWaits(t *testing.T) {
	b := newFakeBroker(t)
	if err := CreateTopics(t.Context(), b.addr, fakePartitions, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if b.mu.leaders != fakePartitions {
		t.Errorf("%d looks at the metadata until all of %d partitions were led", b.mu.leaders, fakePartitions)
	}
	b.mu.leaders = 0
	if err := WaitMetadata(t.Context(), b.addr); err != nil || b.mu.leaders != 2 {
		t.Errorf("%d looks until there was a broker: %v", b.mu.leaders, err)
	}
	const never = -1 << 40
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.mu.Lock()
	b.mu.leaders, b.mu.looked = never, func(leaders int) {
		if leaders == never+3 {
			cancel()
		}
	}
	b.mu.Unlock()
	if err := WaitLeaders(ctx, b.addr, fakePartitions, "a"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "0 leaders of 3") {
		t.Errorf("gave up with %v", err)
	}
}

func TestHold(t *testing.T) {
	b := newFakeBroker(t)
	h, err := Hold(t.Context(), b.addr, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if n := h.Alive(); n != 10 || b.mu.conns != 10 {
		t.Errorf("%d alive of %d that the broker has", n, b.mu.conns)
	}
	h[3].Close()
	if n := h.Alive(); n != 9 {
		t.Errorf("%d alive after one was closed", n)
	}
	if _, err := Hold(t.Context(), b.addr, maxHeld+1); err == nil {
		t.Error("no limit")
	}
}
