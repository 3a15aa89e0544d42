package clients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func eventually(t testing.TB, what string, ok func() error) {
	t.Helper()
	gregor.Eventually(t, patience, what, ok)
}

// member is a group consumer that polls in the background and remembers what
// it owns, what it was told and what it read.
type member struct {
	cl   *kgo.Client
	stop func()
	mu   struct {
		sync.Mutex
		owned    map[int32]bool
		revoked  int // calls that took partitions away
		assigned int // calls that brought partitions
		records  []*kgo.Record
		errs     []error
	}
}

func join(t *testing.T, topic, group string, opts ...kgo.Opt) *member {
	t.Helper()
	m := &member{}
	m.mu.owned = map[int32]bool{}
	took := func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, p := range ps[topic] {
			delete(m.mu.owned, p)
		}
		if len(ps[topic]) > 0 {
			m.mu.revoked++
		}
	}
	m.cl = client(t, append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range ps[topic] {
				m.mu.owned[p] = true
			}
			if len(ps[topic]) > 0 {
				m.mu.assigned++
			}
		}),
		kgo.OnPartitionsRevoked(took), kgo.OnPartitionsLost(took),
	}, opts...)...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			fs := m.cl.PollFetches(ctx)
			m.mu.Lock()
			m.mu.records = append(m.mu.records, fs.Records()...)
			for _, e := range fs.Errors() {
				if ctx.Err() == nil {
					m.mu.errs = append(m.mu.errs, e.Err)
				}
			}
			m.mu.Unlock()
		}
	}()
	m.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(m.stop)
	return m
}

// leave stops polling and closes the client, which leaves the group unless the
// member is static.
func (m *member) leave() {
	m.stop()
	m.cl.Close()
}

func (m *member) owns() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.mu.owned))
}

func (m *member) changes() (assigned, revoked int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.assigned, m.mu.revoked
}

func (m *member) firstErr() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.mu.errs...)
}

func (m *member) values() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return places(sorted(m.mu.records))
}

// settled waits until the members own each partition exactly once and the group
// is stable, and each of them has its fair share.
func settled(t *testing.T, group string, partitions int, ms ...*member) kadm.DescribedGroup {
	t.Helper()
	adm := admin(t)
	var d kadm.DescribedGroup
	eventually(t, fmt.Sprintf("%d members share %d partitions", len(ms), partitions), func() error {
		var all []int32
		for _, m := range ms {
			own := m.owns()
			if len(own) < partitions/len(ms) {
				return fmt.Errorf("a member owns %v", own)
			}
			all = append(all, own...)
		}
		slices.Sort(all)
		if len(all) != partitions || len(slices.Compact(all)) != partitions {
			return fmt.Errorf("owned: %v", all)
		}
		ds, err := adm.DescribeGroups(t.Context(), group)
		if err != nil {
			return err
		}
		if d = ds[group]; d.Err != nil || d.State != "Stable" || len(d.Members) != len(ms) {
			return fmt.Errorf("group is %s with %d members, error %v", d.State, len(d.Members), d.Err)
		}
		return nil
	})
	return d
}

// describedShares are the partitions of each member as the broker tells them.
func describedShares(t *testing.T, d kadm.DescribedGroup, topic string) map[string][]int32 {
	t.Helper()
	out := map[string][]int32{}
	for _, m := range d.Members {
		a, ok := m.Assigned.AsConsumer()
		if !ok {
			t.Fatalf("member %s: assignment is not a consumer's", m.MemberID)
		}
		out[m.MemberID] = nil
		for _, tp := range a.Topics {
			equal(t, "assigned topic", tp.Topic, topic)
			out[m.MemberID] = append(out[m.MemberID], tp.Partitions...)
		}
		slices.Sort(out[m.MemberID])
	}
	return out
}

func TestGroupBalance(t *testing.T) {
	t.Parallel()
	for _, b := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.RoundRobinBalancer(), kgo.StickyBalancer(), kgo.CooperativeStickyBalancer()} {
		t.Run(b.ProtocolName(), func(t *testing.T) {
			t.Parallel()
			topic, group := topic(t, 6), name(t)
			sent := fill(t, topic, 6, 60)
			balance := kgo.Balancers(b)
			first := join(t, topic, group, balance, kgo.ClientID("first"))
			settled(t, group, 6, first)
			second := join(t, topic, group, balance, kgo.ClientID("second"))
			d := settled(t, group, 6, first, second)
			equal(t, "protocol", d.Protocol, b.ProtocolName())
			equal(t, "protocol type", d.ProtocolType, "consumer")
			shares := describedShares(t, d, topic)
			for _, m := range []*member{first, second} {
				id, _ := m.cl.GroupMetadata()
				equal(t, "share as described", shares[id], m.owns())
				equal(t, "size of a share", len(m.owns()), 3)
			}
			for _, m := range d.Members {
				equal(t, "member id begins with the client id", strings.HasPrefix(m.MemberID, m.ClientID+"-"), true)
				equal(t, "host", m.ClientHost, "/127.0.0.1")
			}
			if _, revoked := first.changes(); b.IsCooperative() {
				equal(t, "a cooperative member gives up partitions once", revoked, 1)
			}
			eventually(t, "the first member reads all", func() error {
				if got, want := fmt.Sprint(distinct(first.values())), fmt.Sprint(places(sorted(sent))); got != want {
					return fmt.Errorf("read %s", got)
				}
				return nil
			})
			first.leave()
			settled(t, group, 6, second)
			if err := second.firstErr(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// distinct drops repeats of sorted values: without commits a new owner reads
// again what the former one had read.
func distinct(values []string) []string { return slices.Compact(values) }

func TestGroupCommits(t *testing.T) {
	t.Parallel()
	ctx, adm := within(t), admin(t)
	topic, group := topic(t, 2), name(t)
	sent := sorted(fill(t, topic, 2, 20)) // ten each
	opts := []kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()}

	cl := client(t, opts...)
	equal(t, "first read", places(read(t, cl, 20)), places(sent))
	if err := cl.CommitRecords(ctx, sent[3], sent[16]); err != nil { // up to 0/3 and 1/6
		t.Fatal(err)
	}
	cl.Close()
	os, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "committed", committed(os), "0=4 1=7")

	cl = client(t, opts...)
	equal(t, "read after the commit", places(read(t, cl, 9)), places(append(slices.Clone(sent[4:10]), sent[17:]...)))
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	lags, err := adm.Lag(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "lag", lags[group].Lag.Total(), 0)
	equal(t, "state without members", lags[group].State, "Empty")

	// An administrator resets one partition, with metadata.
	set := kadm.Offsets{}
	set.Add(kadm.Offset{Topic: topic, Partition: 1, At: 8, LeaderEpoch: 0, Metadata: "by hand"})
	if err := adm.CommitAllOffsets(ctx, group, set); err != nil {
		t.Fatal(err)
	}
	if os, err = adm.FetchOffsets(ctx, group); err != nil {
		t.Fatal(err)
	}
	equal(t, "committed after the reset", committed(os), "0=10 1=8")
	o, _ := os.Lookup(topic, 1)
	equal(t, "metadata of the commit", o.Metadata, "by hand")
	equal(t, "epoch of the commit", o.LeaderEpoch, 0)
	equal(t, "read after the reset", places(read(t, client(t, opts...), 2)), places(sent[18:]))
}

// committed writes offsets as "partition=offset", in order.
func committed(os kadm.OffsetResponses) string {
	var out []string
	for _, o := range os.Sorted() {
		out = append(out, fmt.Sprintf("%d=%d", o.Partition, o.At))
	}
	return strings.Join(out, " ")
}

func TestGroupAutoCommit(t *testing.T) {
	t.Parallel()
	topic, group := topic(t, 3), name(t)
	fill(t, topic, 3, 30)
	cl := client(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitInterval(100*time.Millisecond), kgo.AutoCommitMarks())
	for _, r := range read(t, cl, 30) {
		if r.Offset < 5 {
			cl.MarkCommitRecords(r)
		}
	}
	adm := admin(t)
	eventually(t, "marked records are committed", func() error {
		os, err := adm.FetchOffsets(t.Context(), group)
		if err == nil && committed(os) != "0=5 1=5 2=5" {
			err = fmt.Errorf("committed: %s", committed(os))
		}
		return err
	})
}

// A static member that comes back within the session timeout gets its
// partitions again, and nobody else notices.
func TestGroupStaticMember(t *testing.T) {
	t.Parallel()
	ctx, topic, group := within(t), topic(t, 6), name(t)
	opts := func(id string) []kgo.Opt {
		return []kgo.Opt{kgo.Balancers(kgo.RangeBalancer()), kgo.InstanceID(id), kgo.SessionTimeout(20 * time.Second)}
	}
	a, b := join(t, topic, group, opts("a")...), join(t, topic, group, opts("b")...)
	d := settled(t, group, 6, a, b)
	var ids []string
	for _, m := range d.Members {
		if m.InstanceID == nil {
			t.Fatalf("member %s is described without its instance id", m.MemberID)
		}
		ids = append(ids, *m.InstanceID)
	}
	equal(t, "instance ids", ids, "[a b]")
	owned := b.owns()
	_, generation := b.cl.GroupMetadata()
	assigned, revoked := a.changes()

	b.leave()
	b = join(t, topic, group, opts("b")...)
	settled(t, group, 6, a, b)
	equal(t, "partitions after the return", b.owns(), owned)
	_, again := b.cl.GroupMetadata()
	equal(t, "generation", again, generation)
	assignedNow, revokedNow := a.changes()
	equal(t, "changes that the other member saw", fmt.Sprint(assignedNow, revokedNow), fmt.Sprint(assigned, revoked))

	// A second process with the same instance id fences the first.
	thief := join(t, topic, group, opts("b")...)
	eventually(t, "the former b is fenced", func() error {
		if err := b.firstErr(); !errors.Is(err, kerr.FencedInstanceID) {
			return fmt.Errorf("it saw: %v", err)
		}
		return nil
	})
	b.stop()
	settled(t, group, 6, a, thief)

	// Removed by an administrator, its partitions go to the other.
	thief.stop()
	adm := admin(t)
	left, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("b").Reason("test"))
	if err == nil {
		err = left.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	settled(t, group, 6, a)
	left, err = adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("nobody"))
	if err != nil {
		t.Fatal(err)
	}
	code(t, "removal of a stranger", left.Error(), kerr.UnknownMemberID)
}

// A member that stops heartbeating is expired and its partitions move.
func TestGroupSessionExpires(t *testing.T) {
	t.Parallel()
	topic, group := topic(t, 4), name(t)
	opts := []kgo.Opt{kgo.Balancers(kgo.RangeBalancer()), kgo.SessionTimeout(time.Second)}
	silent := &muteable{}
	a := join(t, topic, group, append(opts, kgo.Dialer(silent.dial), kgo.RequestTimeoutOverhead(time.Second))...)
	b := join(t, topic, group, opts...)
	settled(t, group, 4, a, b)
	silent.mute()
	t.Cleanup(silent.end) // before the client is closed, which says goodbye and waits for the answer
	settled(t, group, 4, b)
}
