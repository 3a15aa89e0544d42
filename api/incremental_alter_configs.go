package api

import (
	"errors"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/wire"
)

// IncrementalAlterConfigs v0-1 (KIP-339): operations on what a resource
// overrides now. Log levels (KIP-412) change on this broker alone and are
// forgotten when it stops.

// logLevels are Kafka's names, in the order of its messages.
var logLevels = []string{"DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"}

func (b *Broker) incrementalAlterConfigs(c *context, req *wire.IncrementalAlterConfigsRequest) {
	changes := make([]configChange, len(req.Resources))
	for i, r := range req.Resources {
		changes[i] = configChange{
			configResource: configResource{resourceType(r.ResourceType), r.ResourceName},
			entries:        make([]config.Change, len(r.Configs)), validateOnly: req.ValidateOnly,
		}
		for j, e := range r.Configs {
			changes[i].entries[j] = config.Change{Name: e.Name, Op: config.Op(e.ConfigOperation), Value: e.Value}
		}
	}
	b.changeConfigs(changes, func(errs []error) {
		resp := wire.NewIncrementalAlterConfigsResponse()
		for i, r := range req.Resources {
			out := wire.NewIncrementalAlterConfigsResponseAlterConfigsResourceResponse()
			out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
			out.ErrorCode, out.ErrorMessage = explain(errs[i])
			resp.Responses = append(resp.Responses, out)
		}
		c.Reply(resp)
	})
}

// changeLoggers sets log levels: all that the change names, or none.
func (b *Broker) changeLoggers(r configChange) error {
	if _, err := b.brokerNumber(r.name, "Node id", "Unexpected node id. Expected %d, but received %s"); err != nil {
		return err
	}
	for _, e := range r.entries {
		if err := b.checkLogger(e); err != nil {
			return err
		}
	}
	if r.validateOnly {
		return nil
	}
	var failed []error
	for _, e := range r.entries {
		if e.Op == config.OpDelete {
			failed = append(failed, b.LogLevels.ResetLevel(e.Name))
		} else {
			failed = append(failed, b.LogLevels.SetLevel(e.Name, *e.Value))
		}
	}
	return errors.Join(failed...)
}

func (b *Broker) checkLogger(e config.Change) error {
	switch e.Op {
	case config.OpAppend:
		return refuse(wire.CodeInvalidRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource")
	case config.OpSubtract:
		return refuse(wire.CodeInvalidRequest, "SUBTRACT operation is not allowed for the BROKER_LOGGER resource")
	}
	if _, ok := b.LogLevels.Level(e.Name); !ok {
		return refuse(wire.CodeInvalidConfig, "Logger %s does not exist!", e.Name)
	}
	switch {
	case e.Op == config.OpDelete && e.Name == rootLogger:
		return refuse(wire.CodeInvalidRequest, "Removing the log level of the %s logger is not allowed", rootLogger)
	case e.Op == config.OpSet && !slices.Contains(logLevels, *e.Value):
		return refuse(wire.CodeInvalidConfig, "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are %s",
			e.Name, *e.Value, strings.Join(logLevels, ", "))
	}
	return nil
}
