package config

import (
	"maps"
	"slices"
)

// SourceID is the source of a value as DescribeConfigs numbers it.
type SourceID int8

// The sources of DescribeConfigs.
const (
	SourceTopic          SourceID = 1
	SourceDynamicBroker  SourceID = 2
	SourceDynamicDefault SourceID = 3
	SourceStatic         SourceID = 4
	SourceDefault        SourceID = 5
)

// Synonym is another place that sets, or would set, a value.
type Synonym struct {
	Name   string
	Value  *string // nil when sensitive
	Source SourceID
}

// Entry describes one property of a resource.
type Entry struct {
	Name      string
	Value     *string // nil for null and when sensitive
	Source    SourceID
	ReadOnly  bool
	Sensitive bool
	Synonyms  []Synonym // strongest first; the first is where Value comes from
	Type      Type      // 0 when the table does not know the name
	Doc       string
}

// wanted keeps those of all that the request names; no names ask for all.
func wanted(all, names []string) []string {
	if len(names) == 0 {
		return all
	}
	asked := make(map[string]bool, len(names))
	for _, n := range names {
		asked[n] = true
	}
	return slices.DeleteFunc(all, func(n string) bool { return !asked[n] })
}

// Describe returns the settings of this broker, sorted by name.
func (b *Broker) Describe(names []string) []Entry {
	set := map[string]bool{}
	for name := range b.props {
		set[name] = true
	}
	for _, d := range brokerDefs {
		if !d.Internal && d.Mode != DynamicOnly {
			set[d.Name] = true
		}
	}
	var out []Entry
	for _, name := range wanted(slices.Sorted(maps.Keys(set)), names) {
		out = append(out, b.entry(name, b.shown(name), true))
	}
	return out
}

// shown is the effective value of a setting: as the table prints it, or as it
// was written where only a listener or nobody reads it.
func (b *Broker) shown(name string) *string {
	if d, ok := brokerByName[name]; ok && !d.Internal && d.Mode != DynamicOnly {
		if s, ok := text(b.values[name]); ok {
			return &s
		}
		return nil
	}
	return new(b.props[name].text)
}

// DescribeDefault returns the dynamic settings of all brokers, which
// DescribeConfigs asks for with an empty broker name.
func (b *Broker) DescribeDefault(names []string) []Entry {
	var out []Entry
	for _, name := range wanted(slices.Sorted(maps.Keys(b.dynDefault)), names) {
		out = append(out, b.entry(name, new(b.dynDefault[name]), false))
	}
	return out
}

// entry describes a broker setting; without perBroker only the cluster's
// dynamic default counts as a source.
func (b *Broker) entry(name string, value *string, perBroker bool) Entry {
	e := Entry{Name: name, Value: value, Source: SourceDefault, ReadOnly: true, Sensitive: Sensitive(name)}
	if d, ok := defOf(name); ok {
		e.Type = d.Type
	}
	if d, ok := brokerByName[name]; ok {
		e.ReadOnly, e.Doc = !d.dynamic(), d.Doc
	}
	if e.Sensitive {
		e.Value = nil
	}
	e.Synonyms = b.synonymsOf(name, e.Sensitive)
	if !perBroker {
		e.Synonyms = slices.DeleteFunc(e.Synonyms, func(s Synonym) bool { return s.Source != SourceDynamicDefault })
	}
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}

// synonymsOf lists what sets a broker setting, layer by layer. Entries before
// the first of the setting's own name are left out, as in Kafka: that is why
// retention.ms set through log.retention.hours shows as a default.
func (b *Broker) synonymsOf(name string, sensitive bool) []Synonym {
	var out []Synonym
	group := synonyms(name, true)
	add := func(source SourceID, get func(string) (string, bool)) {
		for _, n := range group {
			v, ok := get(n)
			if !ok || len(out) == 0 && n != name {
				continue
			}
			s := Synonym{Name: n, Source: source}
			if !sensitive {
				s.Value = &v
			}
			out = append(out, s)
		}
	}
	add(SourceDynamicBroker, func(n string) (string, bool) { v, ok := b.dynBroker[n]; return v, ok })
	add(SourceDynamicDefault, func(n string) (string, bool) { v, ok := b.dynDefault[n]; return v, ok })
	add(SourceStatic, func(n string) (string, bool) { s, ok := b.static[n]; return s.text, ok })
	add(SourceDefault, func(n string) (string, bool) {
		d, ok := brokerByName[n]
		if !ok || d.Mode == DynamicOnly {
			return "", false
		}
		return d.Default()
	})
	return out
}

// DescribeTopic returns the settings of a topic of b, sorted by name.
func (b *Broker) DescribeTopic(t *Topic, names []string) []Entry {
	set := map[string]bool{}
	for name := range t.overrides {
		set[name] = true
	}
	for _, d := range topicDefs {
		set[d.Name] = true
	}
	var out []Entry
	for _, name := range wanted(slices.Sorted(maps.Keys(set)), names) {
		out = append(out, b.topicEntry(t, name))
	}
	return out
}

func (b *Broker) topicEntry(t *Topic, name string) Entry {
	e := Entry{Name: name, Source: SourceDefault, Sensitive: true}
	d, known := topicByName[name]
	if known {
		e.Type, e.Doc, e.Sensitive = d.Type, d.Doc, d.Sensitive()
		if s, ok := text(t.values[name]); ok && !e.Sensitive {
			e.Value = &s
		}
	}
	if t.Overridden(name) {
		e.Synonyms = []Synonym{{name, e.Value, SourceTopic}}
	}
	if known && len(d.Synonyms) > 0 {
		e.Synonyms = append(e.Synonyms, b.synonymsOf(d.Synonyms[0], e.Sensitive)...)
	}
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}
