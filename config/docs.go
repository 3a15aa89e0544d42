package config

import (
	"fmt"
	"strings"
)

// Document renders docs/configuration.md from the table.
func Document() string {
	var out strings.Builder
	out.WriteString(docHead)
	out.WriteString("\n## Without a configuration file\n\nOne machine, nothing else needed:\n\n```\n")
	for _, p := range profile {
		fmt.Fprintf(&out, "%s=%s\n", p.Name, p.Value)
	}
	out.WriteString("```\n")
	for _, a := range areas {
		fmt.Fprintf(&out, "\n## %s\n\n", a.title)
		if a.scope == ScopeTopic {
			out.WriteString(docTopics)
		} else {
			out.WriteString("| property | type | default | valid | changes | meaning |\n|---|---|---|---|---|---|\n")
		}
		for _, r := range a.rows {
			documentRow(&out, a.scope, r.name)
		}
	}
	return out.String()
}

const docHead = `# Configuration

Generated from the table in ` + "`config/`" + `; change it there and run ` + "`go test ./config -update`" + `.

` + "`gregor server --config server.properties --override name=value`" + ` takes Apache Kafka 3.9's property names,
defaults and rules. Unknown names are warned about, bad values refused. Properties of gregor's own begin with
` + "`gregor.`" + `. Without ` + "`zookeeper.connect`" + ` a ZooKeeper-compatible keeper runs inside the process.

*changes* says whether a property can change while the broker runs, with kafka-configs and its like: *no*; *broker*, for
one broker; *cluster*, for one or all; *dynamic*, only that way. Settings of a listener carry the prefix
` + "`listener.name.<name>.`" + `. Properties marked † are deprecated; Kafka's internal ones are left out.
`

const docTopics = `Overrides of a single topic; every one can change while the broker runs. *broker default* names the broker
properties behind it, strongest first.

| property | type | default | valid | broker default | meaning |
|---|---|---|---|---|---|
`

func documentRow(out *strings.Builder, scope Scope, name string) {
	defs := brokerByName
	if scope == ScopeTopic {
		defs = topicByName
	}
	d := defs[name]
	if d.Internal {
		return
	}
	def, ok := d.Default()
	switch {
	case !ok:
		def = "unset"
	case def == "":
		def = "empty"
	default:
		def = "`" + def + "`"
	}
	valid, dagger := "", ""
	if d.Valid != nil {
		valid = strings.ReplaceAll(d.Valid.String(), "|", `\|`)
	}
	if d.Deprecated {
		dagger = " †"
	}
	behind := map[Mode]string{ReadOnly: "no", PerBroker: "broker", ClusterWide: "cluster", DynamicOnly: "dynamic"}[d.Mode]
	if scope == ScopeTopic {
		behind = strings.Join(d.Synonyms, ", ")
	}
	// The backticks keep a bare range from becoming a link.
	if valid != "" {
		valid = "`" + valid + "`"
	}
	fmt.Fprintf(out, "| `%s`%s | %s | %s | %s | %s | %s |\n", d.Name, dagger, strings.ToLower(d.Type.String()), def, valid,
		behind, d.Doc)
}
