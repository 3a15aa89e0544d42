package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

const (
	// statusTimeout bounds the question to the brokers.
	statusTimeout = 5 * time.Second
	// listedPartitions is how many under-replicated partitions are named.
	listedPartitions = 20
)

// clusterStatus prints how the cluster is; an error sums up what is not well.
func (p Program) clusterStatus(ctx context.Context, d *clusterDir) error {
	var b strings.Builder
	var wrong []string
	if l, ok := d.running(d.in(pidFile)); ok {
		fmt.Fprintf(&b, "cluster in %s, run by process %d\n", d.path, l.PID)
	} else {
		fmt.Fprintf(&b, "cluster in %s, not up\n", d.path)
		wrong = append(wrong, "the cluster is not up")
	}
	known, err := p.askKeeper(ctx, d)
	if err != nil {
		wrong = append(wrong, fmt.Sprintf("the keeper does not answer, so that nothing can change: %v", err))
	}
	for at, m := range d.members() {
		words, alive := p.process(ctx, d, m)
		if !alive {
			wrong = append(wrong, m.name+" is down")
		}
		if at > 0 && known != nil {
			more, ok := known.words(int32(at-1), alive)
			if !ok {
				wrong = append(wrong, m.name+" is not registered")
			}
			words = append(words, more...)
		}
		fmt.Fprintf(&b, "  %-10s %-16s %s\n", m.name, m.addr, strings.Join(words, ", "))
	}
	if meta, err := p.askCluster(ctx, d); err != nil {
		wrong = append(wrong, fmt.Sprintf("no broker answers: %v", err))
	} else {
		wrong = append(wrong, describePartitions(&b, meta.Topics)...)
	}
	fmt.Fprint(p.Out, b.String())
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// process tells which process a member is, and whether it is one.
func (p Program) process(ctx context.Context, d *clusterDir, m member) (words []string, alive bool) {
	if l, ok := d.running(m.pid()); ok {
		return []string{fmt.Sprintf("process %d", l.PID)}, true
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := p.Env.Net.Dial(ctx, "tcp", m.addr)
	if err != nil {
		return []string{"down"}, false
	}
	_ = conn.Close() // it was opened to see that somebody listens
	return []string{"not run by it, but its port is served"}, true
}

// registrations is what ZooKeeper knows of brokers.
type registrations struct {
	brokers    []string
	controller int32 // -1 for none
}

// askKeeper reads them.
func (p Program) askKeeper(ctx context.Context, d *clusterDir) (*registrations, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	keeper := reach.ZooKeeper{Connect: d.keeper().addr}
	s, err := keeper.Dial(ctx, p.Env)
	if err != nil {
		return nil, err
	}
	defer s.Close(ctx)
	known := &registrations{controller: -1}
	if known.brokers, _, err = s.Children(ctx, znode.BrokerIDsPath, false); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	data, _, err := s.Get(ctx, znode.ControllerPath, false)
	if errors.Is(err, zk.ErrNoNode) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := znode.DecodeController(znode.ControllerPath, data)
	if err == nil {
		known.controller = c.BrokerID
	}
	return known, err
}

// words says what is known of a broker; ok is false for one that nobody knows.
func (r *registrations) words(id int32, alive bool) (words []string, ok bool) {
	ok = slices.Contains(r.brokers, fmt.Sprint(id))
	switch {
	case !ok:
		words = append(words, "not registered")
	case alive:
		words = append(words, "registered")
	default:
		words = append(words, "registered until its session ends")
	}
	if r.controller == id {
		words = append(words, "controller")
	}
	return words, ok
}

// askCluster asks whichever broker answers.
func (p Program) askCluster(ctx context.Context, d *clusterDir) (kadm.Metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	// Each try goes to another broker.
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.bootstrap()...), kgo.DialTimeout(askTimeout), kgo.RequestRetries(2*d.brokers),
		kgo.RetryBackoffFn(func(int) time.Duration { return upPoll }))
	if err != nil {
		return kadm.Metadata{}, err
	}
	defer cl.Close()
	return kadm.NewClient(cl).Metadata(ctx)
}

// describePartitions counts partitions, names those that are under-replicated
// or have no leader, and returns what is wrong.
func describePartitions(b *strings.Builder, topics kadm.TopicDetails) (wrong []string) {
	var all, under, leaderless int
	var lines []string
	topics.EachPartition(func(p kadm.PartitionDetail) {
		all++
		if p.Leader < 0 {
			leaderless++
		}
		if len(p.ISR) < len(p.Replicas) {
			under++
		}
		if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
			lines = append(lines, fmt.Sprintf("    %s-%d: leader %d, replicas %s, in sync %s", p.Topic, p.Partition, p.Leader, ids(p.Replicas), ids(p.ISR)))
		}
	})
	fmt.Fprintf(b, "  %s, %d under-replicated, %d without a leader\n", count(all, "partition"), under, leaderless)
	slices.Sort(lines)
	for _, l := range lines[:min(len(lines), listedPartitions)] {
		fmt.Fprintln(b, l)
	}
	if more := len(lines) - listedPartitions; more > 0 {
		fmt.Fprintf(b, "    and %d more\n", more)
	}
	if under > 0 {
		wrong = append(wrong, count(under, "partition")+" under-replicated")
	}
	if leaderless > 0 {
		wrong = append(wrong, count(leaderless, "partition")+" without a leader")
	}
	return wrong
}

func ids(of []int32) string {
	var words []string
	for _, id := range of {
		words = append(words, fmt.Sprint(id))
	}
	return strings.Join(words, ",")
}
