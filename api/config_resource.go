package api

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/gregor-mq/gregor/config"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// ConfigStore keeps what topics and brokers override, where all brokers see it
// (/config/topics and /config/brokers). It is asked for what is stored at this
// moment, which Settings may learn of only later: two changes of one resource
// in a row must not lose the first. No method waits; done is called once.
type ConfigStore interface {
	// Topic reads what a topic overrides.
	Topic(name string, done func(overrides map[string]string, err error))
	// SetTopic replaces what a topic overrides and tells all brokers.
	SetTopic(name string, overrides map[string]string, done func(error))
	// Broker reads the dynamic settings of a broker, or with nil those of all
	// brokers; passwords are in the clear.
	Broker(id *int32, done func(settings map[string]string, err error))
	// SetBroker replaces them and tells all brokers.
	SetBroker(id *int32, settings map[string]string, done func(error))
}

// LogLevels are the levels of this broker's loggers (KIP-412), by Kafka's names:
// FATAL, ERROR, WARN, INFO, DEBUG and TRACE.
type LogLevels interface {
	// Names lists the loggers in name order.
	Names() []string
	// Level returns the level in force; ok is false for an unknown logger.
	Level(logger string) (level string, ok bool)
	// SetLevel changes the level of a known logger.
	SetLevel(logger, level string) error
	// ResetLevel gives a known logger back the level it started with.
	ResetLevel(logger string) error
}

// resourceType is what a configuration belongs to; the numbers are those of
// the wire.
type resourceType int8

const (
	topicResource   resourceType = 2
	brokerResource  resourceType = 4
	loggerResource  resourceType = 8
	metricsResource resourceType = 16 // subscriptions of KIP-714: not without KRaft
)

// String returns Kafka's name of the type.
func (t resourceType) String() string {
	switch t {
	case topicResource:
		return "TOPIC"
	case brokerResource:
		return "BROKER"
	case loggerResource:
		return "BROKER_LOGGER"
	case metricsResource:
		return "CLIENT_METRICS"
	}
	return "UNKNOWN"
}

// dynamicBrokerLogger is the source of a log level in DescribeConfigs.
const dynamicBrokerLogger = 6

// rootLogger is the one that every logger descends from.
const rootLogger = "root"

// configResource names a resource in a request.
type configResource struct {
	kind resourceType
	name string
}

// String prints the resource as Kafka does in its messages.
func (r configResource) String() string {
	return fmt.Sprintf("ConfigResource(type=%s, name='%s')", r.kind, r.name)
}

// brokerNumber reads a resource name that must be this broker's id.
func (b *Broker) brokerNumber(name, what, expected string) (int32, error) {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return 0, refuse(wire.CodeInvalidRequest, "%s must be an integer, but it is: %s", what, name)
	}
	if int32(id) != b.ID {
		return 0, refuse(wire.CodeInvalidRequest, expected, b.ID, name)
	}
	return b.ID, nil
}

// configChange is a change of one resource.
type configChange struct {
	configResource
	// entries are the operations, or the whole new set of the older AlterConfigs.
	entries      []config.Change
	whole        bool
	validateOnly bool
}

// next returns what the resource overrides after the change.
func (r *configChange) next(scope config.Scope, current map[string]string) (map[string]string, error) {
	if r.whole {
		return config.Replace(r.entries)
	}
	return config.Alter(scope, current, r.entries)
}

// changeConfigs carries out changes of several resources, each on its own, and
// reports in their order. A resource may come once: which of two changes would
// hold is not said.
func (b *Broker) changeConfigs(changes []configChange, done func([]error)) {
	times := map[configResource]int{}
	for _, r := range changes {
		times[r.configResource]++
	}
	run.Gather(changes, func(r configChange, done func(error)) {
		if times[r.configResource] > 1 {
			done(refuse(wire.CodeInvalidRequest, "Each resource must appear at most once."))
			return
		}
		b.changeConfig(r, done)
	}, done)
}

func (b *Broker) changeConfig(r configChange, done func(error)) {
	if err := config.CheckChanges(r.entries); err != nil {
		done(err)
		return
	}
	switch {
	case r.kind == topicResource:
		b.changeTopic(r, done)
	case r.kind == brokerResource:
		b.changeBroker(r, done)
	case r.kind == loggerResource && !r.whole:
		done(b.changeLoggers(r))
	case r.kind == metricsResource:
		done(refuse(wire.CodeInvalidRequest, "AlterConfigs is only supported for topics and brokers, but resource type is %s", r.kind))
	default:
		done(refuse(wire.CodeInvalidRequest, "Unknown resource type %d", r.kind))
	}
}

func (b *Broker) changeTopic(r configChange, done func(error)) {
	if r.name == "" {
		done(refuse(wire.CodeInvalidRequest, "Default topic resources are not allowed."))
		return
	}
	if b.Metadata.Image().Topic(r.name) == nil {
		done(refuse(wire.CodeUnknownTopicOrPartition, "The topic '%s' does not exist.", r.name))
		return
	}
	change := func(current map[string]string, err error) {
		if err != nil {
			done(err)
			return
		}
		next, err := r.next(config.ScopeTopic, current)
		if err == nil {
			err = r.explainValue(b.Settings.Broker().ValidateTopic(next))
		}
		if err != nil || r.validateOnly {
			done(err)
			return
		}
		b.Configs.SetTopic(r.name, next, done)
	}
	if r.whole {
		change(nil, nil)
		return
	}
	b.Configs.Topic(r.name, change)
}

// explainValue says which resource a bad value was meant for.
func (r *configChange) explainValue(err error) error {
	bad := &config.ValueError{}
	if errors.As(err, &bad) {
		return refuse(wire.CodeInvalidConfig, "Invalid config value for resource %s: %v", r.configResource, bad)
	}
	return err
}

func (b *Broker) changeBroker(r configChange, done func(error)) {
	var id *int32 // nil: all brokers
	if r.name != "" {
		n, err := b.brokerNumber(r.name, "Node id", "Unexpected broker id, expected %d, but received %s")
		if err != nil {
			done(err)
			return
		}
		id = &n
	}
	change := func(current map[string]string, err error) {
		if err != nil {
			done(err)
			return
		}
		next, err := r.next(config.ScopeBroker, current)
		if err == nil {
			if bad := b.Settings.Broker().ValidateDynamic(next, id != nil); bad != nil {
				// Kafka calls settings that cannot be applied a bad request.
				err = refuse(wire.CodeInvalidRequest, "%v", bad)
			}
		}
		if err != nil || r.validateOnly {
			done(err)
			return
		}
		b.Configs.SetBroker(id, next, done)
	}
	if r.whole {
		change(nil, nil)
		return
	}
	b.Configs.Broker(id, change)
}
