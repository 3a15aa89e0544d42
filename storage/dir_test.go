package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/storage/checkpoint"
)

func (b *bench) write(name, content string) {
	b.t.Helper()
	if err := b.fs.MkdirAll(path.Dir(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := writeFile(b.fs, name, []byte(content), true); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	src, err := b.fs.ReadFile(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(src)
}

func TestDirIsLocked(t *testing.T) {
	b := newBench(t)
	_, err := OpenDir(b.env, "/logs", DirOptions{})
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.Dir != "/logs" || !errors.Is(err, env.ErrLocked) {
		t.Errorf("got %v", err)
	}
	if err := b.dir.Close(); err != nil {
		t.Fatal(err)
	}
	b.openDir()
}

func TestDirThatCannotBe(t *testing.T) {
	b := newBench(t)
	b.write("/file", "x")
	if _, err := OpenDir(b.env, "/file", DirOptions{}); !isDirError(err) {
		t.Errorf("got %v", err)
	}
}

func TestMetaClaims(t *testing.T) {
	f := func(want Meta, files []string, got Meta, bad string) {
		t.Helper()
		b := newBench(t)
		var dirs []*Dir
		for i, content := range files {
			name := fmt.Sprintf("/d%d", i)
			if content != "" {
				b.write(name+"/"+fileMeta, content)
			}
			d, err := OpenDir(b.env, name, DirOptions{})
			if err != nil {
				t.Fatal(err)
			}
			dirs = append(dirs, d)
		}
		before := b.fs
		m, err := ClaimDirs(dirs, want)
		if bad != "" {
			e, ok := errors.AsType[*MetaError](err)
			if !ok || !strings.Contains(e.Error(), bad) || e.Mend == "" {
				t.Errorf("%v: error %v, want one about %q", files, err, bad)
			}
			for i, content := range files {
				if content != "" && b.read(fmt.Sprintf("/d%d/%s", i, fileMeta)) != content {
					t.Errorf("%v: file %d was changed", files, i)
				}
			}
			return
		}
		if err != nil || m != got || before != b.fs {
			t.Errorf("%v: got %+v, %v, want %+v", files, m, err, got)
		}
	}
	none := Meta{BrokerID: -1}
	f(none, []string{"", ""}, none, "")
	f(none, []string{"", "broker.id=3\nversion=0\ncluster.id=abc\n"}, Meta{BrokerID: 3, ClusterID: "abc"}, "")
	f(Meta{BrokerID: 3, ClusterID: ""}, []string{"cluster.id=abc\n", "broker.id=3\n"}, Meta{BrokerID: 3, ClusterID: "abc"}, "")
	f(Meta{BrokerID: 4, ClusterID: ""}, []string{"broker.id=3\n"}, none, "broker.id is 3, but the configuration says 4")
	f(none, []string{"broker.id=3\n", "broker.id=4\n"}, none, "/d0/meta.properties says 3")
	f(Meta{BrokerID: -1, ClusterID: "x"}, []string{"cluster.id=abc\n"}, none, `cluster.id is "abc"`)
	f(none, []string{"\x00\x00\x00"}, none, "no property")
	f(none, []string{"version=1\nnode.id=1\ncluster.id=x\n"}, none, "KRaft")
}

func TestMetaIsWrittenOnce(t *testing.T) {
	b := newBench(t)
	m := Meta{BrokerID: 7, ClusterID: "cluster"}
	if err := b.dir.WriteMeta(m); err != nil {
		t.Fatal(err)
	}
	first := b.read("/logs/" + fileMeta)
	b.now = b.now.AddDate(1, 0, 0)
	if err := b.dir.WriteMeta(m); err != nil || b.read("/logs/"+fileMeta) != first {
		t.Errorf("written again: %v", err)
	}
	b.write("/logs/"+fileMeta, "broker.id=7\nversion=0\n") // as Kafka before it had cluster ids
	if err := b.dir.WriteMeta(m); err != nil || !strings.Contains(b.read("/logs/"+fileMeta), "cluster.id=cluster") {
		t.Errorf("not completed: %v", err)
	}
}

func TestPartitions(t *testing.T) {
	b := newBench(t)
	hex := strings.Repeat("0a", 16)
	names := []string{"a-0", "with-dash-and.dot_2-17", "gone-1." + hex + "-delete", "coming-2." + hex + "-future", "odd-3." + hex + "-stray"}
	for _, n := range append(names, dirRemoteCache) {
		if err := b.fs.MkdirAll("/logs/"+n, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.write("/logs/some-file", "x")
	got, err := b.dir.Partitions()
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, p := range got {
		text = append(text, fmt.Sprintf("%s %d %d", p.Topic, p.Partition, p.Kind))
	}
	slices.Sort(text)
	want := []string{"a 0 0", "coming 2 2", "gone 1 1", "odd 3 3", "with-dash-and.dot_2 17 0"}
	if !slices.Equal(text, want) {
		t.Errorf("got %v", text)
	}
	for _, stray := range []string{"nodash", "-1", "topic-", "topic-x", "t-1.-delete", "t-1-delete", "lost+found"} {
		b := newBench(t)
		if err := b.fs.MkdirAll("/logs/"+stray, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := b.dir.Partitions()
		if e, ok := errors.AsType[*StrayError](err); !ok || e.Name != stray {
			t.Errorf("%q: %v", stray, err)
		}
	}
}

func TestLongTopicNamesAreCutInMarkedNames(t *testing.T) {
	long := TopicPartition{strings.Repeat("t", 249), 12345}
	for _, kind := range []PartitionKind{Deleted, Stray} {
		name := markedName(long, kind, [16]byte{})
		p, ok := parsePartitionDir(name)
		if len(name) != maxName || !ok || p.Kind != kind || p.Partition != 12345 || !strings.HasPrefix(long.Topic, p.Topic) {
			t.Errorf("%s: %d bytes, %+v", name, len(name), p)
		}
	}
	if p, ok := parsePartitionDir(markedName(tp, Future, [16]byte{})); !ok || p.TopicPartition != tp {
		t.Errorf("%+v", p)
	}
}

func TestCheckpoints(t *testing.T) {
	b := newBench(t)
	if m, err := b.dir.ReadCheckpoint(HighWatermarks); err != nil || len(m) != 0 {
		t.Errorf("missing file: %v, %v", m, err)
	}
	in := []checkpoint.Offset{{Topic: "a", Partition: 1, Offset: 5}, {Topic: "b", Partition: 0, Offset: 7}}
	if err := b.dir.WriteCheckpoint(HighWatermarks, in); err != nil {
		t.Fatal(err)
	}
	// It is durable at once, and atomic.
	n := b.crash(memfs.Crash{})
	m, err := n.openDir().ReadCheckpoint(HighWatermarks)
	if err != nil || !maps.Equal(m, map[TopicPartition]int64{{"a", 1}: 5, {"b", 0}: 7}) {
		t.Errorf("after a power cut: %v, %v", m, err)
	}
	b.write("/logs/"+string(LogStarts), "garbage")
	if m, err := b.dir.ReadCheckpoint(LogStarts); !errors.Is(err, checkpoint.ErrMalformed) || len(m) != 0 {
		t.Errorf("damaged: %v, %v", m, err)
	}
}

func TestCleanMark(t *testing.T) {
	b := newBench(t)
	if b.dir.WasClean() {
		t.Error("a new directory has a mark")
	}
	if err := b.dir.MarkClean(-1); err != nil {
		t.Fatal(err)
	}
	b.kill()
	d := b.openDir()
	if !d.WasClean() || b.read("/logs/"+fileClean) != `{"version":0,"brokerEpoch":-1}` {
		t.Error("the mark is not found")
	}
	if err := d.RemoveCleanMark(); err != nil || !d.WasClean() {
		t.Errorf("%v, clean %v", err, d.WasClean())
	}
	b.kill()
	if b.openDir().WasClean() {
		t.Error("the mark is still there")
	}
	b.write("/logs/"+fileClean, "") // as brokers before 3.7 wrote it
	b.kill()
	if !b.openDir().WasClean() {
		t.Error("an empty mark is not taken")
	}
}

func TestCreateTwice(t *testing.T) {
	b := newBench(t)
	b.create()
	if _, err := b.dir.CreateLog(tp, Current, TopicID{}, &b.cfg); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	future, err := b.dir.CreateLog(tp, Future, TopicID{}, &b.cfg)
	if err != nil || !strings.HasSuffix(future.Path(), "-future") {
		t.Errorf("%v", err)
	}
}

func TestFilesComeWhenNeeded(t *testing.T) {
	b := newBench(t)
	l := b.create()
	names := func() (out []string) {
		entries, err := b.fs.ReadDir(l.Path())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	want := []string{"partition.metadata"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("new: %v", got)
	}
	b.append(l, b.batch("x", 1))
	want = []string{"00000000000000000000.log", "partition.metadata"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("one record: %v", got)
	}
	b.stop(l)
	want = []string{"00000000000000000000.index", "00000000000000000000.log", "00000000000000000000.timeindex",
		"00000000000000000001.snapshot", "leader-epoch-checkpoint", "partition.metadata"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("closed: %v", got)
	}
	if got := b.read(l.file(filePartition)); got != "version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA" {
		t.Errorf("partition.metadata %q", got)
	}
	if got := b.read(l.file(fileEpochs)); got != "0\n1\n0 0\n" {
		t.Errorf("epochs %q", got)
	}
	if got := b.read(l.file("00000000000000000000.timeindex")); len(got) != 12 {
		t.Errorf("time index of %d bytes", len(got))
	}
}

func TestTopicID(t *testing.T) {
	b := newBench(t)
	l, err := b.dir.CreateLog(tp, Current, TopicID{}, &b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	id := TopicID{9}
	if got, err := l.TopicID(); err != nil || got != (TopicID{}) {
		t.Error(got, err)
	}
	if err := l.SetTopicID(id); err != nil {
		t.Fatal(err)
	}
	b.append(l, b.batch("x", 1))
	b.kill()
	l = b.mustReopen()
	if got, err := l.TopicID(); err != nil || got != id {
		t.Error(got, err)
	}
	if err := l.SetTopicID(TopicID{8}); !errors.Is(err, ErrTopicID) {
		t.Error(err)
	}
	// Flushed data never goes without its topic id.
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	n := b.crash(memfs.Crash{})
	if got, err := n.mustReopen().TopicID(); err != nil || got != id {
		t.Error("after a power cut", got, err)
	}
}

// TestCleanStartReadsNothing: names and sizes are enough.
func TestCleanStartReadsNothing(t *testing.T) {
	b := newBench(t)
	l := b.story()
	end := l.EndOffset()
	b.stop(l)
	b.fs.SetInjector(func(op memfs.Op, name string) error {
		if strings.HasPrefix(name, l.Path()+"/") && (op == memfs.OpOpen || op == memfs.OpRead) {
			return fmt.Errorf("%s %s: %w", op, name, os.ErrPermission)
		}
		return nil
	})
	l = b.mustReopen()
	if l.EndOffset() != end || l.StartOffset() != 0 || l.RecoveryPoint() != end {
		t.Errorf("[%d, %d), recovery point %d", l.StartOffset(), l.EndOffset(), l.RecoveryPoint())
	}
	if b.dir.files.open() != 0 {
		t.Errorf("%d files open", b.dir.files.open())
	}
	b.fs.SetInjector(nil)
	if err := b.dir.lock.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCleanStopOfAnUntouchedLog leaves it as it is.
func TestCleanStopOfAnUntouchedLog(t *testing.T) {
	b := newBench(t)
	b.stop(b.story())
	before := b.copyDisk()
	b.stop(b.mustReopen())
	if after := b.copyDisk(); !maps.EqualFunc(before, after, slices.Equal) {
		for name := range before {
			if string(before[name]) != string(after[name]) {
				t.Errorf("%s changed", name)
			}
		}
	}
}

func TestDeletePartition(t *testing.T) {
	b := newBench(t)
	l := b.create()
	b.append(l, b.batch("x", 3))
	span, err := l.Read(0, 3, 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Delete()
	if err != nil || p.Kind != Deleted || !strings.HasSuffix(l.Path(), "-delete") {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := l.AppendLeader(b.batch("x", 1), AppendOptions{Now: b.now}); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := l.Read(0, 3, 1000, true); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	again := b.create() // the topic may come back at once
	if again.EndOffset() != 0 {
		t.Error("a new log is not empty")
	}
	if err := b.dir.RemovePartition(p); err != nil {
		t.Fatal(err)
	}
	if data, err := span.AppendTo(nil); err != nil || len(data) != span.Size() {
		t.Errorf("a span held over the deletion: %v", err)
	}
	span.Release()
	if _, _, err := l.OffsetForTime(0); !errors.Is(err, ErrClosed) || b.dir.Failed() != nil {
		t.Errorf("lookup in a removed log: %v, directory %v", err, b.dir.Failed())
	}
	if parts, _ := b.dir.Partitions(); len(parts) != 1 {
		t.Errorf("%v", parts)
	}
}

func TestRename(t *testing.T) {
	b := newBench(t)
	l, err := b.dir.CreateLog(tp, Future, TopicID{1}, &b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.append(l, b.batch("x", 3))
	if err := l.Rename(Current); err != nil || l.Path() != "/logs/topic-0" {
		t.Fatalf("%s, %v", l.Path(), err)
	}
	b.append(l, b.batch("y", 1))
	b.dir.files.closeIdle(true) // so that files are opened under the new name
	if n := len(readAll(t, l, 1000)); n != 4 {
		t.Errorf("%d records", n)
	}
}

// swapCase is a moment at which the cleaner's swap of two segments for one may
// be cut off, told by the suffixes of the files that are there.
func TestSwapsAreFinishedOrUndone(t *testing.T) {
	b := newBench(t)
	b.cfg.SegmentBytes = 150
	l := b.create()
	for i := range 4 {
		b.append(l, b.batch(fmt.Sprint("old", i), 2))
	}
	b.stop(l)
	files := b.copyDisk()
	p := func(offset int64, suffix string) string { return path.Join(l.Path(), fileName(offset, suffix)) }
	cleaned := slices.Concat(files[p(2, suffixLog)], files[p(4, suffixLog)]) // segments 2 and 4 in one

	f := func(how string, change func(d disk), want string) {
		t.Helper()
		d := maps.Clone(files)
		change(d)
		n := b.on(d)
		l, err := n.reopen()
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		var got strings.Builder
		for _, s := range l.segments() {
			got.WriteString(fmt.Sprintf("%d:%d ", s.base, s.size.Load()))
		}
		if got.String() != want {
			t.Errorf("%s: segments %s, want %s", how, got.String(), want)
		}
		if records := len(readAll(t, l, 1000)); records != 8 {
			t.Errorf("%s: %d records", how, records)
		}
		for name := range n.copyDisk() {
			if strings.HasSuffix(name, suffixSwap) || strings.HasSuffix(name, suffixCleaned) || strings.HasSuffix(name, suffixDeleted) {
				t.Errorf("%s: %s is left", how, name)
			}
		}
	}
	size := len(files[p(0, suffixLog)])
	untouched := fmt.Sprintf("0:%d 2:%d 4:%d 6:%d ", size, size, size, size)
	swapped := fmt.Sprintf("0:%d 2:%d 6:%d ", size, 2*size, size)
	f("only cleaned", func(d disk) { d[p(2, suffixLog+suffixCleaned)] = cleaned }, untouched)
	f("a swap above a cleaned", func(d disk) {
		d[p(2, suffixLog+suffixCleaned)] = cleaned
		d[p(4, suffixLog+suffixSwap)] = cleaned[:10]
	}, untouched)
	f("all swap", func(d disk) { d[p(2, suffixLog+suffixSwap)] = cleaned }, swapped)
	f("swap, one old segment marked", func(d disk) {
		d[p(2, suffixLog+suffixSwap)] = cleaned
		d[p(2, suffixLog+suffixDeleted)] = d[p(2, suffixLog)]
		delete(d, p(2, suffixLog))
	}, swapped)
	f("index without a log", func(d disk) { d[p(3, suffixIndex)] = []byte{1} }, untouched)
	f("unfinished checkpoint", func(d disk) { d[path.Join(l.Path(), fileEpochs+suffixTmp)] = []byte("0") }, untouched)
}
