package storage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/epoch"
)

// TestAgainstModel plays random histories on a log and on a list, over random
// settings, with kills and clean stops in between.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(120) {
		m := &model{bench: newBench(t), rnd: rand.New(rand.NewPCG(seed, 7))}
		m.cfg.SegmentBytes = int32(600 + m.rnd.IntN(2000))
		m.cfg.IndexIntervalBytes = int32(m.rnd.IntN(400))
		m.cfg.RetentionMs, m.cfg.VerifyTxn = -1, false
		m.cfg.KeepCodec, m.cfg.Codec = m.rnd.IntN(2) == 0, record.Codec(m.rnd.IntN(5))
		m.cfg.FileDeleteMs = m.rnd.Int64N(2) * 60_000
		m.log = m.create()
		for step := range 80 {
			what := m.step()
			if err := m.compare(); err != nil {
				t.Fatalf("seed %d, step %d, %s: %v", seed, step, what, err)
			}
		}
	}
}

// stored is one batch of the model.
type stored struct {
	first, last int64
	epoch       int32
	ms          int64
	values      []string
}

type model struct {
	*bench
	rnd        *rand.Rand
	log        *Log
	batches    []stored
	start, end int64
	epoch      int32
	epochs     []epoch.Entry
}

func (m *model) step() string {
	m.now = m.now.Add(time.Duration(m.rnd.IntN(5000)) * time.Millisecond)
	switch m.rnd.IntN(14) {
	case 0:
		m.checkpoint(m.log)
		m.kill()
		m.log = m.mustReopen()
		return "kill"
	case 1:
		m.stop(m.log)
		m.log = m.mustReopen()
		return "stop"
	case 2:
		return m.truncate()
	case 3:
		to := m.start + m.rnd.Int64N(m.end-m.start+1)
		m.log.SetHighWatermark(m.end)
		if err := m.log.RaiseStart(to); err != nil {
			m.t.Fatal(err)
		}
		m.start = to
		return fmt.Sprint("raise start to ", to)
	case 4:
		m.log.SetHighWatermark(m.end)
		m.cfg.RetentionSize = m.rnd.Int64N(5000)
		r := m.retain(m.log)
		m.cfg.RetentionSize = -1
		if _, _, err := m.log.RemoveDeleted(m.now); err != nil {
			m.t.Fatal(err)
		}
		m.start = max(m.start, r.StartOffset)
		return "retain"
	case 5:
		m.dir.files.closeIdle(true)
		if err := m.log.Flush(); err != nil {
			m.t.Fatal(err)
		}
		return "flush"
	default:
		return m.appendSome()
	}
}

func (m *model) truncate() string {
	to := max(0, m.end-m.rnd.Int64N(20))
	if to < m.start { // a follower is then restarted there
		m.start = to
	}
	if _, err := m.log.TruncateTo(to); err != nil {
		m.t.Fatal(err)
	}
	m.checkpoint(m.log) // as its contract asks
	for n := len(m.batches); n > 0 && m.batches[n-1].last >= to; n-- {
		m.batches = m.batches[:n-1]
	}
	// The log goes on behind the last batch, or where its segment begins.
	if end := m.log.EndOffset(); end > to || len(m.batches) > 0 && end < m.batches[len(m.batches)-1].last+1 {
		m.t.Fatalf("truncated to %d, ends at %d", to, end)
	}
	m.end = m.log.EndOffset()
	m.start = min(m.start, m.end)
	m.epochs = slices.DeleteFunc(m.epochs, func(e epoch.Entry) bool { return e.Start >= to })
	return fmt.Sprint("truncate to ", to)
}

func (m *model) appendSome() string {
	if m.rnd.IntN(6) == 0 {
		m.epoch++
	}
	b := stored{first: m.end, epoch: m.epoch, ms: m.now.UnixMilli() - m.rnd.Int64N(8000)}
	var bl record.Builder
	bl.Reset(record.Spec{Codec: record.Codec(m.rnd.IntN(5))})
	for i := range 1 + m.rnd.IntN(4) {
		b.values = append(b.values, fmt.Sprintf("%d/%d %s", m.end, i, strings.Repeat("x", m.rnd.IntN(60))))
		bl.Append(b.ms, nil, []byte(b.values[i]))
	}
	batch, err := bl.Build()
	if err != nil {
		m.t.Fatal(err)
	}
	info, err := m.log.AppendLeader(batch, AppendOptions{Now: m.now, LeaderEpoch: m.epoch})
	if err != nil {
		m.t.Fatal(err)
	}
	b.last, m.end = info.LastOffset, info.LastOffset+1
	m.batches = append(m.batches, b)
	if n := len(m.epochs); n == 0 || m.epochs[n-1].Epoch < b.epoch {
		m.epochs = append(m.epochs, epoch.Entry{Epoch: b.epoch, Start: b.first})
	}
	return fmt.Sprint("append up to ", b.last)
}

func (m *model) compare() error {
	l := m.log
	if l.StartOffset() != m.start || l.EndOffset() != m.end {
		return fmt.Errorf("log is [%d, %d), model [%d, %d)", l.StartOffset(), l.EndOffset(), m.start, m.end)
	}
	kept := slices.Clone(m.batches)
	kept = slices.DeleteFunc(kept, func(b stored) bool { return b.last < m.start })
	if err := m.compareRecords(kept); err != nil {
		return err
	}
	return m.compareLookups(kept)
}

func (m *model) compareRecords(kept []stored) error {
	at := m.start
	for len(kept) > 0 {
		s, err := m.log.Read(at, m.end, 1+m.rnd.IntN(3000), true)
		if err != nil {
			return fmt.Errorf("read at %d: %w", at, err)
		}
		data, err := s.AppendTo(nil)
		s.Release()
		if err != nil {
			return err
		}
		data = Whole(data)
		if len(data) == 0 {
			return fmt.Errorf("read at %d gave nothing, model has [%d, %d]", at, kept[0].first, kept[0].last)
		}
		for b, err := range record.All(data) {
			if err != nil || len(kept) == 0 {
				return fmt.Errorf("read at %d: %v, %d batches left", at, err, len(kept))
			}
			if err := sameBatch(b, kept[0]); err != nil {
				return err
			}
			at, kept = b.LastOffset()+1, kept[1:]
		}
	}
	return nil
}

func sameBatch(b record.Batch, want stored) error {
	if err := b.Verify(); err != nil {
		return err
	}
	var values []string
	for r, err := range b.Records() {
		if err != nil {
			return err
		}
		values = append(values, string(r.Value))
	}
	if b.BaseOffset() != want.first || b.LastOffset() != want.last || b.LeaderEpoch() != want.epoch || !slices.Equal(values, want.values) {
		return fmt.Errorf("batch [%d, %d] of epoch %d, model has [%d, %d] of %d", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(),
			want.first, want.last, want.epoch)
	}
	return nil
}

func (m *model) compareLookups(kept []stored) error {
	ms := m.now.UnixMilli() - m.rnd.Int64N(60_000)
	got, ok, err := m.log.OffsetForTime(ms)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(kept, func(b stored) bool { return b.ms >= ms })
	if ok != (i >= 0) || ok && got.Offset != max(m.start, kept[i].first) {
		return fmt.Errorf("time %d: found %+v %v, model at %d", ms, got, ok, i)
	}
	if len(kept) == 0 {
		return nil
	}
	b := kept[m.rnd.IntN(len(kept))]
	e, end, err := m.log.EndOffsetForEpoch(b.epoch)
	want := m.end
	if i := slices.IndexFunc(m.epochs, func(o epoch.Entry) bool { return o.Epoch > b.epoch }); i >= 0 {
		want = m.epochs[i].Start
	}
	if err != nil || e != b.epoch || end != want {
		return fmt.Errorf("epoch %d ends at (%d, %d), want %d (%w)", b.epoch, e, end, want, err)
	}
	return nil
}
