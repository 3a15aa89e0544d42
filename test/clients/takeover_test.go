package clients

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kgo"
)

// With this variable set to a broker's address the test binary is a group
// member; the others name its topic and group.
const (
	memberSeeds = "GREGOR_TEST_MEMBER"
	memberTopic = "GREGOR_TEST_MEMBER_TOPIC"
	memberGroup = "GREGOR_TEST_MEMBER_GROUP"
)

// memberSession is how long the group waits for a member that is silent.
const memberSession = 2 * time.Second

// memberMain consumes until it is killed. It prints "got place" for each record
// before it commits it, "own partitions" after each rebalance, and ends when
// its input does, so that it does not outlive its test.
func memberMain(seeds string) int {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends the input ends the member
		cancel()
	}()
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	owned := map[int32]bool{}
	changed := func(add bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
			for _, p := range ps[os.Getenv(memberTopic)] {
				if owned[p] = add; !add {
					delete(owned, p)
				}
			}
			say("own %v", slices.Sorted(maps.Keys(owned)))
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds), kgo.ConsumerGroup(os.Getenv(memberGroup)), kgo.ConsumeTopics(os.Getenv(memberTopic)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(memberSession), kgo.HeartbeatInterval(200*time.Millisecond), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(changed(false)), kgo.OnPartitionsLost(changed(false)))
	if err != nil {
		say("error %v", err)
		return 1
	}
	defer cl.CloseAllowingRebalance()
	for ctx.Err() == nil {
		fs := cl.PollRecords(ctx, 10)
		for _, r := range fs.Records() {
			say("got %d/%d=%s", r.Partition, r.Offset, r.Value)
		}
		if err := cl.CommitRecords(ctx, fs.Records()...); err != nil && ctx.Err() == nil {
			say("error %v", err)
		}
		cl.AllowRebalance()
	}
	return 0
}

// process is a group member of its own.
type process struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	got []string
	own string
	bad []string
}

func startMember(t *testing.T, kafka, topic, group string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), memberSeeds+"="+kafka, memberTopic+"="+topic, memberGroup+"="+group)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.heard(lines.Text())
		}
	}()
	t.Cleanup(func() {
		in.Close()
		p.kill()
		<-read
		_ = p.cmd.Wait() // it was killed
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("member: %s", stderr.String())
		}
	})
	return p
}

func (p *process) heard(line string) {
	what, rest, _ := strings.Cut(line, " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case "got":
		p.got = append(p.got, rest)
	case "own":
		p.own = rest
	default:
		p.bad = append(p.bad, line)
	}
}

// kill is kill -9: no leave, no commit, no goodbye.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// told is what the process has printed so far.
func (p *process) told() (got []string, own string, bad []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got), p.own, slices.Clone(p.bad)
}

func (p *process) partitions() int {
	_, own, _ := p.told()
	return len(strings.Fields(strings.Trim(own, "[]")))
}

// Two consumers in a group split six partitions; one is killed with -9, the
// other takes over, and nothing is lost while a producer goes on all the time.
func TestGroupTakeover(t *testing.T) {
	t.Parallel()
	const partitions = 6
	kafka := gregor.Shared(t).Kafka
	topic, group := topic(t, partitions), name(t)
	sent, stop := producing(t, topic, partitions)

	a, b := startMember(t, kafka, topic, group), startMember(t, kafka, topic, group)
	eventually(t, "each has three partitions and reads", func() error {
		ga, oa, _ := a.told()
		gb, ob, _ := b.told()
		if a.partitions() != 3 || b.partitions() != 3 || len(ga) == 0 || len(gb) == 0 {
			return fmt.Errorf("a owns %s, read %d; b owns %s, read %d", oa, len(ga), ob, len(gb))
		}
		return nil
	})
	a.kill()
	eventually(t, "b has all six", func() error {
		if b.partitions() != partitions {
			_, own, _ := b.told()
			return fmt.Errorf("b owns %s", own)
		}
		return nil
	})
	stop()
	all := sent()
	eventually(t, "nothing is lost", func() error {
		ga, _, _ := a.told()
		gb, _, _ := b.told()
		read := map[string]bool{}
		for _, place := range append(ga, gb...) {
			read[place] = true
		}
		for _, place := range all {
			if !read[place] {
				return fmt.Errorf("%d records sent, %d read, %s not", len(all), len(read), place)
			}
		}
		if len(read) != len(all) {
			return fmt.Errorf("%d records read, %d sent", len(read), len(all))
		}
		return nil
	})
	ga, _, bad := a.told()
	gb, _, badB := b.told()
	if len(bad)+len(badB) > 0 {
		t.Fatalf("members said: %v %v", bad, badB)
	}
	// A member commits what it read before it reads on: what is read twice was
	// read by a in its last poll, or in flight at a rebalance before.
	for who, got := range map[string][]string{"a": ga, "b": gb} {
		if n := len(got) - len(slices.Compact(slices.Sorted(slices.Values(got)))); n > 0 {
			t.Fatalf("%s read %d records twice by itself", who, n)
		}
	}
	ends := map[string]int{}
	for _, place := range all {
		p, _, _ := strings.Cut(place, "/")
		ends[p]++
	}
	adm := admin(t)
	eventually(t, "all is committed", func() error {
		os, err := adm.FetchOffsets(t.Context(), group)
		if err != nil {
			return err
		}
		var want []string
		for p := range partitions {
			want = append(want, fmt.Sprintf("%d=%d", p, ends[fmt.Sprint(p)]))
		}
		if got := committed(os); got != strings.Join(want, " ") {
			return fmt.Errorf("committed %s, want %v", got, want)
		}
		return nil
	})
}

// producing writes to all partitions, one record after the other, until stop;
// sent then returns the place of each acknowledged record.
func producing(t *testing.T, topic string, partitions int) (sent func() []string, stop func()) {
	t.Helper()
	cl := client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ctx, cancel := context.WithCancel(t.Context())
	var places []string
	done := make(chan error, 1)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			r := &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: fmt.Append(nil, i)}
			// Not under the context that stops: a record cut off may be there or not.
			if err := cl.ProduceSync(context.WithoutCancel(ctx), r).FirstErr(); err != nil {
				done <- err
				return
			}
			places = append(places, fmt.Sprintf("%d/%d=%s", r.Partition, r.Offset, r.Value))
			select {
			case <-time.After(time.Millisecond): // a pace, so that members stay behind
			case <-ctx.Done():
			}
		}
		done <- nil
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("producer: %v", err)
		}
	})
	t.Cleanup(stop)
	return func() []string { stop(); return places }, stop
}
