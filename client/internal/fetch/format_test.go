package fetch_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/record"
)

// old converts a batch to what Kafka wrote before 0.11.
func (h *hall) old(b batch, magic int8) batch {
	h.t.Helper()
	data, err := record.Downconvert(nil, b.data, magic, b.first, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return batch{b.first, b.last, data}
}

// All message formats in all codecs but Zstandard, from amid a batch on.
func TestFormats(t *testing.T) {
	for magic := range int8(3) {
		for codec := record.None; codec < record.Zstd; codec++ {
			if magic == 0 && codec == record.LZ4 {
				continue // see TestLZ4OfMagic0
			}
			inBubble(t, func(t *testing.T, h *hall) {
				for _, first := range []int64{1000, 1003} {
					b := h.records(record.Spec{BaseOffset: first, Codec: codec}, 3)
					if magic < 2 {
						b = h.old(b, magic)
					}
					h.write("t-0", b)
				}
				h.change("t-0", func(l *log) { l.start = 1000 })
				f := h.start(share("t-0", 1001))
				what := fmt.Sprintf("magic %d, %v", magic, codec)
				got := f.Take(9)
				if len(got) != 5 {
					t.Fatalf("%s: %d records, %q", what, len(got), h.reported())
				}
				for i, r := range got {
					at := int64(1001 + i)
					if r.Offset != at || string(r.Value) != fmt.Sprintf("value %d", at) || r.Topic != "t" || r.Partition != 0 {
						t.Errorf("%s: record %d is %+v", what, i, r)
					}
					if sent := r.Timestamp.UnixMilli() - 1_700_000_000_000; magic > 0 && sent != (at-1000)%3 {
						t.Errorf("%s: record %d is of %v", what, i, r.Timestamp)
					}
				}
				pass(0)
				f.Settle()
				h.check(what, settled(f), "t-0@1006")
				h.asks("0s broker 1 fetch t-0@1001/1", "0s broker 1 fetch t-0@1006/1")
			})
		}
	}
}

// Kafka's first LZ4 frames have a header checksum that franz-go does not accept, nor
// does anybody else: that is told, and the partition does not move on.
func TestLZ4OfMagic0(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.old(h.records(record.Spec{Codec: record.LZ4}, 3), 0))
		f := h.start(share("t-0", 0))
		pass(time.Second)
		h.check("taken", take(f, 9), "")
		h.check("settled", settled(f), "t-0@0")
		if r := h.reported(); len(r) != 1 || !strings.HasPrefix(r[0], "read t-0 from offset 0: unable to decompress batch: lz4") {
			t.Errorf("reported %q", r)
		}
	})
}

// The limit of an answer cuts its last batch; that comes whole in the next.
func TestPartialBatch(t *testing.T) {
	for magic := range int8(3) {
		for codec := record.None; codec <= record.Gzip; codec++ {
			inBubble(t, func(t *testing.T, h *hall) {
				one, two := h.records(record.Spec{Codec: codec}, 2), h.records(record.Spec{Codec: codec, BaseOffset: 2}, 2)
				if magic < 2 {
					one, two = h.old(one, magic), h.old(two, magic)
				}
				h.write("t-0", one, two)
				for _, cut := range []int{1, 16, 17, 18, len(two.data) / 2, len(two.data) - 1} {
					h.cfg.PartitionMaxBytes = int32(len(one.data) + cut)
					f := h.start(share("t-0", 0))
					// Without compression the messages of old formats stand for themselves.
					if got := take(f, 9); !strings.HasPrefix(got, "t-0: 0 1") || strings.HasSuffix(got, "3") {
						t.Errorf("magic %d, %v, cut at %d: first %s", magic, codec, cut, got)
					}
					if got := take(f, 9); !strings.HasSuffix(got, " 3") {
						t.Errorf("magic %d, %v, cut at %d: then %s", magic, codec, cut, got)
					}
					f.Halt()
					f.Wait()
				}
				if r := h.reported(); len(r) > 0 {
					t.Errorf("reported %q", r)
				}
			})
		}
	}
}

// A leader that cuts off the first batch gives nothing to go on with, which must
// not end in asking again and again.
func TestNoWholeBatch(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 99))
		h.change("t-0", func(l *log) { l.whole = false })
		h.cfg.PartitionMaxBytes = 100
		f := h.start(share("t-0", 0))
		if r := h.reported(); !slices.Equal(r, []string{"read t-0 from offset 0: no whole batch in the answer: 100 bytes"}) {
			t.Errorf("reported %q", r)
		}
		pass(1999 * time.Millisecond)
		h.asks("0s broker 1 fetch t-0@0/1")
		h.change("t-0", func(l *log) { l.whole = true })
		pass(time.Millisecond)
		if got := f.Take(1000); len(got) != 100 {
			t.Errorf("%d records", len(got))
		}
	})
}

// A batch that is damaged is reported and asked for again; those before it count.
func TestDamagedBatch(t *testing.T) {
	for what, damage := range map[string]func(record.Batch){
		"crc":        func(b record.Batch) { b[len(b)-1] ^= 1 },
		"codec":      func(b record.Batch) { b[22] = 1; b.SetCRC() }, // it is no gzip
		"no records": func(b record.Batch) { binary.BigEndian.PutUint32(b[57:], 0x80000000); b.SetCRC() },
		"record":     func(b record.Batch) { b[61] = 0x7e; b.SetCRC() }, // longer than the batch
		"length":     func(b record.Batch) { binary.BigEndian.PutUint32(b[8:], 0xffffffff) },
	} {
		inBubble(t, func(t *testing.T, h *hall) {
			good, bad := h.plain(0, 1), h.plain(2, 2)
			damage(bad.data)
			h.write("t-0", good, bad)
			f := h.start(share("t-0", 0))
			h.check(what, take(f, 9), "t-0: 0 1")
			pass(2 * time.Second)
			h.check(what, take(f, 9), "")
			if r := h.reported(); len(r) == 0 || !strings.HasPrefix(r[len(r)-1], "read t-0 from offset 2: ") {
				t.Errorf("%s: reported %q", what, r)
			}
			if n := strings.Count(h.questions(), "@2/1"); n > 3 {
				t.Errorf("%s: asked %d times", what, n)
			}
			h.change("t-0", func(l *log) { l.batches[1] = h.plain(2, 2) })
			pass(2 * time.Second)
			h.check(what, take(f, 9), "t-0: 2")
		})
	}
}

// marker is the control batch that ends a transaction.
func marker(offset, producer int64, how record.ControlType) batch {
	b := record.Batch(record.AppendEndTxnMarker(nil, producer, 0, record.EndTxnMarker{Type: how}, 1))
	b.SetBaseOffset(offset)
	return batch{offset, offset, b}
}

// Control batches are nobody's records. What was aborted is left out only for who
// wants what is committed.
func TestTransactions(t *testing.T) {
	for committed, want := range map[bool]string{true: "t-0: 2 3 4 8 9", false: "t-0: 0 1 2 3 4 6 8 9"} {
		inBubble(t, func(t *testing.T, h *hall) {
			in := func(offset, producer int64, n int) batch {
				return h.records(record.Spec{BaseOffset: offset, HasProducer: true, ProducerID: producer, Transactional: true}, n)
			}
			h.write("t-0", in(0, 7, 2), in(2, 8, 2), h.plain(4, 4), marker(5, 8, record.ControlCommit), in(6, 7, 1),
				marker(7, 7, record.ControlAbort), in(8, 7, 2), marker(10, 7, record.ControlCommit), marker(11, 9, record.ControlAbort))
			aborted := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			aborted.ProducerID = 7
			h.change("t-0", func(l *log) { l.aborted = append(l.aborted, aborted) })
			h.cfg.Committed = committed
			f := h.start(share("t-0", 0))
			h.check("taken", take(f, 99), want)
			f.Settle()
			h.check("settled", settled(f), "t-0@12")
			// Nothing to take in all that comes: it is done with as it is.
			h.write("t-0", marker(12, 7, record.ControlCommit))
			pass(0)
			h.check("taken", take(f, 99), "")
			h.check("settled", settled(f), "t-0@13")
			if q := h.questions(); !strings.HasSuffix(q, "t-0@13/1") {
				t.Errorf("asked %s", q)
			}
		})
	}
}

// What has nothing to take does not settle what was taken and is not done with.
func TestTransactionsAmidWork(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		h.write("t-0", h.plain(0, 1))
		f := h.start(share("t-0", 0))
		h.check("taken", take(f, 9), "t-0: 0 1")
		h.write("t-0", marker(2, 7, record.ControlCommit))
		pass(0)
		h.check("settled", settled(f), "t-0@0")
		f.Settle()
		h.check("settled", settled(f), "t-0@3")
	})
}

// The log cleaner leaves gaps, empty batches, and batches whose last records are
// gone.
func TestCompacted(t *testing.T) {
	inBubble(t, func(t *testing.T, h *hall) {
		var bl record.Builder
		bl.Reset(record.Spec{BaseOffset: 3})
		bl.AppendAt(1, 1, nil, nil)
		bl.AppendAt(3, 1, nil, nil)
		bl.SetLastOffsetDelta(6)
		thin, err := bl.Build()
		if err != nil {
			t.Fatal(err)
		}
		empty := record.Batch(h.plain(20, 24).data).AppendEmpty(nil)
		h.write("t-0", batch{3, 9, slices.Clone(thin)}, batch{20, 24, empty})
		f := h.start(share("t-0", 0))
		h.check("taken", take(f, 1), "t-0: 4")
		f.Settle()
		h.check("settled", settled(f), "t-0@5")
		h.check("taken", take(f, 9), "t-0: 6")
		f.Settle()
		h.check("settled", settled(f), "t-0@25")
		if q := h.questions(); !strings.HasSuffix(q, "t-0@25/1") {
			t.Errorf("asked %s", q)
		}
	})
}
