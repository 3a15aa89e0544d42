//go:build interop

package clients

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

// kcat runs kcat, which must succeed.
func kcat(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errs, exit := peer.Kcat(t, stdin, args...)
	if exit != 0 {
		t.Fatalf("kcat %s: exit %d\n%s\n%s", strings.Join(args, " "), exit, out, errs)
	}
	return out
}

// TestKcat sends and reads with librdkafka, with each codec, the idempotent
// producer, keys, headers, and by offset and time.
func TestKcat(t *testing.T) {
	b := broker(t)
	for _, c := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(c, func(t *testing.T) {
			t.Parallel()
			topic := name(t, "t")
			createTopic(t, b, topic, 2)
			var in []string
			for i := range 500 {
				in = append(in, fmt.Sprintf("key%d|value %d %s", i%50, i, strings.Repeat("z", i)))
			}
			kcat(t, strings.Join(in, "\n")+"\n", "-b", b.Addr, "-P", "-t", topic, "-K", "|", "-z", c, "-H", "from=kcat", "-X", "enable.idempotence=true")
			out := kcat(t, "", "-b", b.Addr, "-C", "-t", topic, "-e", "-q", "-f", "%p %o %k|%s %h\n")
			next := map[string]int{}
			var got []string
			for _, l := range lines(out) {
				f := strings.SplitN(l, " ", 3)
				if f[1] != fmt.Sprint(next[f[0]]) {
					t.Fatalf("offset %s of partition %s, want %d", f[1], f[0], next[f[0]])
				}
				next[f[0]]++
				value, ok := strings.CutSuffix(f[2], " from=kcat")
				if !ok {
					t.Fatalf("header of %q", l)
				}
				got = append(got, value)
			}
			slices.Sort(got)
			slices.Sort(in)
			if !slices.Equal(got, in) {
				t.Fatalf("%d records came back, %d went in", len(got), len(in))
			}
		})
	}
}

func TestKcatMetadataAndOffsets(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic := name(t, "t")
	createTopic(t, b, topic, 1)
	kcat(t, "a\nb\nc\nd\n", "-b", b.Addr, "-P", "-t", topic, "-p", "0")
	var m struct {
		Brokers []struct {
			ID   int
			Name string
		}
		Topics []struct {
			Topic      string
			Partitions []struct{ Partition, Leader int }
		}
	}
	if err := json.Unmarshal([]byte(kcat(t, "", "-b", b.Addr, "-L", "-J", "-t", topic)), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Brokers) != 1 || m.Brokers[0].Name != b.Addr || len(m.Topics) != 1 || m.Topics[0].Topic != topic || len(m.Topics[0].Partitions) != 1 {
		t.Errorf("%+v", m)
	}
	if out := kcat(t, "", "-b", b.Addr, "-Q", "-t", topic+":0:-1", "-t", topic+":0:-2"); !strings.Contains(out, topic+" [0] offset 4") && !strings.Contains(out, topic+" [0] offset 0") {
		t.Errorf("query: %q", out)
	}
	for from, want := range map[string]string{"2": "c\nd\n", "-1": "d\n", "beginning": "a\nb\nc\nd\n", "end": "", "s@0": "a\nb\nc\nd\n"} {
		if out := kcat(t, "", "-b", b.Addr, "-C", "-t", topic, "-p", "0", "-o", from, "-e", "-q"); out != want {
			t.Errorf("from %s: %q, want %q", from, out, want)
		}
	}
}

// TestKcatGroup reads as a member of a group, twice: the second goes on where
// the first stopped.
func TestKcatGroup(t *testing.T) {
	t.Parallel()
	b := broker(t)
	topic, group := name(t, "t"), name(t, "g")
	createTopic(t, b, topic, 3)
	read := func() []string {
		out := kcat(t, "", "-b", b.Addr, "-G", group, "-e", "-q", "-X", "auto.offset.reset=earliest", topic)
		got := lines(out)
		slices.Sort(got)
		return got
	}
	in := numbered(300)
	kcat(t, strings.Join(in[:200], "\n")+"\n", "-b", b.Addr, "-P", "-t", topic, "-X", "sticky.partitioning.linger.ms=0")
	if got := read(); !slices.Equal(got, in[:200]) {
		t.Fatalf("first: %d lines", len(got))
	}
	kcat(t, strings.Join(in[200:], "\n")+"\n", "-b", b.Addr, "-P", "-t", topic)
	if got := read(); !slices.Equal(got, in[200:]) {
		t.Fatalf("then: %q", got)
	}
}
