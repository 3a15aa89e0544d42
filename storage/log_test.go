package storage

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/record"
)

// bench is a disk in memory with one log directory, whose clock stands.
type bench struct {
	t   testing.TB
	fs  *memfs.FS
	env env.Env
	now time.Time
	dir *Dir
	cfg Config
	pid int64
}

type fixedClock struct{ b *bench }

func (c fixedClock) Now() time.Time                            { return c.b.now }
func (c fixedClock) NewTimer(time.Duration) env.Timer          { panic("no timers in storage") }
func (c fixedClock) AfterFunc(time.Duration, func()) env.Timer { panic("no timers in storage") }

func newBench(t testing.TB) *bench {
	b := &bench{t: t, now: time.UnixMilli(1_700_000_000_000), cfg: DefaultConfig()}
	b.fs = memfs.New(0, b.clock)
	b.env = env.Env{Clock: fixedClock{b}, FS: b.fs, Rand: env.Real().Rand}
	b.openDir()
	return b
}

func (b *bench) clock() time.Time { return b.now }

func (b *bench) openDir() *Dir {
	b.t.Helper()
	d, err := OpenDir(b.env, "/logs", DirOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	b.dir = d
	return d
}

var tp = TopicPartition{"topic", 0}

func (b *bench) create() *Log {
	b.t.Helper()
	l, err := b.dir.CreateLog(tp, Current, TopicID{1, 2, 3}, &b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// batch builds n records whose values begin with a word.
func (b *bench) batch(word string, n int) []byte {
	return b.batchAt(word, n, b.now.UnixMilli())
}

func (b *bench) batchAt(word string, n int, ms int64) []byte {
	b.t.Helper()
	var bl record.Builder
	bl.Reset(record.Spec{})
	for i := range n {
		bl.Append(ms, []byte("k"), fmt.Appendf(nil, "%s-%d", word, i))
	}
	out, err := bl.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	return bytes.Clone(out)
}

func (b *bench) append(l *Log, batch []byte) AppendInfo {
	b.t.Helper()
	info, err := l.AppendLeader(batch, AppendOptions{Now: b.now, LeaderEpoch: 0})
	if err != nil {
		b.t.Fatal(err)
	}
	return info
}

// readAll reads a log from its start to its end, in bites of max bytes, and
// checks that offsets rise without a hole.
func readAll(t testing.TB, l *Log, max int) []string {
	t.Helper()
	var out []string
	for at := l.StartOffset(); at < l.EndOffset(); {
		s, err := l.Read(at, l.EndOffset(), max, true)
		if err != nil {
			t.Fatalf("read at %d: %v", at, err)
		}
		data, err := s.AppendTo(nil)
		s.Release()
		if err != nil {
			t.Fatal(err)
		}
		before := at
		for len(data) > 0 {
			b, rest, err := record.Next(data)
			if errors.Is(err, record.ErrShort) {
				break
			}
			if err == nil {
				err = b.Verify()
			}
			if err != nil {
				t.Fatalf("read at %d: %v", at, err)
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if r.Offset < at {
					continue
				}
				out = append(out, fmt.Sprintf("%d:%s", r.Offset, r.Value))
				at = r.Offset + 1
			}
			data = rest
		}
		if at == before {
			t.Fatalf("read at %d gave no whole batch", at)
		}
	}
	return out
}

func TestAppendAndRead(t *testing.T) {
	b := newBench(t)
	l := b.create()
	var want []string
	for i := range 200 {
		info := b.append(l, b.batch(fmt.Sprintf("b%d", i), 3))
		if info.FirstOffset != int64(3*i) || info.LastOffset != int64(3*i+2) {
			t.Fatalf("append %d: %+v", i, info)
		}
		for j := range 3 {
			want = append(want, fmt.Sprintf("%d:b%d-%d", 3*i+j, i, j))
		}
	}
	for _, max := range []int{1, 100, 1000, 1 << 20} {
		got := readAll(t, l, max)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("bites of %d: %d records, want %d", max, len(got), len(want))
		}
	}
	if _, err := l.Read(601, 700, 10, true); err == nil {
		t.Error("read beyond the end succeeded")
	}
}
