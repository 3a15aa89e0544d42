package config

import (
	"fmt"
	"strings"
)

// Property is a name with its value as text.
type Property struct{ Name, Value string }

// profile is what a broker without server.properties runs with: one machine,
// nothing but itself. Kafka's own defaults cannot serve a group on one broker.
var profile = []Property{
	{"broker.id", "0"},
	{"listeners", "PLAINTEXT://127.0.0.1:9092"},
	{"log.dirs", "./gregor-data/logs"},
	{"gregor.keeper.data.dir", "./gregor-data/keeper"},
	{"gregor.keeper.4lw.commands.whitelist", "*"},
	{"auto.create.topics.enable", "true"},
	{"offsets.topic.replication.factor", "1"},
	{"transaction.state.log.replication.factor", "1"},
	{"transaction.state.log.min.isr", "1"},
	{"group.initial.rebalance.delay.ms", "0"},
}

// FormatProfile prints the profile of b for the start-up screen: one line per
// setting, with what --override changed.
func (b *Broker) FormatProfile() string {
	var out strings.Builder
	for _, p := range profile {
		s := b.static[p.Name]
		note := ""
		if s.origin != OriginProfile {
			note = "  (" + s.origin.String() + ")"
		}
		fmt.Fprintf(&out, "%s=%s%s\n", p.Name, s.text, note)
	}
	return out.String()
}
