//go:build interop

package old

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/znode"
)

// releases are the clients, by the libraries that have them (see peer.Jars).
var releases = []struct {
	version, library, reader string
	dated                    bool // its records have timestamps
}{
	{"0.8.2.2", "kafka-0.8.2.2", "Stream.java", false},
	{"0.9.0.1", "clients-0.9.0.1", "Read.java", false},
	{"0.10.2.2", "kafka-0.10.2.2", "Read.java", true},
	{"1.0.2", "clients-1.0.2", "Read.java", true},
	{"2.0.1", "clients-2.0.1", "Read.java", true},
	{"3.9.1", "kafka-3.9.1", "Read.java", true},
}

// codecs are those that all of the releases know, and how many records each of
// them writes with each.
var codecs = []string{"none", "gzip", "snappy", "lz4"}

const (
	perCodec   = 400
	partitions = 3
	keys       = 20
)

// place is where a record lies.
type place struct {
	partition int32
	offset    int64
}

// content is a record without its place. The time is "none" where the release does
// not tell it.
type content struct{ key, value, time string }

// TestAllReleasesAtOnce lets the clients of all releases write one topic and read
// it at the same time: every one of them reads what all of them wrote, record by
// record, whatever the format that it asks for.
func TestAllReleasesAtOnce(t *testing.T) {
	s := newStage(t)
	const topic = "every-release"
	s.create(topic, partitions)
	total := len(releases) * len(codecs) * perCodec
	var readers, writers []*peer.Process
	for _, r := range releases {
		from := s.Bootstrap()
		if r.reader == "Stream.java" {
			from = s.Ensemble.Addr
		}
		readers = append(readers, peer.StartJavaSource(t, r.library, "testdata/"+r.reader, []string{from, topic, "group-" + r.version, fmt.Sprint(total)}, ""))
		args := append([]string{s.Bootstrap(), topic, r.version, fmt.Sprint(perCodec)}, codecs...)
		writers = append(writers, peer.StartJavaSource(t, r.library, "testdata/Write.java", args, ""))
	}
	log := s.log(topic, total)
	sent := map[place]content{}
	for i, r := range releases {
		acked := records(t, output(t, r.version+" writes", writers[i]))
		for _, p := range acked {
			if _, twice := sent[p.place]; twice {
				t.Errorf("%s: two records were put at %v", r.version, p.place)
			}
			sent[p.place] = p.content
		}
		written(t, r.version, acked)
	}
	same(t, "the log and what was answered", undated(log), sent)
	for i, r := range releases {
		got := map[place]content{}
		next := map[int32]int64{}
		for _, p := range records(t, output(t, r.version+" reads", readers[i])) {
			if p.offset != next[p.partition] {
				t.Errorf("%s reads offset %d of partition %d, want %d", r.version, p.offset, p.partition, next[p.partition])
			}
			next[p.partition] = p.offset + 1
			got[p.place] = p.content
		}
		want := log
		if !r.dated {
			want = undated(log)
		}
		same(t, r.version+" and the log", got, want)
		s.committed("group-"+r.version, topic, r.reader == "Stream.java", next)
	}
	dates(t, log)
}

// output is what a program printed that ended well.
func output(t *testing.T, who string, p *peer.Process) string {
	t.Helper()
	out, errs, exit := p.Output(t)
	if exit != 0 {
		t.Fatalf("%s: exit %d\n%s", who, exit, errs)
	}
	return out
}

type placed struct {
	place
	content
}

// records are the lines that the programs print: partition and offset, key, value
// and, of readers, time.
func records(t *testing.T, out string) []placed {
	t.Helper()
	var all []placed
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		var r placed
		if _, err := fmt.Sscanf(f[0], "%d %d", &r.partition, &r.offset); err != nil || len(f) < 3 {
			t.Fatalf("no record: %q", line)
		}
		r.content = content{key: f[1], value: f[2], time: "none"}
		if len(f) > 3 {
			r.time = f[3]
		}
		all = append(all, r)
	}
	return all
}

// written checks that the records of a producer are those that it had to write,
// and that it found them in its order in each partition.
func written(t *testing.T, version string, acked []placed) {
	t.Helper()
	type part struct {
		codec     string
		partition int32
	}
	number, offset := map[part]int{}, map[part]int64{}
	left := map[string]bool{}
	for _, codec := range codecs {
		for i := range perCodec {
			left[fmt.Sprintf("%s %s %d", version, codec, i)] = true
		}
	}
	slices.SortFunc(acked, func(a, b placed) int { return int(a.offset - b.offset) })
	for _, r := range acked {
		f := strings.Fields(r.value)
		delete(left, strings.Join(f[:3], " "))
		n, err := strconv.Atoi(f[2])
		if err != nil || r.key != fmt.Sprintf("key %d", n%keys) {
			t.Fatalf("%s: %+v: %v", version, r, err)
		}
		p := part{f[1], r.partition}
		if last, ok := number[p]; ok && last >= n {
			t.Errorf("%s: record %d with %s is at %d of partition %d, behind record %d at %d", version, n, p.codec, r.offset, r.partition, last, offset[p])
		}
		number[p], offset[p] = n, r.offset
	}
	if len(left) > 0 || len(acked) != len(codecs)*perCodec {
		t.Errorf("%s: %d answers, %d records without one, as %q", version, len(acked), len(left), slices.Sorted(maps.Keys(left))[:min(3, len(left))])
	}
}

// log reads a topic by a client of today, until it has so many records.
func (s *stage) log(topic string, total int) map[place]content {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Seeds()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	out := map[place]content{}
	for len(out) < total {
		fetches := cl.PollFetches(s.ctx)
		if err := fetches.Err(); err != nil {
			s.t.Fatalf("%d of %d records: %v", len(out), total, err)
		}
		for r := range fetches.RecordsAll() {
			out[place{r.Partition, r.Offset}] = content{string(r.Key), string(r.Value), fmt.Sprint(r.Timestamp.UnixMilli())}
		}
	}
	return out
}

func undated(log map[place]content) map[place]content {
	out := map[place]content{}
	for p, c := range log {
		c.time = "none"
		out[p] = c
	}
	return out
}

// same compares records by their places, and names the first of those that
// differ.
func same(t *testing.T, what string, got, want map[place]content) {
	t.Helper()
	var differ []string
	for p, c := range want {
		if got[p] != c {
			differ = append(differ, fmt.Sprintf("%v: %+v and %+v", p, got[p], c))
		}
	}
	for p, c := range got {
		if _, ok := want[p]; !ok {
			differ = append(differ, fmt.Sprintf("%v: %+v and none", p, c))
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		t.Errorf("%s differ in %d records, first in\n%s", what, len(differ), differ[0])
	}
}

// dates checks that records have a time if their producer knew of it.
func dates(t *testing.T, log map[place]content) {
	t.Helper()
	for p, c := range log {
		version, _, _ := strings.Cut(c.value, " ")
		undated := version == "0.8.2.2" || version == "0.9.0.1"
		if undated != (c.time == "-1") {
			t.Fatalf("%v of %s has the time %s", p, version, c.time)
		}
	}
}

// committed checks the offsets of a group, in ZooKeeper or with its coordinator.
func (s *stage) committed(group, topic string, inZooKeeper bool, want map[int32]int64) {
	s.t.Helper()
	got := map[int32]int64{}
	if inZooKeeper {
		for p := range int32(partitions) {
			got[p] = s.offset(group, topic, p)
		}
	} else {
		offsets, err := s.admin.FetchOffsets(s.ctx, group)
		if err != nil {
			s.t.Fatal(err)
		}
		for p, o := range offsets[topic] {
			got[p] = o.At
		}
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("%s committed %v, want %v", group, got, want)
	}
}

// offset is what a group has in ZooKeeper.
func (s *stage) offset(group, topic string, partition int32) int64 {
	s.t.Helper()
	data, _, err := s.zk.Get(s.ctx, znode.OffsetPath(group, topic, partition), false)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
