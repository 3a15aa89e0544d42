package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// verify looks at what is there while the clients pause: what they were
// promised, and the copies of it.
func (c *cluster) verify(t *testing.T, l *load) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl := newClient(t, l.opts)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	starts, err := listOffsets(ctx, adm, adm.ListStartOffsets)
	must(t, err)
	ends, err := listOffsets(ctx, adm, adm.ListEndOffsets)
	must(t, err)
	var problems []error
	for _, p := range l.records.Partitions() {
		log, err := l.whole(ctx, p, starts[p], ends[p])
		for errors.Is(err, kerr.OffsetOutOfRange) && ctx.Err() == nil {
			// Leaders go home, and who was away when records were deleted, or was
			// stopped then, may begin elsewhere.
			linger(ctx, 20*time.Millisecond)
			starts, err = listOffsets(ctx, adm, adm.ListStartOffsets)
			must(t, err)
			log, err = l.whole(ctx, p, starts[p], ends[p])
		}
		must(t, err)
		problems = append(problems, l.records.Log(p, log, l.records.AckedEnd(p))...)
	}
	problems = append(problems, l.records.Problems()...)
	problems = append(problems, l.verifyOffsets(ctx, adm, ends)...)
	if err := errors.Join(problems...); err != nil {
		t.Fatalf("promises broken:\n%v", err)
	}
	gregor.Eventually(t, patience, "all replicas are the same", func() error {
		ends, err := listOffsets(t.Context(), adm, adm.ListEndOffsets)
		if err != nil {
			return err
		}
		return c.sameReplicas(ends, l.archive.trimmed)
	})
}

// sameReplicas compares the copies of all partitions byte for byte, from where
// the last of them begins, which is where something was deleted at most, to the
// high watermark, which must be the end of each.
func (c *cluster) sameReplicas(ends, trimmed map[check.Partition]int64) error {
	var problems []error
	for p, end := range ends {
		var copies []check.Replica
		for _, b := range c.brokers {
			log, err := b.readReplica(p)
			if err != nil {
				return err
			}
			copies = append(copies, check.Replica{Name: b.name, Log: log})
		}
		start := int64(0)
		for _, r := range copies {
			first, ok := r.Start()
			switch got := r.End(); {
			case !ok && trimmed[p] == end:
				start = end // nothing is left, or nothing was ever there
			case got != end:
				problems = append(problems, fmt.Errorf("%s: %s ends at %d, the high watermark is %d", p, r.Name, got, end))
			case first > trimmed[p]:
				problems = append(problems, fmt.Errorf("%s: %s begins at %d, deleted was at most what is below %d", p, r.Name, first, trimmed[p]))
			}
		}
		problems = append(problems, check.SameReplicas(p, start, end, copies))
	}
	return errors.Join(problems...)
}

// readReplica puts the segments of a partition together, on whichever disk it is.
func (m *machine) readReplica(p check.Partition) ([]byte, error) {
	var names []string
	for _, d := range m.disks {
		found, err := filepath.Glob(filepath.Join(d.dir, "logs", p.String(), "*.log"))
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	var out []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// listOffsets are the starts or the high watermarks of all partitions.
func listOffsets(ctx context.Context, adm *kadm.Client, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[check.Partition]int64, error) {
	out := map[check.Partition]int64{}
	err := lasting(ctx, func() error {
		topics, err := adm.ListTopicsWithInternal(ctx)
		if err != nil {
			return err
		}
		listed, err := list(ctx, topics.Names()...)
		if err == nil {
			err = listed.Error()
		}
		listed.Each(func(o kadm.ListedOffset) { out[check.Partition{Topic: o.Topic, Index: o.Partition}] = o.Offset })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	return out, nil
}

// lasting asks until the answer is none that asks to try again: a leader or a
// coordinator may not know yet that it is one.
func lasting(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil || !kerr.IsRetriable(err) || ctx.Err() != nil {
			return err
		}
		linger(ctx, 20*time.Millisecond)
	}
}

// linger lets time pass: how long a fault lasts is what the seed chooses.
func linger(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// readLog reads a partition from its start to its end.
func readLog(ctx context.Context, opts []kgo.Opt, p check.Partition, start, end int64) ([]check.Record, error) {
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)], kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		p.Topic: {p.Index: kgo.NewOffset().At(start)},
	}), kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var out []check.Record
	for next := start; next < end; {
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

// verifyOffsets compares what the group has committed with what it was told.
func (l *load) verifyOffsets(ctx context.Context, adm *kadm.Client, ends map[check.Partition]int64) []error {
	var committed kadm.OffsetResponses
	err := lasting(ctx, func() (err error) {
		if committed, err = adm.FetchOffsets(ctx, groupName); err == nil {
			err = committed.Error()
		}
		return err
	})
	if err != nil {
		return []error{fmt.Errorf("fetch offsets of %s: %w", groupName, err)}
	}
	l.mu.Lock()
	doubt := l.mu.doubt
	l.mu.doubt = false
	l.mu.Unlock()
	var problems []error
	for _, p := range l.records.Partitions() {
		found := int64(check.None)
		if o, ok := committed.Lookup(p.Topic, p.Index); ok && o.Err == nil {
			found = o.At
		}
		if doubt {
			// A commit that nobody waited for any more may have overtaken others.
			problems = append(problems, l.offsets.CheckLossy(groupName, p, found))
		} else {
			problems = append(problems, l.offsets.Check(groupName, p, found, ends[p]))
		}
		l.offsets.Restart(groupName, p, found)
	}
	return problems
}
