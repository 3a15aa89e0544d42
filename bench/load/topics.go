package load

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	req := wire.NewCreateTopicsRequest()
	req.TimeoutMs = int32(callTimeout.Milliseconds())
	for _, name := range names {
		t := wire.NewCreateTopicsRequestCreatableTopic()
		t.Name, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
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
	return WaitLeaders(ctx, addr, int(partitions), names...)
}

// WaitLeaders returns when Metadata shows every topic with so many partitions,
// each with a leader. It tries until the context ends: a server that is
// starting refuses connections.
func WaitLeaders(ctx context.Context, addr string, partitions int, names ...string) error {
	req := wire.NewMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, name := range names {
		req.Topics = append(req.Topics, wire.MetadataRequestTopic{Name: new(name)})
	}
	return poll(ctx, func() error {
		resp := wire.NewMetadataResponse()
		if err := Call(ctx, addr, req, resp, metadataVersion); err != nil {
			return err
		}
		return ledBy(resp, partitions, len(names))
	})
}

// ledBy says what is still missing in a picture of so many topics.
func ledBy(m *wire.MetadataResponse, partitions, topics int) error {
	if len(m.Topics) != topics {
		return fmt.Errorf("metadata has %d topics of %d", len(m.Topics), topics)
	}
	for _, t := range m.Topics {
		if code := t.ErrorCode; code != wire.CodeNone {
			return fmt.Errorf("topic %q: %w", *t.Name, code)
		}
		led := 0
		for _, p := range t.Partitions {
			if p.ErrorCode == wire.CodeNone && p.LeaderID >= 0 {
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
func WaitMetadata(ctx context.Context, addr string) error {
	req := wire.NewMetadataRequest()
	req.Topics = []wire.MetadataRequestTopic{}
	return poll(ctx, func() error {
		resp := wire.NewMetadataResponse()
		if err := Call(ctx, addr, req, resp, metadataVersion); err != nil {
			return err
		}
		if len(resp.Brokers) == 0 {
			return fmt.Errorf("metadata has no broker")
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
		if late, ok := errors.AsType[net.Error](err); refusal == nil || !ok || !late.Timeout() {
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
