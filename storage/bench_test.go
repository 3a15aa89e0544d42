package storage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/record"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

// onDisk is a log directory of the operating system.
func onDisk(t testing.TB, path string) *Dir {
	t.Helper()
	d, err := OpenDir(env.Real(), path, DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func batchOf(t testing.TB, records, size int) []byte {
	t.Helper()
	var bl record.Builder
	bl.Reset(record.Spec{})
	value := bytes.Repeat([]byte("v"), size)
	for range records {
		bl.Append(1_700_000_000_000, nil, value)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ records, size int }{{1, 100}, {100, 1000}, {1000, 100}} {
		b.Run(fmt.Sprintf("%dx%d", c.records, c.size), func(b *testing.B) {
			d := onDisk(b, b.TempDir())
			cfg := DefaultConfig()
			l, err := d.CreateLog(tp, Current, TopicID{1}, &cfg)
			if err != nil {
				b.Fatal(err)
			}
			batch := batchOf(b, c.records, c.size)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			opt := AppendOptions{Now: time.UnixMilli(1_700_000_000_000)}
			for b.Loop() {
				record.Batch(batch).SetBaseOffset(0)
				if _, err := l.AppendLeader(batch, opt); err != nil {
					b.Fatal(err)
				}
				if l.SegmentCount() > 1 { // keep the disk small
					if err := l.TruncateFullyAndStartAt(0, 0); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, where := range []string{"tail", "middle"} {
		b.Run(where, func(b *testing.B) {
			d := onDisk(b, b.TempDir())
			cfg := DefaultConfig()
			l, err := d.CreateLog(tp, Current, TopicID{1}, &cfg)
			if err != nil {
				b.Fatal(err)
			}
			const batches = 20_000
			batch := batchOf(b, 10, 100)
			for range batches {
				record.Batch(batch).SetBaseOffset(0)
				if _, err := l.AppendLeader(batch, AppendOptions{Now: time.UnixMilli(1)}); err != nil {
					b.Fatal(err)
				}
			}
			at := l.EndOffset() - 10
			if where == "middle" {
				at = l.EndOffset() / 2
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := l.Read(at, l.EndOffset(), 1<<20, true)
				if err != nil || s.Size() == 0 {
					b.Fatal(s.Size(), err)
				}
				s.Release()
			}
		})
	}
}

// TestAppendAllocatesNothingPerRecord: the hot path.
func TestAppendAllocatesNothingPerRecord(t *testing.T) {
	d := onDisk(t, t.TempDir())
	cfg := DefaultConfig()
	l, err := d.CreateLog(tp, Current, TopicID{1}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	batch := batchOf(t, 1000, 100)
	allocs := testing.AllocsPerRun(50, func() {
		record.Batch(batch).SetBaseOffset(0)
		if _, err := l.AppendLeader(batch, AppendOptions{Now: time.UnixMilli(1)}); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 4 {
		t.Errorf("an append allocates %v times", allocs)
	}
}

// TestManyIdlePartitions: after a clean stop a log is opened from names and
// sizes, costs little memory and holds no file.
func TestManyIdlePartitions(t *testing.T) {
	const partitions = 500
	path := t.TempDir()
	cfg := DefaultConfig()
	stoppedBroker(t, path, partitions, &cfg)
	before := heap()
	began := time.Now()
	d := onDisk(t, path)
	known, err := d.ReadCheckpoint(RecoveryPoints)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := d.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	logs := make([]*Log, 0, partitions)
	for _, p := range parts {
		l, err := d.OpenLog(p, LogOptions{Config: &cfg, RecoveryPoint: known[p.TopicPartition]})
		if err != nil {
			t.Fatal(err)
		}
		if l.EndOffset() != 1 {
			t.Fatalf("%s ends at %d", p.Name, l.EndOffset())
		}
		logs = append(logs, l)
	}
	took, used := time.Since(began), heap()-before
	t.Logf("%d logs opened in %v, %d bytes each", len(logs), took, used/partitions)
	if took > time.Second {
		t.Errorf("opening took %v", took)
	}
	if used/partitions > 3<<10 { // includes the maps above
		t.Errorf("%d bytes per log", used/partitions)
	}
	if n := d.files.open(); n != 0 {
		t.Errorf("%d files open", n)
	}
	runtime.KeepAlive(logs)
}

// stoppedBroker leaves a directory as a clean stop does, with many partitions
// that hold one record each.
func stoppedBroker(t *testing.T, path string, partitions int32, cfg *Config) {
	t.Helper()
	d := onDisk(t, path)
	l, err := d.CreateLog(TopicPartition{"many", 0}, Current, TopicID{1}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.AppendLeader(batchOf(t, 1, 10), AppendOptions{Now: time.UnixMilli(1)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	points := make([]checkpoint.Offset, partitions)
	for i := range partitions {
		points[i] = checkpoint.Offset{Topic: "many", Partition: i, Offset: l.EndOffset()}
		if i == 0 {
			continue
		}
		linkFiles(t, l.Path(), filepath.Join(path, TopicPartition{"many", i}.String()))
	}
	if err := d.WriteCheckpoint(RecoveryPoints, points); err != nil {
		t.Fatal(err)
	}
	if err := d.MarkClean(-1); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func linkFiles(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Link(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
