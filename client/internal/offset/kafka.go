package offset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gregor-mq/gregor/client/internal/link"
	"github.com/gregor-mq/gregor/internal/env"
)

const (
	// backoff is the pause before a coordinator that has moved is asked for again
	// (offsets.channel.backoff.ms of 0.8 is a second; elections are faster now).
	backoff = 100 * time.Millisecond
	// patience bounds how long a coordinator may be on the move
	// (offsets.commit.max.retries of 0.8 gives up after five seconds).
	patience = 15 * time.Second
)

// Kafka returns the store in __consumer_offsets. The group's members are none to
// its coordinator: it keeps offsets for them as for clients that assign
// partitions by themselves. addrs returns the brokers that can be asked who the
// coordinator is.
func Kafka(links *link.Set, group string, addrs func() []string, e env.Env) Store {
	return &kafka{links: links, group: group, addrs: addrs, env: e}
}

type kafka struct {
	links *link.Set
	group string
	addrs func() []string
	env   env.Env

	mu struct {
		sync.Mutex
		// coordinator is its address, empty when it is not known.
		coordinator string
	}
}

// Find implements Store.
func (k *kafka) Find(ctx context.Context, partitions []Partition) (map[Partition]int64, error) {
	out := make(map[Partition]int64, len(partitions))
	for _, p := range partitions {
		out[p] = -1
	}
	err := k.ask(ctx, func(ctx context.Context, l *link.Link) error {
		resp, err := fetchRequest(k.group, partitions).RequestWith(ctx, l)
		if err != nil {
			return err
		}
		return readOffsets(resp, k.group, out)
	})
	if err != nil {
		return nil, fmt.Errorf("read offsets of group %s: %w", k.group, err)
	}
	return out, nil
}

// fetchRequest asks in the form of all versions; the link sends that of one.
func fetchRequest(group string, partitions []Partition) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	for _, of := range byTopic(partitions) {
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic = of[0].Topic
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic = of[0].Topic
		for _, p := range of {
			t.Partitions = append(t.Partitions, p.Partition)
		}
		gt.Partitions = t.Partitions
		req.Topics, g.Topics = append(req.Topics, t), append(g.Topics, gt)
	}
	req.Groups = append(req.Groups, g)
	return req
}

// readOffsets takes in an answer of any version.
func readOffsets(resp *kmsg.OffsetFetchResponse, group string, out map[Partition]int64) error {
	put := func(topic string, p int32, offset int64, code int16) error {
		tp := Partition{Topic: topic, Partition: p}
		err := kerr.ErrorForCode(code)
		if _, asked := out[tp]; !asked || errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil // version 0 and 1 answer so where there is none
		}
		out[tp] = offset
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := put(t.Topic, p.Partition, p.Offset, p.ErrorCode); err != nil {
				return err
			}
		}
	}
	for _, g := range resp.Groups {
		if g.Group != group {
			continue
		}
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := put(t.Topic, p.Partition, p.Offset, p.ErrorCode); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Commit implements Store.
func (k *kafka) Commit(ctx context.Context, offsets map[Partition]int64) error {
	err := k.ask(ctx, func(ctx context.Context, l *link.Link) error {
		resp, err := commitRequest(k.group, offsets).RequestWith(ctx, l)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("%s-%d: %w", t.Topic, p.Partition, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", k.group, err)
	}
	return nil
}

func commitRequest(group string, offsets map[Partition]int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	for _, of := range byTopic(slices.Collect(maps.Keys(offsets))) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = of[0].Topic
		for _, p := range of {
			part := kmsg.NewOffsetCommitRequestTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch, part.Timestamp = p.Partition, offsets[p], -1, -1
			part.Metadata = new("")
			t.Partitions = append(t.Partitions, part)
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

// byTopic cuts partitions into those of one topic each, all in order.
func byTopic(partitions []Partition) [][]Partition {
	sorted := slices.SortedFunc(slices.Values(partitions), Partition.Compare)
	var out [][]Partition
	for i, p := range sorted {
		if i == 0 || p.Topic != sorted[i-1].Topic {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}

// ask asks the coordinator, until it has been found and has loaded the group.
func (k *kafka) ask(ctx context.Context, question func(context.Context, *link.Link) error) error {
	start := k.env.Clock.Now()
	for {
		l, err := k.coordinator(ctx)
		if err == nil {
			err = question(ctx, l)
		}
		if err == nil || ctx.Err() != nil || !transient(err) || k.env.Clock.Now().Sub(start) > patience {
			return err
		}
		k.forget()
		if env.Sleep(ctx, k.env.Clock, backoff) != nil {
			return err
		}
	}
}

// errShut is why nobody can be asked any more.
var errShut = errors.New("all links are closed")

// transient reports whether another coordinator, or the same in a while, may say
// otherwise: an answer that says so, or none. The link to a broker that has left is
// closed, but there are others.
func transient(err error) bool {
	var code *kerr.Error
	if errors.As(err, &code) {
		return code.Retriable
	}
	return !errors.Is(err, errShut)
}

// to returns the link to a broker.
func (k *kafka) to(addr string) (*link.Link, error) {
	l, err := k.links.To(addr)
	if errors.Is(err, link.ErrClosed) {
		err = fmt.Errorf("%w: %w", errShut, err)
	}
	return l, err
}

func (k *kafka) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.mu.coordinator = ""
}

// coordinator returns the link to it, asking the brokers in turn if need be.
func (k *kafka) coordinator(ctx context.Context) (*link.Link, error) {
	k.mu.Lock()
	addr := k.mu.coordinator
	k.mu.Unlock()
	if addr != "" {
		return k.to(addr)
	}
	err := errors.New("no broker is registered")
	for _, addr := range k.addrs() {
		var found string
		if found, err = k.find(ctx, addr); err != nil {
			continue
		}
		k.mu.Lock()
		k.mu.coordinator = found
		k.mu.Unlock()
		return k.to(found)
	}
	return nil, fmt.Errorf("find the coordinator: %w", err)
}

// find asks one broker for the coordinator.
func (k *kafka) find(ctx context.Context, addr string) (string, error) {
	l, err := k.to(addr)
	if err != nil {
		return "", err
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = k.group, []string{k.group}
	resp, err := req.RequestWith(ctx, l)
	if err != nil {
		return "", err
	}
	for _, c := range resp.Coordinators {
		resp.Host, resp.Port, resp.ErrorCode = c.Host, c.Port, c.ErrorCode
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return "", err
	}
	return net.JoinHostPort(resp.Host, strconv.Itoa(int(resp.Port))), nil
}
