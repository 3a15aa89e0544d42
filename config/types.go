package config

import "fmt"

// Type is the type of a property's value. The numbers are those of the
// DescribeConfigs response.
type Type int8

// The types of ConfigDef.Type.
const (
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3 // 32 bits
	Short    Type = 4 // 16 bits
	Long     Type = 5 // 64 bits
	Double   Type = 6
	List     Type = 7 // comma-separated
	Class    Type = 8 // name of a Java class; gregor maps the known ones to its own code
	Password Type = 9 // never shown
)

var typeNames = [...]string{1: "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}

// String returns Kafka's name of the type.
func (t Type) String() string {
	if t < 1 || int(t) >= len(typeNames) {
		return fmt.Sprintf("Type(%d)", int8(t))
	}
	return typeNames[t]
}

// Importance says how likely an operator is to need the property.
type Importance uint8

// The importances of ConfigDef.Importance.
const (
	High Importance = iota
	Medium
	Low
)

// String returns Kafka's name of the importance.
func (i Importance) String() string { return [...]string{"HIGH", "MEDIUM", "LOW"}[i] }

// Mode says whether a broker property can change while the broker runs.
type Mode uint8

// The update modes of KIP-226. DynamicOnly properties exist only under
// /config/brokers and have no effect in server.properties.
const (
	ReadOnly Mode = iota
	PerBroker
	ClusterWide
	DynamicOnly
)

// String returns Kafka's name of the mode.
func (m Mode) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide", "dynamic-only"}[m]
}

// Scope is the kind of resource that carries a property.
type Scope uint8

// Properties belong to brokers or to topics; some names exist in both.
const (
	ScopeBroker Scope = iota
	ScopeTopic
)

// String returns "broker" or "topic".
func (s Scope) String() string { return [...]string{"broker", "topic"}[s] }

// Def defines one property. Definitions are shared: do not change them.
type Def struct {
	Name       string
	Type       Type
	Importance Importance
	Scope      Scope
	Mode       Mode      // ReadOnly for topic properties, as Kafka has it
	Valid      Validator // nil accepts every value of the type
	Doc        string    // one sentence of our own
	Area       string    // heading in docs/configuration.md
	Deprecated bool
	Internal   bool // accepted, but neither described nor documented unless set

	// Synonyms are the broker properties that give a topic property its
	// default, strongest first. Empty for broker properties.
	Synonyms []string

	text  string // default as Kafka prints it
	value any    // parsed default, nil for null
}

// Default returns the default as Kafka prints it; ok is false for null.
func (d *Def) Default() (text string, ok bool) { return d.text, d.value != nil }

// Sensitive reports whether values are never shown.
func (d *Def) Sensitive() bool { return d.Type == Password }

// Secret is the value of a PASSWORD property; it prints as [hidden].
type Secret string

// String hides the value.
func (Secret) String() string { return "[hidden]" }

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// ValueError refuses the value of a property, in ConfigException's words.
type ValueError struct {
	Name  string // property
	Value string // as Java prints it, [hidden] for passwords
	Rule  string // what the value breaks
}

// Error names value, property and rule.
func (e *ValueError) Error() string {
	if e.Rule == "" {
		return "Invalid value " + e.Value + " for configuration " + e.Name
	}
	return "Invalid value " + e.Value + " for configuration " + e.Name + ": " + e.Rule
}

// RuleError refuses a combination of properties, or a name.
type RuleError struct{ Rule string }

// Error returns the rule.
func (e *RuleError) Error() string { return e.Rule }

func rulef(format string, args ...any) error { return &RuleError{fmt.Sprintf(format, args...)} }
