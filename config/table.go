package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/internal/must"
)

// row is a line of the table as it is written down; see Def for the columns.
type row struct {
	name       string
	typ        Type
	def        string // null or the text of the default
	valid      Validator
	importance Importance
	mode       Mode
	flag       mark
	doc        string
}

// null is the default of a property that has none.
const null = "\x00"

type mark uint8

const (
	plain mark = iota
	deprecated
	internal
)

// areas is the table, in the order of docs/configuration.md.
var areas = []struct {
	title string
	scope Scope
	rows  []row
}{
	{"General", ScopeBroker, serverRows},
	{"Listeners and connections", ScopeBroker, socketRows},
	{"Embedded keeper", ScopeBroker, gregorRows},
	{"ZooKeeper", ScopeBroker, zookeeperRows},
	{"Logs", ScopeBroker, logRows},
	{"Log compaction", ScopeBroker, cleanerRows},
	{"Replication and the controller", ScopeBroker, replicationRows},
	{"Consumer groups", ScopeBroker, groupRows},
	{"Transactions", ScopeBroker, txnRows},
	{"Quotas", ScopeBroker, quotaRows},
	{"Metrics", ScopeBroker, metricsRows},
	{"Security", ScopeBroker, securityRows},
	{"TLS", ScopeBroker, sslRows},
	{"SASL", ScopeBroker, saslRows},
	{"Tiered storage", ScopeBroker, remoteRows},
	{"KRaft", ScopeBroker, kraftRows},
	{"Topics", ScopeTopic, topicRows},
}

var (
	brokerDefs, topicDefs     []*Def // sorted by name
	brokerByName, topicByName = map[string]*Def{}, map[string]*Def{}
)

func init() {
	for _, a := range areas {
		for _, r := range a.rows {
			d := r.define(a.title, a.scope)
			if a.scope == ScopeTopic {
				topicDefs = append(topicDefs, d)
				topicByName[d.Name] = d
			} else {
				brokerDefs = append(brokerDefs, d)
				brokerByName[d.Name] = d
			}
		}
	}
	byName := func(a, b *Def) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(brokerDefs, byName)
	slices.SortFunc(topicDefs, byName)
}

func (r row) define(area string, scope Scope) *Def {
	d := &Def{
		Name: r.name, Type: r.typ, Importance: r.importance, Scope: scope, Mode: r.mode, Valid: r.valid,
		Doc: r.doc, Area: area, Deprecated: r.flag == deprecated, Internal: r.flag == internal,
	}
	if scope == ScopeTopic {
		d.Synonyms = topicDefaults[r.name]
	}
	if r.def == null {
		return d
	}
	v, err := d.Parse(r.def)
	if err != nil {
		must.Bug("default of %s: %v", r.name, err)
	}
	d.value = v
	d.text, _ = text(v)
	return d
}

// Parse reads and checks one value.
func (d *Def) Parse(s string) (any, error) {
	v, err := parse(d.Name, s, d.Type)
	if err == nil && d.Valid != nil {
		err = d.Valid.Check(d.Name, v)
	}
	return v, err
}

// BrokerDefs returns every broker property, sorted by name.
func BrokerDefs() []*Def { return slices.Clone(brokerDefs) }

// TopicDefs returns every topic property, sorted by name.
func TopicDefs() []*Def { return slices.Clone(topicDefs) }

// LookupBroker finds a broker property by its exact name.
func LookupBroker(name string) (*Def, bool) { d, ok := brokerByName[name]; return d, ok }

// LookupTopic finds a topic property by its exact name.
func LookupTopic(name string) (*Def, bool) { d, ok := topicByName[name]; return d, ok }

// listenerName splits listener.name.<listener>.<property>.
var listenerName = regexp.MustCompile(`^listener\.name\.[^.]*\.(.*)$`)

// mechanismSuffixes are the properties that may carry a mechanism between the
// listener and their own name.
var mechanismSuffixes = []string{
	"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class",
	"sasl.server.callback.handler.class", "connections.max.reauth.ms",
}

// listenerBase returns the plain property behind a name with a listener
// prefix, mechanism included.
func listenerBase(name string) (base string, ok bool) {
	m := listenerName.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	for _, s := range mechanismSuffixes {
		if strings.HasSuffix(m[1], s) {
			return s, true
		}
	}
	return m[1], true
}

// synonymGroups are broker properties that set the same thing, strongest
// first; log.flush.interval.ms alone answers to its group (see synonyms).
var synonymGroups = [][]string{
	{"log.roll.ms", "log.roll.hours"},
	{"log.roll.jitter.ms", "log.roll.jitter.hours"},
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
}

// synonyms returns name and what else may set it, strongest first; with
// listeners, a name with a listener prefix is followed by its plain property.
func synonyms(name string, listeners bool) []string {
	if name == "log.flush.interval.ms" {
		return []string{name, "log.flush.scheduler.interval.ms"}
	}
	for _, g := range synonymGroups {
		if slices.Contains(g, name) {
			return g
		}
	}
	if base, ok := listenerBase(name); ok && listeners {
		return []string{name, base}
	}
	return []string{name}
}

// defOf finds the definition that types a broker setting, also behind a
// listener prefix.
func defOf(name string) (*Def, bool) {
	if d, ok := brokerByName[name]; ok {
		return d, true
	}
	if base, ok := listenerBase(name); ok {
		return LookupBroker(base)
	}
	return nil, false
}

// Sensitive reports whether the value of a broker setting must not be shown:
// passwords, and whatever the table does not know.
func Sensitive(name string) bool {
	d, ok := defOf(name)
	return !ok || d.Sensitive()
}
