package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Source is where the settings of a broker come from.
type Source struct {
	// File holds the bytes of server.properties. nil means that there is none
	// and selects the one-machine profile.
	File []byte
	// Overrides are name=value pairs of --override; they beat the file.
	Overrides []string
}

// Warning is something an operator should know and the broker can live with.
type Warning struct {
	Name string // property
	Text string
	// Unknown says that Kafka has no property of this name.
	Unknown bool
}

// String returns name and text.
func (w Warning) String() string { return w.Name + ": " + w.Text }

// Origin says where a value was set.
type Origin uint8

// The origins of values, weakest first.
const (
	OriginDefault        Origin = iota
	OriginProfile               // the one-machine profile
	OriginFile                  // server.properties
	OriginOverride              // --override
	OriginDynamicDefault        // /config/brokers/<default>
	OriginDynamicBroker         // /config/brokers/N
	OriginTopic                 // /config/topics/T
)

// String names the origin for people.
func (o Origin) String() string {
	return [...]string{"default", "profile", "file", "override", "dynamic default", "dynamic broker", "topic"}[o]
}

// setting is a value as it was written, and where.
type setting struct {
	text   string
	origin Origin
}

// Load reads the static settings of a broker, checks them and warns. The error
// joins every bad value (*ValueError) or names the rule that a combination
// breaks (*RuleError).
func Load(src Source) (*Broker, []Warning, error) {
	static := map[string]setting{}
	if src.File == nil {
		for _, p := range profile {
			static[p.Name] = setting{p.Value, OriginProfile}
		}
	}
	file, err := ParseProperties(src.File)
	if err != nil {
		return nil, nil, err
	}
	for name, v := range file {
		static[name] = setting{v, OriginFile}
	}
	for _, o := range src.Overrides {
		name, v, ok := strings.Cut(o, "=")
		if !ok || name == "" {
			return nil, nil, fmt.Errorf("override %q: want name=value", o)
		}
		static[name] = setting{v, OriginOverride}
	}
	if _, ok := static["config.providers"]; ok {
		return nil, nil, rulef("config.providers is not supported: gregor runs no Java classes")
	}
	warnings := warn(static)
	b, err := build(static, nil, nil)
	if err != nil {
		return nil, warnings, err
	}
	const low, high = "group.min.session.timeout.ms", "group.max.session.timeout.ms"
	if b.Int(low) > b.Int(high) {
		warnings = append(warnings, Warning{Name: low, Text: "greater than " + high + ": no consumer can join a group"})
	}
	return b, warnings, nil
}

// warn looks for names that nobody reads.
func warn(static map[string]setting) []Warning {
	var out []Warning
	for _, name := range slices.Sorted(maps.Keys(static)) {
		d, known := defOf(name)
		switch {
		case !known && ownByPlugin(name):
		case !known:
			out = append(out, Warning{Name: name, Text: "unknown property, ignored", Unknown: true})
		case d.Mode == DynamicOnly:
			out = append(out, Warning{Name: name, Text: "takes effect only as a dynamic setting, ignored here"})
		case d.Deprecated:
			out = append(out, Warning{Name: name, Text: "deprecated, will be removed in Kafka 4.0"})
		}
	}
	return out
}

// ownByPlugin reports names that tiered storage plugins would read.
func ownByPlugin(name string) bool {
	return strings.HasPrefix(name, "rsm.config.") || strings.HasPrefix(name, "rlmm.config.")
}

// build puts the layers together. Kafka's rule is that a stronger layer that
// sets one of several synonyms silences them all below it.
func build(static map[string]setting, dynDefault, dynBroker map[string]string) (*Broker, error) {
	b := &Broker{
		static: withNodeID(static), dynDefault: dynDefault, dynBroker: dynBroker,
		props: map[string]setting{}, values: make(map[string]any, len(brokerDefs)),
	}
	maps.Copy(b.props, b.static)
	b.overlay(dynDefault, OriginDynamicDefault)
	b.overlay(dynBroker, OriginDynamicBroker)
	if err := b.parse(); err != nil {
		return nil, err
	}
	if err := b.fill(); err != nil {
		return nil, err
	}
	if err := b.checkRules(); err != nil {
		return nil, err
	}
	return b, nil
}

// withNodeID makes broker.id and node.id follow each other.
func withNodeID(static map[string]setting) map[string]setting {
	out := maps.Clone(static)
	id, hasID := static["broker.id"]
	node, hasNode := static["node.id"]
	switch {
	case hasID && !hasNode:
		out["node.id"] = id
	case hasNode && !hasID:
		out["broker.id"] = node
	}
	return out
}

func (b *Broker) overlay(layer map[string]string, origin Origin) {
	for _, name := range slices.Sorted(maps.Keys(layer)) {
		for _, s := range synonyms(name, false) {
			delete(b.props, s)
		}
		b.props[name] = setting{layer[name], origin}
	}
}

// parse turns the effective settings into values, listener overrides too.
func (b *Broker) parse() error {
	var bad []error
	for _, d := range brokerDefs {
		if d.value != nil {
			b.values[d.Name] = d.value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.props)) {
		s := b.props[name]
		d, ok := defOf(name)
		if !ok || d.Mode == DynamicOnly && s.origin < OriginDynamicDefault {
			continue
		}
		v, err := d.Parse(s.text)
		if err != nil {
			if e, ok := errors.AsType[*ValueError](err); ok {
				err = &ValueError{name, e.Value, e.Rule}
			}
			bad = append(bad, err)
			continue
		}
		b.values[name] = v
	}
	return errors.Join(bad...)
}
