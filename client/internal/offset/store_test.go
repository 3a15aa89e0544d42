package offset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
)

// shelf is a store in memory.
type shelf struct {
	has map[Partition]int64
	err error
}

func (s *shelf) Find(_ context.Context, partitions []Partition) (map[Partition]int64, error) {
	out := map[Partition]int64{}
	for _, p := range partitions {
		o, ok := s.has[p]
		if !ok {
			o = -1
		}
		out[p] = o
	}
	return out, s.err
}

func (s *shelf) Commit(_ context.Context, offsets map[Partition]int64) error {
	if s.err == nil {
		maps.Copy(s.has, offsets)
	}
	return s.err
}

func TestBoth(t *testing.T) {
	p := func(n int32) Partition { return Partition{Topic: "t", Partition: n} }
	kafka, zookeeper := &shelf{has: map[Partition]int64{p(0): 5, p(1): 7}}, &shelf{has: map[Partition]int64{p(1): 9, p(2): 0}}
	both := Both(kafka, zookeeper)
	got, err := both.Find(t.Context(), []Partition{p(0), p(1), p(2), p(3)})
	if want := map[Partition]int64{p(0): 5, p(1): 9, p(2): 0, p(3): -1}; err != nil || !maps.Equal(got, want) {
		t.Errorf("found %v, %v", got, err)
	}
	if err := both.Commit(t.Context(), map[Partition]int64{p(3): 1}); err != nil || kafka.has[p(3)] != 1 || zookeeper.has[p(3)] != 1 {
		t.Errorf("committed %v %v, %v", kafka.has, zookeeper.has, err)
	}
	// ZooKeeper is not written to for what Kafka did not take.
	kafka.err = errors.New("no")
	if err := both.Commit(t.Context(), map[Partition]int64{p(3): 2}); err == nil || zookeeper.has[p(3)] != 1 {
		t.Errorf("committed %v, %v", zookeeper.has, err)
	}
	if _, err := both.Find(t.Context(), []Partition{p(0)}); err == nil {
		t.Error("found half")
	}
}

func TestAnswersOfAllVersions(t *testing.T) {
	asked := Partition{Topic: "t", Partition: 1}
	read := func(resp *kmsg.OffsetFetchResponse) string {
		out := map[Partition]int64{asked: -1}
		err := readOffsets(resp, "g", out)
		return fmt.Sprint(out[asked], " ", err, " ", len(out))
	}
	part := func(n int32, offset int64, code int16) kmsg.OffsetFetchResponseTopicPartition {
		return kmsg.OffsetFetchResponseTopicPartition{Partition: n, Offset: offset, ErrorCode: code}
	}
	old := func(parts ...kmsg.OffsetFetchResponseTopicPartition) *kmsg.OffsetFetchResponse {
		return &kmsg.OffsetFetchResponse{Topics: []kmsg.OffsetFetchResponseTopic{{Topic: "t", Partitions: parts}}}
	}
	for name, c := range map[string]struct {
		resp *kmsg.OffsetFetchResponse
		want string
	}{
		"found":         {old(part(1, 8, 0)), "8 <nil> 1"},
		"none":          {old(part(1, -1, 0)), "-1 <nil> 1"},
		"none, first":   {old(part(1, -1, kerr.UnknownTopicOrPartition.Code)), "-1 <nil> 1"},
		"not asked for": {old(part(2, 8, 0)), "-1 <nil> 1"},
		"moved":         {&kmsg.OffsetFetchResponse{ErrorCode: kerr.NotCoordinator.Code}, "-1 " + kerr.NotCoordinator.Error() + " 1"},
		"by group": {&kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{
			{Group: "h", ErrorCode: kerr.NotCoordinator.Code},
			{Group: "g", Topics: []kmsg.OffsetFetchResponseGroupTopic{{Topic: "t", Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{{Partition: 1, Offset: 4}}}}},
		}}, "4 <nil> 1"},
		"loading": {&kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{Group: "g", ErrorCode: kerr.CoordinatorLoadInProgress.Code}}},
			"-1 " + kerr.CoordinatorLoadInProgress.Error() + " 1"},
	} {
		if got := read(c.resp); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	for err, want := range map[error]bool{
		kerr.NotCoordinator: true, kerr.CoordinatorNotAvailable: true, fmt.Errorf("t-1: %w", kerr.CoordinatorLoadInProgress): true, io.ErrUnexpectedEOF: true,
		kerr.GroupAuthorizationFailed: false, kerr.OffsetMetadataTooLarge: false, link.ErrClosed: true, fmt.Errorf("to a: %w", errShut): false,
	} {
		if transient(err) != want {
			t.Errorf("%v: %t", err, !want)
		}
	}
}

func TestRequestsOfAllVersions(t *testing.T) {
	partitions := []Partition{{Topic: "u", Partition: 0}, {Topic: "t", Partition: 3}, {Topic: "t", Partition: 1}}
	req := fetchRequest("g", partitions)
	if len(req.Topics) != 2 || req.Topics[0].Topic != "t" || fmt.Sprint(req.Topics[0].Partitions) != "[1 3]" ||
		len(req.Groups) != 1 || req.Groups[0].Group != "g" || len(req.Groups[0].Topics) != 2 || fmt.Sprint(req.Groups[0].Topics[0].Partitions) != "[1 3]" {
		t.Errorf("fetch %+v", req)
	}
	commit := commitRequest("g", map[Partition]int64{partitions[0]: 9, partitions[1]: 7})
	if commit.Generation != -1 || commit.MemberID != "" || len(commit.Topics) != 2 || commit.Topics[0].Partitions[0].Offset != 7 || commit.Topics[1].Partitions[0].Offset != 9 {
		t.Errorf("commit %+v", commit)
	}
}
