package clients

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// listed writes offsets as "partition@offset", in order.
func listed(t *testing.T, os kadm.ListedOffsets, err error) string {
	t.Helper()
	if err == nil {
		err = os.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	os.Each(func(o kadm.ListedOffset) { out = append(out, fmt.Sprintf("%d@%d", o.Partition, o.Offset)) })
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAdminListOffsets(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), topic(t, 1, keep...)
	times := []int64{1000, 3000, 2000}
	cl := client(t)
	for _, at := range times {
		produce(t, cl, &kgo.Record{Topic: topic, Timestamp: time.UnixMilli(at), Value: fmt.Append(nil, at)})
	}
	list := func(what string, want string, f func() (kadm.ListedOffsets, error)) {
		t.Helper()
		os, err := f()
		equal(t, what, listed(t, os, err), want)
	}
	list("start", "0@0", func() (kadm.ListedOffsets, error) { return adm.ListStartOffsets(ctx, topic) })
	list("end", "0@3", func() (kadm.ListedOffsets, error) { return adm.ListEndOffsets(ctx, topic) })
	list("committed", "0@3", func() (kadm.ListedOffsets, error) { return adm.ListCommittedOffsets(ctx, topic) })
	list("largest time", "0@1", func() (kadm.ListedOffsets, error) { return adm.ListMaxTimestampOffsets(ctx, topic) })
	list("local start", "0@0", func() (kadm.ListedOffsets, error) { return adm.ListLocalLogStartOffsets(ctx, topic) })
	for at, want := range map[int64]string{0: "0@0", 1000: "0@0", 1001: "0@1", 3000: "0@1", 3001: "0@3"} {
		list(fmt.Sprint("after ", at), want, func() (kadm.ListedOffsets, error) { return adm.ListOffsetsAfterMilli(ctx, at, topic) })
	}
	os, err := adm.ListOffsetsAfterMilli(ctx, 1500, topic)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := os.Lookup(topic, 0)
	equal(t, "time found", o.Timestamp, 3000)
	equal(t, "epoch found", o.LeaderEpoch, 0)
	gone, err := adm.ListEndOffsets(ctx, topic+"-none")
	if err != nil {
		t.Fatal(err)
	}
	code(t, "unknown topic", gone.Error(), kerr.UnknownTopicOrPartition)
}

func TestAdminDeleteRecords(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), topic(t, 2)
	sent := sorted(fill(t, topic, 2, 20))
	del := func(partition int32, to int64) kadm.DeleteRecordsResponse {
		t.Helper()
		os := kadm.Offsets{}
		os.AddOffset(topic, partition, to, -1)
		rs, err := adm.DeleteRecords(ctx, os)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rs.On(topic, partition, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := del(0, 4)
	equal(t, "low watermark", fmt.Sprint(r.LowWatermark, r.Err), "4 <nil>")
	os, err := adm.ListStartOffsets(ctx, topic)
	equal(t, "starts", listed(t, os, err), "0@4 1@0")
	equal(t, "what is left", places(readAll(t, topic, 16)), places(sent[4:]))
	r = del(0, 2)
	equal(t, "backwards changes nothing", fmt.Sprint(r.LowWatermark, r.Err), "4 <nil>")
	r = del(1, -1)
	equal(t, "-1 is all", fmt.Sprint(r.LowWatermark, r.Err), "10 <nil>")
	code(t, "beyond the end", del(0, 11).Err, kerr.OffsetOutOfRange)
	equal(t, "what is left in the end", places(readAll(t, topic, 6)), places(sent[4:10]))
}

func TestAdminLogDirs(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), topic(t, 2)
	fill(t, topic, 1, 100) // partition 0 only
	all, err := adm.DescribeAllLogDirs(ctx, kadm.TopicsSet{topic: {0: {}, 1: {}}})
	if err != nil {
		t.Fatal(err)
	}
	dirs := all[0].Sorted()
	equal(t, "directories", len(dirs), 1)
	equal(t, "error", dirs[0].Err, nil)
	if d := dirs[0]; d.TotalBytes <= 0 || d.UsableBytes <= 0 || d.UsableBytes > d.TotalBytes {
		t.Fatalf("volume: %d bytes, %d usable", d.TotalBytes, d.UsableBytes)
	}
	ps := all[0].SortedPartitions()
	equal(t, "partitions", len(ps), 2)
	if ps[0].Size < 1000 || ps[0].Size > 10_000 {
		t.Fatalf("100 small records take %d bytes", ps[0].Size)
	}
	equal(t, "empty partition", fmt.Sprint(ps[1].Size, ps[1].OffsetLag, ps[1].IsFuture), "0 0 false")
	everything, err := adm.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := everything[0].LookupPartition(topic, 0); !ok {
		t.Fatal("asked for all topics, the answer lacks this one")
	}
}

func TestAdminLeaderEpochs(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), topic(t, 1)
	fill(t, topic, 1, 7)
	ask := func(epoch int32) kadm.OffsetForLeaderEpoch {
		t.Helper()
		var req kadm.OffsetForLeaderEpochRequest
		req.Add(topic, 0, epoch)
		rs, err := adm.OffsetForLeaderEpoch(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		return rs[topic][0]
	}
	r := ask(0)
	equal(t, "epoch 0", fmt.Sprint(r.LeaderEpoch, r.EndOffset, r.Err), "0 7 <nil>")
	r = ask(9)
	equal(t, "an epoch to come", fmt.Sprint(r.LeaderEpoch, r.EndOffset, r.Err), "-1 -1 <nil>")
}
