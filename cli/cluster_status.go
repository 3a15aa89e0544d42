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
)

const (
	// statusTimeout bounds the question to the brokers.
	statusTimeout = 5 * time.Second
	// listedPartitions is how many under-replicated partitions are named.
	listedPartitions = 20
)

// clusterStatus prints how the cluster is; an error sums up what is not well.
func (p Program) clusterStatus(ctx context.Context, d *clusterDir) error {
	meta, err := p.askCluster(ctx, d)
	var b strings.Builder
	var wrong []string
	if l, ok := d.running(d.in(pidFile)); ok {
		fmt.Fprintf(&b, "cluster in %s, run by process %d\n", d.path, l.PID)
	} else {
		fmt.Fprintf(&b, "cluster in %s, not up\n", d.path)
		wrong = append(wrong, "the cluster is not up")
	}
	for at, m := range d.members() {
		words := []string{"not run by it"}
		if l, ok := d.running(m.pid()); ok {
			words = []string{fmt.Sprintf("process %d", l.PID)}
		}
		if at > 0 && err == nil {
			id := int32(at - 1)
			if slices.Contains(meta.Brokers.NodeIDs(), id) {
				words = append(words, "registered")
			} else {
				words = append(words, "not registered")
				wrong = append(wrong, m.name+" is not registered")
			}
			if meta.Controller == id {
				words = append(words, "controller")
			}
		}
		fmt.Fprintf(&b, "  %-10s %-16s %s\n", m.name, m.addr, strings.Join(words, ", "))
	}
	if err != nil {
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
