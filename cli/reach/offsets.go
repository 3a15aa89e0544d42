package reach

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AnswerTimeout bounds a question to many brokers: a client asks another than one
// that is silent for the way after 10 s, and those that it is shown answer at once.
const AnswerTimeout = 15 * time.Second

// ErrNoLeader says that nobody leads a partition: no broker in sync is there.
var ErrNoLeader = errors.New("it has no leader")

// Offsets asks for the offsets of all partitions of topics. Those of which none
// are known are in the answer with the reason as Err: what one broker or partition
// lacks does not hide the others.
func Offsets(ctx context.Context, ask func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error), topics ...string) (kadm.ListedOffsets, error) {
	asking, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	listed, err := ask(asking, topics...)
	if err == nil {
		return listed, nil
	}
	var shards *kadm.ShardErrors
	if !errors.As(err, &shards) || ctx.Err() != nil {
		return nil, err
	}
	for _, e := range shards.Errs {
		req, ok := e.Req.(*kmsg.ListOffsetsRequest)
		if !ok {
			return nil, err
		}
		why := shardError(e)
		for _, t := range req.Topics {
			if listed[t.Topic] == nil {
				listed[t.Topic] = map[int32]kadm.ListedOffset{}
			}
			for _, p := range t.Partitions {
				listed[t.Topic][p.Partition] = kadm.ListedOffset{Topic: t.Topic, Partition: p.Partition, Err: why}
			}
		}
	}
	return listed, nil
}

// ByBroker takes apart the error of a question to all brokers: it says which of
// them did not answer, and why. Other errors stay as they are.
func ByBroker(err error) error {
	var shards *kadm.ShardErrors
	if !errors.As(err, &shards) {
		return err
	}
	var all []error
	for _, e := range shards.Errs {
		all = append(all, shardError(e))
	}
	return errors.Join(all...)
}

// shardError is why a part of a request failed, with the broker that was asked.
func shardError(e kadm.ShardError) error {
	switch {
	case errors.Is(e.Err, kerr.LeaderNotAvailable):
		return ErrNoLeader
	case errors.Is(e.Err, context.DeadlineExceeded):
		e.Err = fmt.Errorf("no answer within %v", AnswerTimeout)
	}
	if e.Broker.NodeID < 0 || e.Broker.Host == "" {
		return e.Err
	}
	return fmt.Errorf("broker %d, %s:%d: %w", e.Broker.NodeID, e.Broker.Host, e.Broker.Port, e.Err)
}
