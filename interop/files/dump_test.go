//go:build interop

package files

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/record"
)

// dump runs Apache's reader of segments over files.
func dump(t *testing.T, files []string, flags ...string) string {
	t.Helper()
	if len(files) == 0 {
		t.Fatal("no files to dump")
	}
	out, errs, exit := peer.Tool(t, "kafka-dump-log", append(flags, "--files", strings.Join(files, ","))...)
	if exit != 0 {
		t.Fatalf("dump: exit %d\n%s\n%s", exit, out, errs)
	}
	for _, bad := range []string{"Mismatches in", "Non-consecutive offsets", "out of order", "isvalid: false", "Corrupted", "Found invalid", "Exception"} {
		if strings.Contains(out, bad) || strings.Contains(errs, bad) {
			i := max(strings.Index(out, bad), 0)
			t.Errorf("%s: %.600s\n%.600s", bad, out[i:], errs)
		}
	}
	return out
}

// TestApacheReadsSegments lets the broker under test write and Apache's own
// tool read every file that it left.
func TestApacheReadsSegments(t *testing.T) {
	b := peer.Target(t, peer.Options{Properties: map[string]string{"log.index.interval.bytes": "100"}})
	topic := "dumped"
	createTopic(t, b, topic, "segment.bytes=3000")
	fill(t, b, topic, "plain")
	c := dial(t, b)
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4} {
		var bl record.Builder
		bl.Reset(record.Spec{Codec: codec})
		for i := range 20 {
			bl.Append(1_700_000_000_000+int64(i), nil, fmt.Appendf(nil, "old %d", i))
		}
		batch, err := bl.Build()
		if err != nil {
			t.Fatal(err)
		}
		for magic := range int8(2) {
			set, err := record.Downconvert(nil, batch, magic, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			put(t, c, topic, 0, 2, set)
		}
	}
	if out, errs, exit := peer.Kcat(t, "", "-b", b.Addr, "-G", "dumpers", "-e", "-q", "-X", "auto.offset.reset=earliest", topic); exit != 0 || len(strings.Fields(out)) == 0 {
		t.Fatalf("read: exit %d, %s", exit, errs)
	}
	total := int64(0)
	for p := range int32(2) {
		total += read(t, b, topic, p).end
	}
	b.Stop(t)

	payloads := 0
	for p := range 2 {
		partition := fmt.Sprintf("%s-%d", topic, p)
		logs := segments(t, b.LogDir, partition, ".log")
		if len(logs) < 2 {
			t.Errorf("%s has %d segments, the indexes of one are hardly used", partition, len(logs))
		}
		out := dump(t, logs, "--deep-iteration", "--print-data-log")
		payloads += strings.Count(out, " payload: ")
		for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
			if !strings.Contains(out, "compresscodec: "+codec) {
				t.Errorf("%s: no batch of %s", partition, codec)
			}
		}
		for _, kind := range []string{".index", ".timeindex"} {
			index := segments(t, b.LogDir, partition, kind)
			entries := strings.Count(dump(t, index), "offset: ")
			if entries < 10 {
				t.Errorf("%s: %d entries in all %s files", partition, entries, kind)
			}
			if out := dump(t, index, "--index-sanity-check"); strings.Count(out, "passed sanity check.") != len(index) {
				t.Errorf("%s: %s", partition, out)
			}
			dump(t, index, "--verify-index-only")
		}
		if snapshots := segments(t, b.LogDir, partition, ".snapshot"); len(snapshots) == 0 {
			t.Errorf("%s has no snapshot of its producers", partition)
		} else if out := dump(t, snapshots); !strings.Contains(out, "producerId: ") || !strings.Contains(out, "lastSequence: ") {
			t.Errorf("%s: %s", partition, out)
		}
	}
	if int64(payloads) != total {
		t.Errorf("the dump shows %d records, the broker had %d", payloads, total)
	}
	offsets := dump(t, segments(t, b.LogDir, "__consumer_offsets-0", ".log"), "--offsets-decoder")
	for _, want := range []string{`"group":"dumpers"`, `"topic":"dumped"`, `"protocolType":"consumer"`} {
		if !strings.Contains(offsets, want) {
			t.Errorf("no %s in\n%.3000s", want, offsets)
		}
	}
}
