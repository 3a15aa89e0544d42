package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// Versions of the requests that are not measured: old enough for anything.
const (
	createTopicsVersion = 5
	metadataVersion     = 8
)

const (
	// firstPause lies between two tries while nothing answers: finer than any
	// figure that depends on it.
	firstPause = time.Millisecond

	// pauseFactor makes the pause so many times as long as the try took: looking
	// costs the server little of what it has to do, be its metadata large or small.
	pauseFactor = 10

	// longestPause bounds it: a try may also be long because a server that is
	// starting accepts connections before it answers.
	longestPause = 20 * time.Millisecond
)

// CreateTopics creates each topic with one replica and so many partitions, and
// returns when every leader is visible.
func CreateTopics(ctx context.Context, addr string, partitions int32, names ...string) error {
	if err := createTopics(ctx, addr, partitions, 1, names); err != nil {
		return err
	}
	return WaitLeaders(ctx, addr, int(partitions), names...)
}

// CreateReplicated creates each topic with so many partitions and replicas in
// a cluster, and returns when every broker shows every leader.
func CreateReplicated(ctx context.Context, addrs []string, partitions int32, replicas int16, names ...string) error {
	m, err := metadata(ctx, addrs[0])
	if err != nil {
		return err
	}
	controller, err := addrOf(m, m.ControllerID)
	if err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	if err := createTopics(ctx, controller, partitions, replicas, names); err != nil {
		return err
	}
	for _, addr := range addrs {
		if err := WaitLeaders(ctx, addr, int(partitions), names...); err != nil {
			return err
		}
	}
	return nil
}

// Controller returns the id of the cluster's controller.
func Controller(ctx context.Context, addr string) (int32, error) {
	m, err := metadata(ctx, addr)
	if err != nil {
		return 0, err
	}
	return m.ControllerID, nil
}

// LeaderAddrs returns where the leaders of a topic's partitions are, from 0.
func LeaderAddrs(ctx context.Context, addr, topic string) ([]string, error) {
	m, err := metadata(ctx, addr, topic)
	if err != nil {
		return nil, err
	}
	t := m.Topics[0]
	if t.ErrorCode != wire.CodeNone {
		return nil, fmt.Errorf("topic %q: %w", topic, t.ErrorCode)
	}
	out := make([]string, len(t.Partitions))
	for _, p := range t.Partitions {
		if p.PartitionIndex < 0 || int(p.PartitionIndex) >= len(out) {
			return nil, fmt.Errorf("topic %q: partition %d of %d", topic, p.PartitionIndex, len(out))
		}
		if out[p.PartitionIndex], err = addrOf(m, p.LeaderID); err != nil {
			return nil, fmt.Errorf("topic %q: leader of partition %d: %w", topic, p.PartitionIndex, err)
		}
	}
	return out, nil
}

// addrOf returns the address of a broker.
func addrOf(m *wire.MetadataResponse, id int32) (string, error) {
	for _, b := range m.Brokers {
		if b.NodeID == id {
			return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), nil
		}
	}
	return "", fmt.Errorf("broker %d is not in the metadata", id)
}

func createTopics(ctx context.Context, addr string, partitions int32, replicas int16, names []string) error {
	req := wire.NewCreateTopicsRequest()
	req.TimeoutMs = int32(callTimeout.Milliseconds())
	for _, name := range names {
		t := wire.NewCreateTopicsRequestCreatableTopic()
		t.Name, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
		req.Topics = append(req.Topics, t)
	}
	resp := wire.NewCreateTopicsResponse()
	if err := Call(ctx, addr, req, resp, createTopicsVersion); err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if code := t.ErrorCode; code != wire.CodeNone {
			return fmt.Errorf("create topic %q: %w", t.Name, code)
		}
	}
	return nil
}

// WaitLeaders returns when Metadata shows every topic with so many partitions,
// each with a leader. It tries until the context ends: a server that is
// starting refuses connections.
func WaitLeaders(ctx context.Context, addr string, partitions int, names ...string) error {
	return WaitOtherLeaders(ctx, addr, nobody, partitions, names...)
}

// nobody is the id of no broker.
const nobody = -1

// WaitOtherLeaders is WaitLeaders for leaders other than a broker that is gone.
func WaitOtherLeaders(ctx context.Context, addr string, gone int32, partitions int, names ...string) error {
	return poll(ctx, func() error {
		m, err := metadata(ctx, addr, names...)
		if err != nil {
			return err
		}
		return ledBy(m, gone, partitions, len(names))
	})
}

// metadata asks for some topics, for none when there are no names.
func metadata(ctx context.Context, addr string, names ...string) (*wire.MetadataResponse, error) {
	req := wire.NewMetadataRequest()
	req.AllowAutoTopicCreation = false
	req.Topics = []wire.MetadataRequestTopic{}
	for _, name := range names {
		req.Topics = append(req.Topics, wire.MetadataRequestTopic{Name: new(name)})
	}
	resp := wire.NewMetadataResponse()
	if err := Call(ctx, addr, req, resp, metadataVersion); err != nil {
		return nil, err
	}
	return resp, nil
}

// ledBy says what is still missing in a picture of so many topics, in which
// one broker leads nothing any more.
func ledBy(m *wire.MetadataResponse, gone int32, partitions, topics int) error {
	if len(m.Topics) != topics {
		return fmt.Errorf("metadata has %d topics of %d", len(m.Topics), topics)
	}
	for _, t := range m.Topics {
		if code := t.ErrorCode; code != wire.CodeNone {
			return fmt.Errorf("topic %q: %w", *t.Name, code)
		}
		led := 0
		for _, p := range t.Partitions {
			if p.ErrorCode == wire.CodeNone && p.LeaderID >= 0 && p.LeaderID != gone {
				led++
			}
		}
		if led != partitions {
			return fmt.Errorf("topic %q has %d leaders of %d", *t.Name, led, partitions)
		}
	}
	return nil
}

// WaitMetadata returns when the server answers Metadata with at least one
// broker; it tries until the context ends.
func WaitMetadata(ctx context.Context, addr string) error { return WaitBrokers(ctx, addr, 1) }

// WaitBrokers is WaitMetadata for at least so many brokers.
func WaitBrokers(ctx context.Context, addr string, brokers int) error {
	return poll(ctx, func() error {
		m, err := metadata(ctx, addr)
		if err != nil {
			return err
		}
		if len(m.Brokers) < brokers {
			return fmt.Errorf("metadata has %d brokers of %d", len(m.Brokers), brokers)
		}
		return nil
	})
}

// poll calls f until it succeeds; when the context ends first it returns the
// last refusal.
func poll(ctx context.Context, f func() error) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	var refusal error
	for {
		began := time.Now()
		err := f()
		if err == nil {
			return nil
		}
		// What failed for lack of time says less than what was said before.
		late, ok := errors.AsType[net.Error](err)
		if outOfTime := ctx.Err() != nil || ok && late.Timeout(); refusal == nil || !outOfTime {
			refusal = err
		}
		pause.Reset(min(max(firstPause, pauseFactor*time.Since(began)), longestPause))
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), refusal)
		case <-pause.C:
		}
	}
}
