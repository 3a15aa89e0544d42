package crash

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type (
	kmsgCommitRequest  = kmsg.OffsetCommitRequest
	kmsgCommitResponse = kmsg.OffsetCommitResponse
)

// promise says what a disaster may take.
type promise struct {
	// floor returns the offset below which everything acknowledged is there.
	floor func(p check.Partition) int64
	// offsets says that committed offsets are kept too.
	offsets bool
}

// kept promises everything that was acknowledged.
func (h *history) kept() promise { return promise{floor: h.records.AckedEnd, offsets: true} }

// verify reads all there is with clients of its own and compares.
func (h *history) verify(t *testing.T, opts []kgo.Opt, keep promise) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl := newClient(t, opts)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var problems []error
	ends, err := h.logEnds(ctx, adm)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range h.records.Partitions() {
		log, err := readLog(ctx, opts, p, ends[p])
		if err != nil {
			t.Fatal(err)
		}
		problems = append(problems, h.records.Log(p, log, keep.floor(p))...)
	}
	problems = append(problems, h.records.Problems()...)
	problems = append(problems, h.verifyOffsets(ctx, adm, ends, keep)...)
	problems = append(problems, h.verifyTopics(ctx, adm)...)
	if err := errors.Join(problems...); err != nil {
		t.Fatalf("promises broken:\n%v", err)
	}
}

func (h *history) logEnds(ctx context.Context, adm *kadm.Client) (map[check.Partition]int64, error) {
	var listed kadm.ListedOffsets
	err := settled(ctx, func() (err error) {
		if listed, err = adm.ListEndOffsets(ctx, loadTopics...); err == nil {
			err = listed.Error()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends := map[check.Partition]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[check.Partition{Topic: o.Topic, Index: o.Partition}] = o.Offset })
	return ends, nil
}

// settled asks until the answer is none that asks to try again: a leader or a
// coordinator may not know yet that it is one.
func settled(ctx context.Context, ask func() error) error {
	var before error
	for {
		err := ask()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && before != nil:
			return fmt.Errorf("%w, after %w", err, before)
		case !kerr.IsRetriable(err):
			return err
		}
		before = err
		pause(ctx, 10*time.Millisecond)
	}
}

// readLog reads a partition from offset 0 to its end.
func readLog(ctx context.Context, opts []kgo.Opt, p check.Partition, end int64) ([]check.Record, error) {
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		p.Topic: {p.Index: kgo.NewOffset().At(0)},
	}), kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var out []check.Record
	for next := int64(0); next < end; {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return nil, fmt.Errorf("read %s at %d of %d: %w", p, next, end, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			out = append(out, check.Record{Offset: r.Offset, Value: r.Value})
			next = r.Offset + 1
		})
	}
	return out, nil
}

func (h *history) verifyOffsets(ctx context.Context, adm *kadm.Client, ends map[check.Partition]int64, keep promise) []error {
	var committed kadm.OffsetResponses
	err := settled(ctx, func() (err error) {
		if committed, err = adm.FetchOffsets(ctx, groupName); err == nil {
			err = committed.Error()
		}
		return err
	})
	if err != nil {
		return []error{fmt.Errorf("fetch offsets of %s: %w", groupName, err)}
	}
	var problems []error
	for p, end := range ends {
		found := int64(check.None)
		if o, ok := committed.Lookup(p.Topic, p.Index); ok && o.Err == nil {
			found = o.At
		}
		if keep.offsets {
			problems = append(problems, h.offsets.Check(groupName, p, found, end))
		} else {
			problems = append(problems, h.offsets.CheckLossy(groupName, p, found))
			h.records.Resume(p, found)
		}
		h.offsets.Restart(groupName, p, found)
	}
	return problems
}

func (h *history) verifyTopics(ctx context.Context, adm *kadm.Client) []error {
	details, err := adm.ListTopics(ctx)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return []error{fmt.Errorf("list topics: %w", err)}
	}
	if len(details) == 0 {
		return h.topics.Check(nil)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, details.Names()...)
	if err != nil {
		return []error{fmt.Errorf("describe configs: %w", err)}
	}
	var found []check.Topic
	for _, d := range details.Sorted() {
		if strings.HasPrefix(d.Topic, "__") {
			continue
		}
		topic := check.Topic{Name: d.Topic, ID: d.ID, Partitions: len(d.Partitions), Configs: map[string]string{}}
		described, err := configs.On(d.Topic, nil)
		if err == nil {
			err = described.Err
		}
		if err != nil {
			return []error{fmt.Errorf("describe configs of %s: %w", d.Topic, err)}
		}
		for _, c := range described.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				topic.Configs[c.Key] = c.MaybeValue()
			}
		}
		found = append(found, topic)
	}
	return h.topics.Check(found)
}
