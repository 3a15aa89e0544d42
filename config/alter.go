package config

import (
	"maps"
	"slices"
	"strings"
)

// Op is an operation of IncrementalAlterConfigs; the numbers are those of the
// wire.
type Op int8

// The operations of KIP-339.
const (
	OpSet      Op = 0
	OpDelete   Op = 1
	OpAppend   Op = 2 // lists only: adds what is not there yet
	OpSubtract Op = 3 // lists only
)

// Change is one operation on one property. A nil Value is null.
type Change struct {
	Name  string
	Op    Op
	Value *string
}

// RequestError refuses a request that makes no sense whatever the settings are
// (INVALID_REQUEST); all other errors of this package mean INVALID_CONFIG.
type RequestError struct{ Reason string }

// Error returns the reason.
func (e *RequestError) Error() string { return e.Reason }

// Alter applies changes to the stored settings of a broker or topic and
// returns the new set; current stays as it is. The result is not validated:
// see ValidateDynamic and ValidateTopic.
func Alter(scope Scope, current map[string]string, changes []Change) (map[string]string, error) {
	if err := CheckChanges(changes); err != nil {
		return nil, err
	}
	out := maps.Clone(current)
	if out == nil {
		out = map[string]string{}
	}
	for _, c := range changes {
		switch c.Op {
		case OpSet:
			out[c.Name] = *c.Value
		case OpDelete:
			delete(out, c.Name)
		case OpAppend, OpSubtract:
			list, err := alterList(scope, out, c)
			if err != nil {
				return nil, err
			}
			out[c.Name] = list
		}
	}
	return out, nil
}

// Replace is the older AlterConfigs: entries are the whole new set.
func Replace(entries []Change) (map[string]string, error) {
	out := map[string]string{}
	for _, e := range entries {
		if e.Op != OpSet {
			return nil, &RequestError{"AlterConfigs can only set values"}
		}
	}
	if err := CheckChanges(entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		out[e.Name] = *e.Value
	}
	return out, nil
}

// CheckChanges refuses changes that make no sense for any resource: a name
// twice, null where a value is needed, an unknown operation.
func CheckChanges(changes []Change) error {
	seen := map[string]bool{}
	var nulls []string
	for _, c := range changes {
		if seen[c.Name] {
			return &RequestError{"Error due to duplicate config keys"}
		}
		seen[c.Name] = true
		if c.Op != OpDelete && c.Value == nil {
			nulls = append(nulls, c.Name)
		}
	}
	if len(nulls) > 0 {
		return &RequestError{"Null value not supported for : " + strings.Join(nulls, ", ")}
	}
	for _, c := range changes {
		if c.Op < OpSet || c.Op > OpSubtract {
			return &RequestError{"Unknown operations type " + javaString(int16(c.Op))}
		}
	}
	return nil
}

func alterList(scope Scope, current map[string]string, c Change) (string, error) {
	verb := "append"
	if c.Op == OpSubtract {
		verb = "subtract"
	}
	defs := brokerByName
	if scope == ScopeTopic {
		defs = topicByName
	}
	d, ok := defs[c.Name]
	if !ok {
		return "", rulef("Unknown config name: %s", c.Name)
	}
	if d.Type != List {
		return "", rulef("Config value %s is not allowed for config key: %s", verb, c.Name)
	}
	old, ok := current[c.Name]
	if !ok {
		old = d.text
	}
	count := map[string]int{} // of what one side holds
	if c.Op == OpAppend {
		for _, e := range javaSplit(old) {
			count[e]++
		}
		fresh := slices.DeleteFunc(javaSplit(*c.Value), func(e string) bool { return count[e] > 0 })
		return strings.Join(append(javaSplit(old), fresh...), ","), nil
	}
	for _, e := range javaSplit(*c.Value) {
		count[e]++
	}
	left := slices.DeleteFunc(javaSplit(old), func(e string) bool { count[e]--; return count[e] >= 0 })
	return strings.Join(left, ","), nil
}

// javaSplit is String.split(","): empty elements at the end are dropped.
func javaSplit(s string) []string {
	out := strings.Split(s, ",")
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// ValidateTopic checks the complete set of overrides that a topic is about to
// get, against b's defaults.
func (b *Broker) ValidateTopic(overrides map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if _, ok := topicByName[name]; !ok {
			return rulef("Unknown topic config name: %s", name)
		}
	}
	t, err := b.Topic(overrides)
	if err != nil {
		return err
	}
	flag := func(name string) bool { return as[bool](t.values[name]) }
	switch {
	case t.MinCompactionLagMs > t.MaxCompactionLagMs:
		return rulef("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)",
			t.MinCompactionLagMs, t.MaxCompactionLagMs)
	case flag("remote.log.delete.on.disable") || flag("remote.log.copy.disable"):
		return rulef("It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode.")
	case flag("remote.storage.enable"):
		return rulef("Tiered Storage functionality is disabled in the broker. " +
			"Topic cannot be configured with remote log storage.")
	}
	return nil
}
