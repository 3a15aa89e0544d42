package sim

import (
	"context"
	"fmt"

	"github.com/gregor-mq/gregor/wire"
)

// create asks for a topic until it is there.
func (c *client) create(ctx context.Context, name string, partitions int32, copies int16, configs map[string]string) error {
	for {
		code, err := c.createOnce(ctx, name, partitions, copies, configs)
		if err == nil && (code == wire.CodeNone || code == wire.CodeTopicAlreadyExists) {
			return nil
		}
		if err == nil {
			err = code
		}
		if !c.again(ctx, fmt.Errorf("create %s: %w", name, err)) {
			return context.Cause(ctx)
		}
	}
}

func (c *client) createOnce(ctx context.Context, name string, partitions int32, copies int16, configs map[string]string) (wire.Code, error) {
	address, ok := c.controller()
	if !ok {
		return 0, errNobody
	}
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
		return 0, err
	}
	return resp.Topics[0].ErrorCode, nil
}
