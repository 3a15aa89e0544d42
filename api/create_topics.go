package api

import (
	stdcontext "context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/metadata/admin"
	"github.com/gregor-mq/gregor/wire"
)

// CreateTopics v0-7: only the controller serves it; other brokers answer
// NOT_CONTROLLER per topic. The answer waits until this broker's metadata shows
// a leader for every partition, or for the timeout. Topic ids are in the answer
// from version 7 (KIP-516), configs from 5 (KIP-525).

const (
	// noCount asks for the broker's default (KIP-464).
	noCount = -1
	// adminParallel is how many topics of one request are written side by side:
	// enough to share the keeper's fsyncs.
	adminParallel = 16
	// metadataTopic is KRaft's; nobody may make it.
	metadataTopic = "__cluster_metadata"
)

func (b *Broker) createTopics(c *context, req *wire.CreateTopicsRequest) {
	resp := wire.NewCreateTopicsResponse()
	names := map[string]int{}
	for i := range req.Topics {
		names[req.Topics[i].Name]++
	}
	var todo []int
	for i := range req.Topics {
		t := &req.Topics[i]
		out := wire.NewCreateTopicsResponseCreatableTopicResult()
		out.Name, out.ErrorMessage = t.Name, nil
		out.Configs = []wire.CreateTopicsResponseCreatableTopicConfigs{}
		switch {
		case !b.Controller.Active():
			out.ErrorCode, out.ErrorMessage = wire.CodeNotController, new("")
		case t.Name == metadataTopic:
			out.ErrorCode = wire.CodeInvalidRequest
			out.ErrorMessage = new("Creation of internal topic __cluster_metadata is prohibited.")
		case names[t.Name] > 1:
			out.ErrorCode, out.ErrorMessage = wire.CodeInvalidRequest, new("Found multiple entries for this topic.")
		default:
			todo = append(todo, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	if len(todo) == 0 {
		c.Reply(resp)
		return
	}
	byName := map[string]*wire.CreateTopicsRequestCreatableTopic{}
	for i := range req.Topics {
		byName[req.Topics[i].Name] = &req.Topics[i]
	}
	b.Run("create-topics", func(ctx stdcontext.Context) {
		wait := make([]bool, len(resp.Topics))
		run.Each(len(todo), adminParallel, func(k int) {
			out := &resp.Topics[todo[k]]
			wait[todo[k]] = b.createTopic(ctx, byName[out.Name], req.ValidateOnly, out)
		})
		b.awaitLeaders(ctx, time.Duration(req.TimeoutMs)*time.Millisecond, len(resp.Topics), func(i int) (string, int) {
			if !wait[i] {
				return "", 0
			}
			return resp.Topics[i].Name, int(resp.Topics[i].NumPartitions)
		}, func(i int) {
			failCreation(&resp.Topics[i], wire.CodeRequestTimedOut, nil)
		})
		c.Reply(resp)
	})
}

// failCreation leaves nothing in an answer but the error, and the id of a topic
// that was written but is not there in time.
func failCreation(out *wire.CreateTopicsResponseCreatableTopicResult, code wire.Code, message *string) {
	name, id := out.Name, out.TopicID
	*out = wire.NewCreateTopicsResponseCreatableTopicResult()
	out.Name, out.TopicID, out.ErrorCode, out.ErrorMessage = name, id, code, message
	out.Configs = []wire.CreateTopicsResponseCreatableTopicConfigs{}
}

// createTopic reports whether the topic was written and must be waited for.
func (b *Broker) createTopic(ctx stdcontext.Context, t *wire.CreateTopicsRequestCreatableTopic, validateOnly bool, out *wire.CreateTopicsResponseCreatableTopicResult) bool {
	overrides, assignment, err := b.newTopic(t)
	var made admin.Created
	var effective *config.Topic
	if err == nil {
		effective, err = b.Settings.Broker().Topic(overrides)
	}
	if err == nil {
		made, err = b.Topics().CreateTopic(ctx, admin.NewTopic{
			Name: t.Name, Partitions: b.partitionCount(t), Factor: b.replicationFactor(t), Assignment: assignment,
			Config: overrides, ValidateOnly: validateOnly,
		}, b.liveBrokers())
	}
	if err != nil {
		code, message := adminCode(err)
		failCreation(out, code, &message)
		return false
	}
	out.TopicID = made.ID
	out.NumPartitions, out.ReplicationFactor = int32(len(made.Assignment)), int16(len(made.Assignment[0]))
	for _, e := range b.Settings.Broker().DescribeTopic(effective, nil) {
		out.Configs = append(out.Configs, wire.CreateTopicsResponseCreatableTopicConfigs{
			Name: e.Name, Value: e.Value, ReadOnly: e.ReadOnly, ConfigSource: int8(e.Source), IsSensitive: e.Sensitive})
	}
	return !validateOnly
}

// newTopic checks what only the request can break.
func (b *Broker) newTopic(t *wire.CreateTopicsRequestCreatableTopic) (overrides map[string]string, assignment map[int32][]int32, err error) {
	if b.Metadata.Image().Topic(t.Name) != nil {
		return nil, nil, &admin.Error{Code: wire.CodeTopicAlreadyExists, Message: fmt.Sprintf("Topic '%s' already exists.", t.Name)}
	}
	overrides = map[string]string{}
	var nulls []string
	for _, cfg := range t.Configs {
		if cfg.Value == nil {
			nulls = append(nulls, cfg.Name)
			continue
		}
		overrides[cfg.Name] = *cfg.Value
	}
	if len(nulls) > 0 {
		return nil, nil, &admin.Error{Code: wire.CodeInvalidConfig,
			Message: "Null value not supported for topic configs: " + strings.Join(nulls, ",")}
	}
	if len(t.Assignments) > 0 {
		if t.NumPartitions != noCount || t.ReplicationFactor != noCount {
			return nil, nil, &admin.Error{Code: wire.CodeInvalidRequest, Message: "Both numPartitions or replicationFactor and replicasAssignments were set. " +
				"Both cannot be used at the same time."}
		}
		assignment = map[int32][]int32{}
		for _, a := range t.Assignments {
			assignment[a.PartitionIndex] = a.BrokerIDs
		}
	}
	if err := b.Settings.Broker().ValidateTopic(overrides); err != nil {
		return nil, nil, &admin.Error{Code: wire.CodeInvalidConfig, Message: err.Error()}
	}
	return overrides, assignment, nil
}

func (b *Broker) partitionCount(t *wire.CreateTopicsRequestCreatableTopic) int {
	if t.NumPartitions == noCount {
		return int(b.Settings.Broker().NumPartitions)
	}
	return int(t.NumPartitions)
}

func (b *Broker) replicationFactor(t *wire.CreateTopicsRequestCreatableTopic) int {
	if t.ReplicationFactor == noCount {
		return int(b.Settings.Broker().ReplicationFactor)
	}
	return int(t.ReplicationFactor)
}

// liveBrokers are those that replicas can be put on.
func (b *Broker) liveBrokers() []admin.Broker {
	var out []admin.Broker
	for _, br := range b.Metadata.Image().Brokers {
		out = append(out, admin.Broker{ID: br.ID, Rack: br.Rack})
	}
	return out
}

// adminCode is what an admin request answers an error with: code and words.
func adminCode(err error) (wire.Code, string) {
	code, message := admin.CodeOf(err)
	if code == wire.CodeUnknownServerError {
		if known := Code(err); known != code {
			return known, err.Error()
		}
	}
	return code, message
}

// awaitLeaders waits until the metadata shows as many led partitions as each
// topic shall have, or for the timeout; late is called for what is missing
// then. topic returns "" for what need not be waited for.
func (b *Broker) awaitLeaders(ctx stdcontext.Context, timeout time.Duration, n int, topic func(i int) (name string, partitions int), late func(i int)) {
	pending := func(image *metadata.Image) []int {
		var out []int
		for i := range n {
			if name, parts := topic(i); name != "" && !led(image, name, parts) {
				out = append(out, i)
			}
		}
		return out
	}
	for _, i := range b.await(ctx, timeout, pending) {
		late(i)
	}
}

// await is watch for requests whose timeout of 0 means not to look at all: what
// was asked for then counts as late, as in Kafka.
func (b *Broker) await(ctx stdcontext.Context, timeout time.Duration, pending func(*metadata.Image) []int) []int {
	if timeout <= 0 {
		return pending(&metadata.Image{})
	}
	return b.watch(ctx, timeout, pending)
}

// watch looks at the metadata until nothing is pending or the time is over, and
// returns what is pending then.
func (b *Broker) watch(ctx stdcontext.Context, timeout time.Duration, pending func(*metadata.Image) []int) []int {
	timer := b.Env.Clock.NewTimer(max(timeout, 0))
	defer timer.Stop()
	for {
		image, changed := b.Metadata.Changed()
		left := pending(image)
		if len(left) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C():
			return left
		case <-ctx.Done():
			return left
		}
	}
}

func led(image *metadata.Image, topic string, partitions int) bool {
	t := image.Topic(topic)
	if t == nil || len(t.Partitions) < partitions {
		return false
	}
	return !slices.ContainsFunc(t.Partitions, func(p metadata.Partition) bool { return p.Leader < 0 })
}
