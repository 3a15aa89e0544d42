//go:build interop

package old

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/znode"
)

// simple are the releases whose tools talk to a partition's leader by themselves.
var simple = []string{"kafka-0.8.2.2", "kafka-0.10.2.2"}

// TestGetOffsetShell lets the old tool list where segments begin: it has no
// other answer to give for a time.
func TestGetOffsetShell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const topic, partitions = "segmented", 2
	s.create(topic, partitions, "segment.bytes=1000")
	for p := range int32(partitions) {
		for i := range 10 + p {
			s.write(s.kafka, topic, p, fmt.Sprintf("%d %s", i, strings.Repeat("x", 400)))
		}
	}
	const anything = "1000"
	var latest, newest, earliest, before []string
	for p := range int32(partitions) {
		all := s.segments(topic, p)
		if len(all) < 4 {
			t.Fatalf("%s-%d begins its segments at %v", topic, p, all)
		}
		all = append([]int64{10 + int64(p)}, all...) // the end is the newest
		row := func(offsets []int64) string {
			var texts []string
			for _, o := range offsets {
				texts = append(texts, fmt.Sprint(o))
			}
			return fmt.Sprintf("%s:%d:%s", topic, p, strings.Join(texts, ","))
		}
		latest = append(latest, row(all))
		newest = append(newest, row(all[:3]))
		earliest = append(earliest, row([]int64{0}))
		before = append(before, row(nil))
	}
	for _, library := range simple {
		for _, c := range []struct {
			time, count string
			want        []string
		}{
			{"-1", anything, latest},
			{"-1", "3", newest},
			{"-2", anything, earliest},
			{"4102444800000", anything, latest}, // in 2100 all has been written
			{"1000", anything, before},
		} {
			printed, _ := s.run(library, "kafka.tools.GetOffsetShell", "--broker-list", s.Bootstrap(), "--topic", topic, "--time", c.time, "--offsets", c.count)
			slices.Sort(printed)
			equal(t, fmt.Sprintf("%s: %s offsets at %s", library, c.count, c.time), printed, c.want)
		}
	}
}

// segments are the offsets at which the segments of a partition begin on the disk
// of its leader, from the newest on.
func (s *stage) segments(topic string, partition int32) []int64 {
	s.t.Helper()
	path := znode.StatePath(topic, partition)
	data, _, err := s.zk.Get(s.ctx, path, false)
	if err != nil {
		s.t.Fatal(err)
	}
	state, err := znode.DecodePartitionState(path, data)
	if err != nil {
		s.t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(s.Brokers[state.Leader].LogDir, fmt.Sprintf("%s-%d", topic, partition)))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []int64
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".log"); ok {
			base, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			out = append(out, base)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// TestSimpleConsumerShell reads from the middle of a batch. Without a codec the
// answer begins at the offset asked for; with one it is the whole batch, as the
// formats before 0.11 have it.
func TestSimpleConsumerShell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const topic, records = "shell", 10
	s.create(topic, 2)
	var values []string
	for i := range records {
		values = append(values, fmt.Sprintf("value %d", i))
	}
	s.write(s.kafka, topic, 0, values...)
	s.write(s.client(kgo.ProducerBatchCompression(kgo.GzipCompression())), topic, 1, values...)
	read := func(partition, from, to int) []string {
		var out []string
		for i := from; i < to; i++ {
			out = append(out, fmt.Sprintf("next offset = %d", i+1), fmt.Sprintf("key of value %d value %d", i, i))
		}
		if to == records {
			out = append(out, fmt.Sprintf("Terminating. Reached the end of partition (%s, %d) at offset %d", topic, partition, records))
		}
		return out
	}
	for _, library := range simple {
		for _, c := range []struct {
			partition   int
			offset, max string
			want        []string
		}{
			{0, "-2", "1000", read(0, 0, records)},
			{0, "3", "1000", read(0, 3, records)},
			{0, "3", "2", read(0, 3, 5)},
			{0, "-1", "1000", read(0, records, records)},
			{1, "-2", "1000", read(1, 0, records)},
			{1, "3", "1000", read(1, 0, records)},
		} {
			printed, _ := s.run(library, "kafka.tools.SimpleConsumerShell", "--broker-list", s.Bootstrap(), "--topic", topic,
				"--partition", strconv.Itoa(c.partition), "--offset", c.offset, "--max-messages", c.max, "--no-wait-at-logend", "--print-offsets",
				"--property", "print.key=true")
			equal(t, fmt.Sprintf("%s: partition %d from %s, at most %s", library, c.partition, c.offset, c.max), printed, c.want)
		}
	}
}
