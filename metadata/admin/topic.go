package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// NewTopic is a topic to create.
type NewTopic struct {
	Name string
	// Partitions and Factor are used when Assignment is empty.
	Partitions, Factor int
	// Assignment maps partitions to replicas, the preferred leader first.
	Assignment map[int32][]int32
	// Config are the overrides, validated by the caller.
	Config map[string]string
	// ValidateOnly checks all, and writes nothing.
	ValidateOnly bool
}

// Created is what became of a NewTopic.
type Created struct {
	// ID is zero when nothing was written.
	ID         wire.UUID
	Assignment map[int32][]int32
}

func checkName(name string) error {
	if err := metadata.ValidateTopicName(name); err != nil {
		return refuse(wire.CodeInvalidTopicException, "Topic name is invalid: %v", err)
	}
	return nil
}

// unified is what metrics make of a name: two topics with the same collide.
func unified(name string) string { return strings.ReplaceAll(name, ".", "_") }

// CreateTopic writes the config node, then the topic's: the order in which
// Kafka does, so that nobody sees a topic without its config.
func (a *Admin) CreateTopic(ctx context.Context, t NewTopic, brokers []Broker) (Created, error) {
	if len(t.Assignment) == 0 {
		if t.Partitions > a.limit {
			return Created{}, refuse(wire.CodeInvalidPartitions, "%d partitions are more than the %d allowed", t.Partitions, a.limit)
		}
		if err := checkName(t.Name); err != nil {
			return Created{}, err
		}
		assignment, err := Assign(brokers, t.Partitions, t.Factor, a.spread(len(brokers)))
		if err != nil {
			return Created{}, err
		}
		t.Assignment = assignment
	}
	if err := a.checkNewTopic(ctx, t); err != nil {
		return Created{}, err
	}
	if t.ValidateOnly {
		return Created{Assignment: t.Assignment}, nil
	}
	if err := a.writeConfig(ctx, znode.Entity{Topic: znode.Named(t.Name)}, t.Config); err != nil {
		return Created{}, err
	}
	n := znode.Topic{ID: NewTopicID(a.rand), Partitions: map[int32]znode.Replicas{}}
	for p, replicas := range t.Assignment {
		n.Partitions[p] = znode.Replicas{Replicas: replicas}
	}
	data := n.Encode()
	if err := a.create(ctx, znode.TopicPath(t.Name), data); err != nil {
		if !errors.Is(err, zk.ErrNodeExists) {
			return Created{}, err
		}
		// It may be this very write, sent twice over a lost connection.
		if have, _, found, err := a.readTopic(ctx, t.Name); err != nil || !found || have.ID != n.ID {
			return Created{}, refuse(wire.CodeTopicAlreadyExists, "Topic '%s' already exists.", t.Name)
		}
	}
	return Created{ID: n.ID, Assignment: t.Assignment}, nil
}

func (a *Admin) checkNewTopic(ctx context.Context, t NewTopic) error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	if err := a.checkFree(ctx, t.Name); err != nil {
		return err
	}
	factor := -1
	for _, p := range slices.Sorted(maps.Keys(t.Assignment)) {
		replicas := t.Assignment[p]
		if factor == -1 {
			factor = len(replicas)
		}
		if len(replicas) != factor {
			return refuse(wire.CodeInvalidReplicaAssignment, "All partitions should have the same number of replicas")
		}
		if duplicates(replicas) {
			return refuse(wire.CodeInvalidReplicaAssignment, "Duplicate replica assignment found: %s", javaMap(t.Assignment))
		}
	}
	if factor < 1 {
		return refuse(wire.CodeInvalidReplicaAssignment, "Cannot have replication factor of 0")
	}
	for p := range t.Assignment {
		if p < 0 || int(p) >= len(t.Assignment) {
			return refuse(wire.CodeInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return nil
}

func duplicates(ids []int32) bool {
	sorted := slices.Sorted(slices.Values(ids))
	return len(slices.Compact(sorted)) != len(ids)
}

// checkFree refuses a name that is taken, about to be freed, or collides.
func (a *Admin) checkFree(ctx context.Context, name string) error {
	switch dying, err := a.marked(ctx, name); {
	case err != nil:
		return err
	case dying:
		return refuse(wire.CodeTopicAlreadyExists, "Topic '%s' is marked for deletion.", name)
	}
	switch _, err := a.calls.Exists(ctx, znode.TopicPath(name), false); {
	case err == nil:
		return refuse(wire.CodeTopicAlreadyExists, "Topic '%s' already exists.", name)
	case !errors.Is(err, zk.ErrNoNode):
		return err
	}
	if !strings.ContainsAny(name, "._") {
		return nil
	}
	all, _, err := a.calls.Children(ctx, znode.TopicsPath, false)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	var colliding []string
	for _, other := range all {
		if other != name && unified(other) == unified(name) {
			colliding = append(colliding, other)
		}
	}
	if len(colliding) > 0 {
		slices.Sort(colliding)
		return refuse(wire.CodeInvalidTopicException, "Topic '%s' collides with existing topics: %s", name, strings.Join(colliding, ", "))
	}
	return nil
}

// marked reports whether a topic is marked for deletion.
func (a *Admin) marked(ctx context.Context, topic string) (bool, error) {
	_, err := a.calls.Exists(ctx, znode.DeleteTopicPath(topic), false)
	if errors.Is(err, zk.ErrNoNode) {
		return false, nil
	}
	return err == nil, err
}

// DeleteTopic asks the controller to delete a topic. Asking twice is no error:
// both callers wait for the same deletion.
func (a *Admin) DeleteTopic(ctx context.Context, name string) error {
	switch _, err := a.calls.Exists(ctx, znode.TopicPath(name), false); {
	case errors.Is(err, zk.ErrNoNode):
		return refuse(wire.CodeUnknownTopicOrPartition, "Topic `%s` to delete does not exist", name)
	case err != nil:
		return err
	}
	if err := a.create(ctx, znode.DeleteTopicPath(name), nil); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return err
	}
	return nil
}

// javaMap prints an assignment as Kafka's messages do.
func javaMap(assignment map[int32][]int32) string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(assignment)) {
		out = append(out, fmt.Sprintf("%d -> ArrayBuffer(%s)", p, javaList(assignment[p])))
	}
	return "HashMap(" + strings.Join(out, ", ") + ")"
}

func javaList(ids []int32) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return strings.Join(out, ", ")
}
