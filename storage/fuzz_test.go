package storage

import (
	"errors"
	"testing"

	"github.com/gregor-mq/gregor/record"
)

// FuzzOpenLog opens a partition whose files hold anything, as after a crash:
// what it can be read from then on checks, and it takes new batches.
func FuzzOpenLog(f *testing.F) {
	b := newBench(f)
	one := b.batch("one", 2)
	two := record.Batch(b.batch("two", 1))
	two.SetBaseOffset(2)
	log := append(one, two...)
	f.Add(log, []byte(nil), []byte(nil), []byte(nil), []byte(nil))
	f.Add(log[:len(log)-5], make([]byte, 16), []byte("0\n1\n0 0\n"), []byte{0, 1}, []byte("version: 0\n"))
	f.Fuzz(func(t *testing.T, log, index, epochs, snapshot, meta []byte) {
		b := newBench(t)
		for name, content := range map[string][]byte{
			fileName(0, suffixLog): log, fileName(0, suffixIndex): index, fileName(0, suffixTimeIndex): index, fileName(0, suffixTxnIndex): index,
			fileEpochs: epochs, fileName(2, suffixSnapshot): snapshot, filePartition: meta,
		} {
			b.write("/logs/"+tp.String()+"/"+name, string(content))
		}
		l, err := b.dir.OpenLog(PartitionDir{TopicPartition: tp, Kind: Current, Name: tp.String()}, LogOptions{Config: &b.cfg})
		if errors.Is(err, ErrOverflow) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.TopicID(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.OffsetForTime(b.now.UnixMilli()); err != nil {
			if _, ok := errors.AsType[*DirError](err); ok {
				t.Fatal(err)
			}
		}
		info, err := l.AppendLeader(b.batch("new", 1), AppendOptions{Now: b.now, LeaderEpoch: 1000})
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Read(info.FirstOffset, l.EndOffset(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		got, err := s.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if batch, _, err := record.Next(got); err != nil || batch.Verify() != nil || batch.BaseOffset() != info.FirstOffset {
			t.Fatalf("read back %x, %v", got, err)
		}
		if b.dir.Failed() != nil {
			t.Fatal(b.dir.Failed())
		}
	})
}

// FuzzNames takes the names of files and directories apart: what is one of ours
// has the parts that it was made of.
func FuzzNames(f *testing.F) {
	f.Add("topic-with-dashes-17")
	f.Add("00000000000000000042.log.deleted")
	f.Fuzz(func(t *testing.T, name string) {
		if p, ok := parsePartitionDir(name); ok {
			for kind := Deleted; kind <= Stray; kind++ {
				marked := markedName(p.TopicPartition, kind, [16]byte{1})
				again, ok := parsePartitionDir(marked)
				if !ok || again.Kind != kind || again.Partition != p.Partition || p.CanMove() && again.Topic != p.Topic {
					t.Fatalf("%q is %+v, and %q is %+v", name, p, marked, again)
				}
			}
		}
		if offset, rest, ok := parseFileName(name); ok {
			again, tail, ok := parseFileName(fileName(offset, rest))
			if !ok || again != offset || tail != rest {
				t.Fatalf("%q is %d and %q, then %d and %q", name, offset, rest, again, tail)
			}
		}
	})
}
