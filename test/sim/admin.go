package sim

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/test/virtual"
	"github.com/gregor-mq/gregor/wire"
)

// admin creates, alters, expands and deletes topics. It asks for each thing
// once; what it gets no answer to may happen late, and so it leaves that topic
// alone from then on, but for its deletion.
type admin struct {
	*client
	topics map[string]*topic // those that are certainly there
	made   int
}

// topic is one of the admin's topics.
type topic struct {
	partitions int
	unsure     bool
}

// maxTopics is how many topics the admin keeps.
const maxTopics = 6

// run administers until ctx ends.
func (a *admin) run(ctx context.Context) {
	defer a.close()
	for ctx.Err() == nil {
		if err := a.one(ctx); err != nil {
			a.again(ctx, err)
		}
		_ = env.Sleep(ctx, a.env.Clock, a.rng.Between(20*time.Millisecond, 400*time.Millisecond)) // ends with ctx, as the loop does
	}
}

// one does one thing.
func (a *admin) one(ctx context.Context) error {
	address, ok := a.controller()
	if !ok {
		return errNobody
	}
	names := sortedKeys(a.topics)
	n := a.rng.N(maxTopics)
	if n >= len(names) {
		return a.create(ctx, address)
	}
	name := names[n]
	switch what := a.rng.N(4); {
	case what == 0:
		return a.remove(ctx, address, name)
	case a.topics[name].unsure:
		return nil
	case what == 1:
		return a.grow(ctx, address, name)
	}
	return a.alter(ctx, address, name)
}

// outcome turns an answer into an error, and traces it.
func (a *admin) outcome(what string, code wire.Code, err error) error {
	if err == nil && code != wire.CodeNone {
		err = code
	}
	a.w.trace.Add("%s: %s: %v", a.name, what, err)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (a *admin) create(ctx context.Context, address string) error {
	a.made++
	name, partitions, copies := fmt.Sprintf("adm-%d", a.made), 1+a.rng.N(3), 1+a.rng.N(a.w.setup.copies)
	a.w.topics.Creating(name, partitions, nil)
	t, err := a.createTopic(ctx, address, name, int32(partitions), int16(copies), nil)
	err = a.outcome(fmt.Sprintf("create %s with %d partitions of %d copies", name, partitions, copies), t.ErrorCode, err)
	if err == nil {
		a.w.topics.Created(name, t.TopicID)
		a.topics[name] = &topic{partitions: partitions}
	}
	return err
}

func (a *admin) remove(ctx context.Context, address, name string) error {
	delete(a.topics, name)
	a.w.topics.Deleting(name)
	a.w.ghosts.deleting(name)
	req := wire.NewDeleteTopicsRequest()
	req.Topics = []wire.DeleteTopicsRequestDeleteTopicState{{Name: &name}}
	req.TimeoutMs = int32(requestTimeout.Milliseconds())
	resp, err := askFor[*wire.DeleteTopicsResponse](ctx, a.client, address, req, 6)
	code := wire.CodeNone
	if err == nil {
		code = resp.Responses[0].ErrorCode
	}
	if err = a.outcome("delete "+name, code, err); err == nil {
		a.w.topics.Deleted(name)
	}
	return err
}

func (a *admin) grow(ctx context.Context, address, name string) error {
	t := a.topics[name]
	next := t.partitions + 1
	a.w.topics.Growing(name, next)
	req := wire.NewCreatePartitionsRequest()
	p := wire.NewCreatePartitionsRequestTopic()
	p.Name, p.Count, p.Assignments = name, int32(next), nil
	req.Topics = append(req.Topics, p)
	req.TimeoutMs = int32(requestTimeout.Milliseconds())
	resp, err := askFor[*wire.CreatePartitionsResponse](ctx, a.client, address, req, 3)
	code := wire.CodeNone
	if err == nil {
		code = resp.Results[0].ErrorCode
	}
	if err = a.outcome(fmt.Sprintf("expand %s to %d partitions", name, next), code, err); err != nil {
		t.unsure = true
		return err
	}
	t.partitions = next
	a.w.topics.Grown(name, next)
	return nil
}

// resourceTopic is the type of a topic in configuration requests.
const resourceTopic = 2

func (a *admin) alter(ctx context.Context, address, name string) error {
	key := virtual.Pick(a.rng, "retention.ms", "segment.bytes", "max.message.bytes")
	value := strconv.Itoa(1_000_000 + a.rng.N(1_000_000))
	a.w.topics.Setting(name, key, value)
	req := wire.NewIncrementalAlterConfigsRequest()
	req.Resources = []wire.IncrementalAlterConfigsRequestAlterConfigsResource{{
		ResourceType: resourceTopic, ResourceName: name,
		Configs: []wire.IncrementalAlterConfigsRequestAlterableConfig{{Name: key, Value: &value}},
	}}
	resp, err := askFor[*wire.IncrementalAlterConfigsResponse](ctx, a.client, address, req, 1)
	code := wire.CodeNone
	if err == nil {
		code = resp.Responses[0].ErrorCode
	}
	if err = a.outcome(fmt.Sprintf("set %s=%s of %s", key, value, name), code, err); err != nil {
		a.topics[name].unsure = true
		return err
	}
	a.w.topics.Set(name, key, value)
	return nil
}

// createTopic asks for a topic once.
func (c *client) createTopic(ctx context.Context, address, name string, partitions int32, copies int16, configs map[string]string) (wire.CreateTopicsResponseCreatableTopicResult, error) {
	req := wire.NewCreateTopicsRequest()
	t := wire.NewCreateTopicsRequestCreatableTopic()
	t.Name, t.NumPartitions, t.ReplicationFactor = name, partitions, copies
	for _, key := range sortedKeys(configs) {
		t.Configs = append(t.Configs, wire.CreateTopicsRequestCreatableTopicConfig{Name: key, Value: new(configs[key])})
	}
	req.Topics = append(req.Topics, t)
	req.TimeoutMs = int32(requestTimeout.Milliseconds())
	resp, err := askFor[*wire.CreateTopicsResponse](ctx, c, address, req, 7)
	if err != nil {
		return wire.CreateTopicsResponseCreatableTopicResult{}, err
	}
	return resp.Topics[0], nil
}

// ensureTopic asks for a topic until it is there.
func (c *client) ensureTopic(ctx context.Context, name string, partitions int32, copies int16, configs map[string]string) {
	for {
		err := errNobody
		if address, ok := c.controller(); ok {
			var t wire.CreateTopicsResponseCreatableTopicResult
			t, err = c.createTopic(ctx, address, name, partitions, copies, configs)
			if err == nil && (t.ErrorCode == wire.CodeNone || t.ErrorCode == wire.CodeTopicAlreadyExists) {
				return
			}
			if err == nil {
				err = t.ErrorCode
			}
		}
		if !c.again(ctx, fmt.Errorf("create %s: %w", name, err)) {
			return
		}
	}
}
