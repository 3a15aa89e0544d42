package assign_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/client/internal/assign"
	"github.com/gregor-mq/gregor/test/story"
	"github.com/gregor-mq/gregor/znode"
)

// TestStories runs the files in testdata. Each block is a group:
//
//	topic NAME PARTITIONS
//	member ID static TOPIC=STREAMS ...
//	member ID white_list|black_list EXPRESSION=STREAMS
//	range, round-robin              what every member claims
//
// The files in testdata were checked against the classes of 0.8.2.2 itself;
// interop/consumers does it again.
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		return story.Blocks(text, func(lines []string) string { return tell(t, lines) })
	})
}

func tell(t *testing.T, lines []string) string {
	var out strings.Builder
	g, regs := assign.Group{Partitions: map[string][]int32{}}, map[string]znode.Consumer{}
	for _, line := range lines {
		words := strings.Fields(line)
		switch words[0] {
		case "topic":
			n := number(t, words[2])
			for p := range n {
				g.Partitions[words[1]] = append(g.Partitions[words[1]], n-1-p)
			}
		case "member":
			c := znode.Consumer{Pattern: words[2], Streams: map[string]int32{}}
			for _, w := range words[3:] {
				i := strings.LastIndexByte(w, '=')
				c.Streams[w[:i]] = number(t, w[i+1:])
			}
			regs[words[1]] = c
		case "range":
			all(t, &out, assign.Range, g, regs)
		case "round-robin":
			all(t, &out, assign.RoundRobin, g, regs)
		default:
			t.Fatalf("no line %q", line)
		}
	}
	return out.String()
}

// all prints what each member claims, and fails when two claim one partition.
func all(t *testing.T, out *strings.Builder, s assign.Strategy, g assign.Group, regs map[string]znode.Consumer) {
	topics := slices.Sorted(maps.Keys(g.Partitions))
	for _, id := range slices.Sorted(maps.Keys(regs)) {
		m, err := assign.Resolve(id, regs[id], topics)
		if err != nil {
			fmt.Fprintf(out, "%v\n", err)
			return
		}
		g.Members = append(g.Members, m)
	}
	taken := map[assign.TopicPartition]string{}
	for _, m := range g.Members {
		claims, err := s(m.ID, g)
		if errors.Is(err, assign.ErrUneven) {
			fmt.Fprintf(out, "%s refused\n", m.ID)
			continue
		}
		of := map[string][]string{}
		for _, c := range claims {
			if by := taken[c.TopicPartition]; by != "" {
				t.Errorf("%v is claimed by %s and %s", c.TopicPartition, by, c.Thread)
			}
			taken[c.TopicPartition] = c.Thread
			of[c.Thread] = append(of[c.Thread], fmt.Sprintf("%s-%d", c.Topic, c.Partition))
		}
		if len(of) == 0 {
			fmt.Fprintf(out, "%s nothing\n", m.ID)
		}
		for _, thread := range slices.Sorted(maps.Keys(of)) {
			fmt.Fprintf(out, "%s %s\n", thread, strings.Join(of[thread], " "))
		}
	}
}

func number(t *testing.T, s string) int32 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}
