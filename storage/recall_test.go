package storage

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/producer"
)

// sendAs appends one record of an idempotent producer.
func (b *bench) sendAs(l *Log, id int64, seq int32, size int) (AppendInfo, error) {
	var bl record.Builder
	bl.Reset(record.Spec{HasProducer: true, ProducerID: id, BaseSequence: seq})
	bl.Append(b.now.UnixMilli(), nil, make([]byte, size))
	batch, err := bl.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	return l.AppendLeader(batch, AppendOptions{Now: b.now})
}

// TestRetriesAfterARestart repeats the last batches of two producers, all that
// a client may have had in flight, to a log that was loaded from a snapshot.
func TestRetriesAfterARestart(t *testing.T) {
	const sent = 12
	stop := func(b *bench, l *Log) *Log {
		b.stop(l)
		return b.mustReopen()
	}
	kill := func(b *bench, _ *Log) *Log {
		b.kill()
		return b.mustReopen()
	}
	truncate := func(b *bench, l *Log) *Log {
		if _, err := b.sendAs(l, 3, 0, 10); err != nil {
			t.Fatal(err)
		}
		if _, err := l.TruncateTo(2 * sent); err != nil {
			t.Fatal(err)
		}
		return l
	}
	f := func(name string, segmentBytes, indexInterval int32, restart func(*bench, *Log) *Log) {
		t.Run(fmt.Sprintf("%s/segments of %d", name, segmentBytes), func(t *testing.T) {
			b := newBench(t)
			b.cfg.SegmentBytes, b.cfg.IndexIntervalBytes = segmentBytes, indexInterval
			l := b.create()
			for seq := range int32(sent) {
				for id := range int64(2) {
					if _, err := b.sendAs(l, id, seq, 10); err != nil {
						t.Fatal(err)
					}
				}
			}
			l = restart(b, l)
			for id := range int64(2) {
				for seq := int32(sent - producer.Remembered); seq < sent; seq++ {
					if info, err := b.sendAs(l, id, seq, 10); err != nil || !info.Duplicate || info.FirstOffset != 2*int64(seq)+id {
						t.Errorf("sequence %d of producer %d again: %+v, %v", seq, id, info, err)
					}
				}
				if _, err := b.sendAs(l, id, sent-producer.Remembered-1, 10); !errors.Is(err, producer.ErrOutOfOrder) {
					t.Errorf("one batch too old of producer %d: %v", id, err)
				}
				if info, err := b.sendAs(l, id, sent, 10); err != nil || info.Duplicate {
					t.Errorf("next of producer %d: %+v, %v", id, info, err)
				}
			}
		})
	}
	for _, segmentBytes := range []int32{100, 400, 1 << 20} {
		f("stop", segmentBytes, 0, stop)
		f("kill", segmentBytes, 4096, kill)
		f("truncate", segmentBytes, 0, truncate)
	}
}

// TestRecallIsBounded looks at how much is read again.
func TestRecallIsBounded(t *testing.T) {
	const records, size = 3000, 1000
	b := newBench(t)
	b.cfg.SegmentBytes = 1 << 20
	l := b.create()
	for seq := range int32(records) {
		if _, err := b.sendAs(l, 1, seq, size); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []int64{0, 1, 500, records - 1, records} {
		from, err := l.before(end, recallBytes)
		if err != nil {
			t.Fatal(err)
		}
		// A batch has a header besides its record; the index has an entry every
		// few batches.
		const least = recallBytes/(size+100) - 10
		if n := end - from; n > recallBytes/size || n < min(end, least) {
			t.Errorf("from %d to %d are %d records", from, end, n)
		}
	}
}
