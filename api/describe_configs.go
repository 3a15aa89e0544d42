package api

import (
	"slices"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
)

// DescribeConfigs v0-4: sources and synonyms from v1 (KIP-226), where v0 has
// a place for "is a default", which Kafka leaves at no; types and documentation from v3 (KIP-569).
// Any broker describes topics and the settings of all brokers, which an empty
// name stands for; a broker and its loggers are described by itself alone.
// No keys, null or an empty list, ask for all.

func (b *Broker) describeConfigs(c *context, req *wire.DescribeConfigsRequest) {
	resp := wire.NewDescribeConfigsResponse()
	for _, r := range req.Resources {
		if resourceType(r.ResourceType).String() == "UNKNOWN" {
			// Kafka refuses the request as a whole.
			c.Reply(refusedDescription(req))
			return
		}
	}
	d := configDescriber{b: b, version: c.version(), synonyms: req.IncludeSynonyms, documentation: req.IncludeDocumentation}
	run.Gather(req.Resources, d.resource, func(results []wire.DescribeConfigsResponseResult) {
		resp.Results = results
		c.Reply(resp)
	})
}

func refusedDescription(req *wire.DescribeConfigsRequest) *wire.DescribeConfigsResponse {
	resp := wire.NewDescribeConfigsResponse()
	for _, r := range req.Resources {
		out := wire.NewDescribeConfigsResponseResult()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		out.ErrorCode, out.ErrorMessage = wire.CodeInvalidRequest, new(codeText(wire.CodeInvalidRequest))
		resp.Results = append(resp.Results, out)
	}
	return resp
}

// configDescriber describes resources as one request asks for it.
type configDescriber struct {
	b                       *Broker
	version                 int16
	synonyms, documentation bool
}

func (d configDescriber) resource(r wire.DescribeConfigsRequestResource, done func(wire.DescribeConfigsResponseResult)) {
	out := wire.NewDescribeConfigsResponseResult()
	out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
	answer := func(entries []wire.DescribeConfigsResponseResourceResult, err error) {
		if out.Configs = entries; err != nil {
			out.ErrorCode, out.ErrorMessage = explain(err)
		}
		done(out)
	}
	switch resourceType(r.ResourceType) {
	case topicResource:
		if err := metadata.ValidateTopicName(r.ResourceName); err != nil {
			answer(nil, refuse(wire.CodeInvalidTopicException, "%s", badTopicName(err)))
			return
		}
		if d.b.Metadata.Image().Topic(r.ResourceName) == nil {
			out.ErrorCode = wire.CodeUnknownTopicOrPartition // without a text
			done(out)
			return
		}
		d.b.Configs.Topic(r.ResourceName, func(overrides map[string]string, err error) {
			if err != nil {
				answer(nil, err)
				return
			}
			settings := d.b.Settings.Broker()
			topic, _ := settings.TopicLenient(overrides)
			answer(d.entries(settings.DescribeTopic(topic, r.ConfigurationKeys)), nil)
		})
	case brokerResource:
		answer(d.broker(r))
	case loggerResource:
		answer(d.loggers(r))
	default:
		answer(nil, subscriptionError(r.ResourceName))
	}
}

func (d configDescriber) broker(r wire.DescribeConfigsRequestResource) ([]wire.DescribeConfigsResponseResourceResult, error) {
	settings := d.b.Settings.Broker()
	if r.ResourceName == "" {
		return d.entries(settings.DescribeDefault(r.ConfigurationKeys)), nil
	}
	_, err := d.b.brokerNumber(r.ResourceName, "Broker id", "Unexpected broker id, expected %d or empty string, but received %s")
	if err != nil {
		return nil, err
	}
	return d.entries(settings.Describe(r.ConfigurationKeys)), nil
}

func (d configDescriber) loggers(r wire.DescribeConfigsRequestResource) ([]wire.DescribeConfigsResponseResourceResult, error) {
	if r.ResourceName == "" {
		return nil, refuse(wire.CodeInvalidRequest, "Broker id must not be empty")
	}
	if _, err := d.b.brokerNumber(r.ResourceName, "Broker id", "Unexpected broker id, expected %d but received %s"); err != nil {
		return nil, err
	}
	var out []wire.DescribeConfigsResponseResourceResult
	for _, logger := range d.b.LogLevels.Names() {
		if len(r.ConfigurationKeys) > 0 && !slices.Contains(r.ConfigurationKeys, logger) {
			continue
		}
		level, ok := d.b.LogLevels.Level(logger)
		if !ok {
			continue
		}
		e := wire.NewDescribeConfigsResponseResourceResult()
		e.Name, e.Value, e.ConfigSource = logger, new(level), dynamicBrokerLogger
		out = append(out, e)
	}
	return out, nil
}

func subscriptionError(name string) error {
	if name == "" {
		return refuse(wire.CodeInvalidRequest, "Client metrics subscription name must not be empty")
	}
	return refuse(wire.CodeInvalidRequest, "Config type client-metrics is only supported on KRaft clusters")
}

func (d configDescriber) entries(in []config.Entry) []wire.DescribeConfigsResponseResourceResult {
	out := make([]wire.DescribeConfigsResponseResourceResult, len(in))
	for i, e := range in {
		out[i] = wire.DescribeConfigsResponseResourceResult{
			Name: e.Name, Value: e.Value, ReadOnly: e.ReadOnly, IsSensitive: e.Sensitive,
			ConfigSource: int8(e.Source), ConfigType: int8(e.Type),
		}
		if d.documentation && e.Doc != "" {
			out[i].Documentation = new(e.Doc)
		}
		if !d.synonyms {
			continue
		}
		for _, s := range e.Synonyms {
			out[i].Synonyms = append(out[i].Synonyms, wire.DescribeConfigsResponseSynonym{Name: s.Name, Value: s.Value, Source: int8(s.Source)})
		}
	}
	return out
}
