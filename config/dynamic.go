package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// storeConfigs are the key and trust stores that can be exchanged while a
// listener runs, only with the listener's prefix.
var storeConfigs = []string{
	"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password", "ssl.key.password",
	"ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password",
	"ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.truststore.certificates",
}

// sharedListenerConfigs may be set for a listener at cluster level too.
var sharedListenerConfigs = []string{"max.connections", "max.connection.creation.rate", "num.network.threads"}

// DynamicPassword reports whether the value of a dynamic setting is stored
// encrypted in ZooKeeper. This package sees such values in the clear only:
// callers decode what they read and encode what they write.
func DynamicPassword(name string) bool {
	return slices.ContainsFunc(brokerDefs, func(d *Def) bool {
		return d.Type == Password && d.dynamic() && strings.HasSuffix(name, d.Name)
	})
}

// dynamic reports whether the plain property may change at all.
func (d *Def) dynamic() bool { return d.Mode == PerBroker || d.Mode == ClusterWide }

// WithDynamic puts the settings of /config/brokers/<default> and of
// /config/brokers/N on top of the static ones of b. What cannot be used is left
// out and returned in ignored, as Kafka logs it; err means that the result
// breaks a rule, and b stays in force.
func (b *Broker) WithDynamic(clusterDefault, own map[string]string) (next *Broker, ignored []error, err error) {
	clusterDefault, bad := usable(clusterDefault, false)
	own, worse := usable(own, true)
	ignored = append(bad, worse...)
	next, err = b.layers(clusterDefault, own)
	return next, ignored, err
}

// layers rebuilds b with other dynamic layers. A generated broker number stays.
func (b *Broker) layers(clusterDefault, own map[string]string) (*Broker, error) {
	next, err := build(b.static, clusterDefault, own)
	if err != nil {
		return nil, err
	}
	next.ID = b.ID
	return next, nil
}

// usable drops the settings that a level may not carry.
func usable(layer map[string]string, perBroker bool) (map[string]string, []error) {
	good := map[string]string{}
	var bad []error
	for _, name := range slices.Sorted(maps.Keys(layer)) {
		err := checkValue(name, layer[name])
		for _, r := range levelRules {
			if err == nil && r.broken(name, perBroker) {
				err = setError(r.text, []string{name})
			}
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good[name] = layer[name]
	}
	return good, bad
}

// checkValue checks the value of a dynamic setting; what the table does not
// know is for plugins and passes.
func checkValue(name, value string) error {
	d, ok := defOf(name)
	if !ok {
		return nil
	}
	_, err := d.Parse(value)
	if e, ok := errors.AsType[*ValueError](err); ok {
		return &ValueError{name, e.Value, e.Rule}
	}
	return err
}

// levelRules say which names may be set at which level.
var levelRules = []struct {
	text   string
	broken func(name string, perBroker bool) bool
}{
	{"Cannot update these configs dynamically", func(name string, _ bool) bool {
		d, ok := brokerByName[name]
		return ok && d.Mode == ReadOnly
	}},
	{"These security configs can be dynamically updated only per-listener using the listener prefix",
		func(name string, _ bool) bool { return slices.Contains(storeConfigs, name) }},
	{"Cannot update these configs at default cluster level, broker id must be specified",
		func(name string, perBroker bool) bool {
			if perBroker {
				return false
			}
			if base, ok := listenerBase(name); ok {
				return !slices.Contains(sharedListenerConfigs, base)
			}
			d, ok := brokerByName[name]
			return ok && d.Mode == PerBroker
		}},
}

// setError prints names as a Scala set, as Kafka does.
func setError(text string, names []string) error {
	return rulef("%s: Set(%s)", text, strings.Join(names, ", "))
}

// ValidateDynamic checks the complete set of dynamic settings that an
// AlterConfigs is about to store, for this broker (perBroker) or as the
// cluster's default: names, levels, values, and the broker that would come of
// it against the one that runs.
func (b *Broker) ValidateDynamic(settings map[string]string, perBroker bool) error {
	names := slices.Sorted(maps.Keys(settings))
	for i, r := range levelRules {
		if i == len(levelRules)-1 { // values come before the last rule
			for _, name := range names {
				if err := checkValue(name, settings[name]); err != nil {
					return err
				}
			}
		}
		var broken []string
		for _, name := range names {
			if r.broken(name, perBroker) {
				broken = append(broken, name)
			}
		}
		if len(broken) > 0 {
			return setError(r.text, broken)
		}
	}
	clusterDefault, own := b.dynDefault, b.dynBroker
	if perBroker {
		own = settings
	} else {
		clusterDefault = settings
	}
	for _, name := range names {
		if !perBroker && DynamicPassword(name) {
			return rulef("Password config can be defined only at broker level")
		}
	}
	next, err := b.layers(clusterDefault, own)
	if err != nil {
		return err
	}
	if err := b.checkChange(next); err != nil {
		return rulef("Invalid dynamic configuration: %v", err)
	}
	return nil
}

// pools are the thread counts that may at most double or halve at a time.
var pools = []string{
	"num.io.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir", "background.threads",
	"num.network.threads",
}

// checkChange holds the rules between a running broker and its next settings.
func (b *Broker) checkChange(next *Broker) error {
	for _, name := range pools {
		const failed = "Dynamic thread count update validation failed for "
		was, is := b.Int(name), next.Int(name)
		switch {
		case is == was:
		case is <= 0:
			return rulef(failed+"%s=%d, value should be at least 1", name, is)
		case is < was/2:
			return rulef(failed+"%s=%d, value should be at least half the current value %d", name, is, was)
		case int64(is) > 2*int64(was):
			return rulef(failed+"%s=%d, value should not be greater than double the current value %d", name, is, was)
		}
	}
	switch was, is := b.Int("log.cleaner.threads"), next.Int("log.cleaner.threads"); {
	case is == was:
	case is < 1:
		return rulef("Log cleaner threads should be at least 1")
	case is < was/2:
		return rulef("Log cleaner threads cannot be reduced to less than half the current value %d", was)
	case int64(is) > 2*int64(was):
		return rulef("Log cleaner threads cannot be increased to more than double the current value %d", was)
	}
	if err := next.checkLocalRetention(); err != nil {
		return err
	}
	return b.checkListenerChange(next)
}

func (b *Broker) checkLocalRetention() error {
	f := func(local, whole string, limit int64) error {
		n := b.Long(local)
		switch {
		case limit < 0 || n == -2:
		case n == -1:
			return &ValueError{local, "-1", rulef("Value must not be -1 as %s value is set as %d.", whole, limit).Error()}
		case n > limit:
			return &ValueError{local, javaString(n),
				rulef("Value must not be more than %s property value: %d", whole, limit).Error()}
		}
		return nil
	}
	return errors.Join(
		f("log.local.retention.ms", "log.retention.ms", b.topicMs("retention.ms")),
		f("log.local.retention.bytes", "log.retention.bytes", b.topicMs("retention.bytes")))
}

// checkListenerChange keeps what a listener that stays open cannot change.
func (b *Broker) checkListenerChange(next *Broker) error {
	for _, l := range next.Listeners {
		i := slices.IndexFunc(b.Listeners, func(e Endpoint) bool { return e.Listener == l.Listener })
		if i < 0 {
			continue
		}
		if !maps.Equal(b.fixedListenerConfigs(l.Listener), next.fixedListenerConfigs(l.Listener)) {
			return rulef("Configs cannot be updated dynamically for existing listener %s, "+
				"restart broker or create a new listener for update", l.Listener)
		}
		for _, name := range []string{"max.connections", "max.connection.creation.rate"} {
			n := next.Listener(l.Listener).Int(name)
			if n <= 0 && n != b.Listener(l.Listener).Int(name) && next.Listener(l.Listener).Overrides(name) {
				return rulef("Invalid %s %d", name, n)
			}
		}
		if b.Listeners[i].Protocol != l.Protocol {
			return rulef("Security protocol cannot be updated for existing listener %s", l.Listener)
		}
	}
	return nil
}

func (b *Broker) fixedListenerConfigs(listener string) map[string]string {
	out := map[string]string{}
	prefix := b.Listener(listener).prefixes[0]
	for name, s := range b.props {
		if base, ok := strings.CutPrefix(name, prefix); ok &&
			!slices.Contains(storeConfigs, base) && !slices.Contains(sharedListenerConfigs, base) {
			out[base] = s.text
		}
	}
	return out
}
