package api

import (
	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/wire"
)

// AlterConfigs v0-2 (KIP-133): the entries are all that a resource overrides
// from then on. Any broker changes topics and the settings of all brokers;
// those of one broker are its own business. Log levels need
// IncrementalAlterConfigs.

func (b *Broker) alterConfigs(c *context, req *wire.AlterConfigsRequest) {
	changes := make([]configChange, len(req.Resources))
	for i, r := range req.Resources {
		changes[i] = configChange{
			configResource: configResource{resourceType(r.ResourceType), r.ResourceName},
			entries:        make([]config.Change, len(r.Configs)), whole: true, validateOnly: req.ValidateOnly,
		}
		for j, e := range r.Configs {
			changes[i].entries[j] = config.Change{Name: e.Name, Op: config.OpSet, Value: e.Value}
		}
	}
	b.changeConfigs(changes, func(errs []error) {
		resp := wire.NewAlterConfigsResponse()
		for i, r := range req.Resources {
			out := wire.NewAlterConfigsResponseResourceResponse()
			out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
			out.ErrorCode, out.ErrorMessage = explain(errs[i])
			resp.Responses = append(resp.Responses, out)
		}
		c.Reply(resp)
	})
}
