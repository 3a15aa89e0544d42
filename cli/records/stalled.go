package records

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/gregor-mq/gregor/internal/env"
)

const (
	// lookTimeout bounds the search for why nothing is acknowledged.
	lookTimeout = 2 * time.Second
	// maxReasons is of how many partitions the state is told: mostly they have the
	// same trouble.
	maxReasons = 3
)

// stalled looks why records of topics are not acknowledged: partitions without a
// leader, brokers that do not take connections, replicas that are not in sync. Of
// the partitions only one counts unless it is anyPartition. The result is nil when
// all looks well.
func stalled(ctx context.Context, n env.Net, adm *kadm.Client, topics []string, only int32) error {
	meta, err := adm.Metadata(ctx, topics...)
	if err != nil {
		return fmt.Errorf("no broker answers: %w", err)
	}
	brokers := map[int32]error{}
	reach := func(id int32) error {
		err, known := brokers[id]
		if !known {
			err = reachable(ctx, n, meta.Brokers, id)
			brokers[id] = err
		}
		return err
	}
	var reasons []error
	for _, topic := range meta.Topics {
		if topic.Err != nil {
			reasons = append(reasons, fmt.Errorf("topic %s: %w", topic.Topic, topic.Err))
		}
	}
	meta.Topics.EachPartition(func(p kadm.PartitionDetail) {
		if only != anyPartition && p.Partition != only {
			return
		}
		if err := reasonOf(p, reach); err != nil {
			reasons = append(reasons, fmt.Errorf("%s-%d %w", p.Topic, p.Partition, err))
		}
	})
	slices.SortFunc(reasons, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if more := len(reasons) - maxReasons; more > 0 {
		reasons = append(reasons[:maxReasons], fmt.Errorf("%d more partitions have such trouble", more))
	}
	return errors.Join(reasons...)
}

// reasonOf is why a partition takes no records, nil when nothing is known.
func reasonOf(p kadm.PartitionDetail, reach func(broker int32) error) error {
	if p.Leader < 0 {
		return errors.New("has no leader")
	}
	if err := reach(p.Leader); err != nil {
		return fmt.Errorf("is led by %w", err)
	}
	for _, id := range p.ISR {
		if err := reach(id); err != nil {
			return fmt.Errorf("waits for a replica: %w", err)
		}
	}
	if len(p.ISR) < len(p.Replicas) {
		return fmt.Errorf("has %d of %d replicas in sync, maybe fewer than min.insync.replicas", len(p.ISR), len(p.Replicas))
	}
	return nil
}

// reachable returns why a broker takes no connection.
func reachable(ctx context.Context, n env.Net, brokers kadm.BrokerDetails, id int32) error {
	i := slices.IndexFunc(brokers, func(b kadm.BrokerDetail) bool { return b.NodeID == id })
	if i < 0 {
		return fmt.Errorf("broker %d, which is gone", id)
	}
	conn, err := n.Dial(ctx, "tcp", net.JoinHostPort(brokers[i].Host, strconv.Itoa(int(brokers[i].Port))))
	if err != nil {
		return fmt.Errorf("broker %d: %w", id, err)
	}
	return conn.Close()
}
