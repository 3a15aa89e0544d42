package znode

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Endpoint is one listener as a broker advertises it.
type Endpoint struct {
	// Listener is the listener's name in upper case.
	Listener string
	// Protocol is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL.
	Protocol string
	// Host is empty for "any address".
	Host string
	Port int32
}

// String returns the form in registrations, "NAME://host:port".
func (e Endpoint) String() string { return e.Listener + "://" + e.Addr() }

// Addr returns host:port for dialling, IPv6 addresses in brackets.
func (e Endpoint) Addr() string {
	host := e.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + itoa(e.Port)
}

// protocols are the security protocols there are, in Kafka's order.
var protocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// VersionRange are the versions of a feature that a broker supports.
type VersionRange struct{ Min, Max int16 }

// Broker is the registration of a broker (BrokerPath).
type Broker struct {
	// Version is 5 from IBP 2.7 on, 4 from 0.10.0, 2 before. Version 1 is read
	// but not written.
	Version   int32
	Endpoints []Endpoint
	// Rack is nil when none is configured; only from version 3 on.
	Rack *string
	// JMXPort is -1 for none.
	JMXPort int32
	// Timestamp is in milliseconds since 1970.
	Timestamp int64
	// Features are from version 5 on.
	Features map[string]VersionRange
}

// Encode writes the registration. For the sake of old clients it names the
// first endpoint with protocol PLAINTEXT as host and port.
func (b Broker) Encode() []byte {
	var w writer
	w.open()
	if b.Version >= 5 {
		w.object("features")
		for _, name := range sortedKeys(b.Features) {
			w.object(name)
			w.int("min_version", int64(b.Features[name].Min))
			w.int("max_version", int64(b.Features[name].Max))
			w.close()
		}
		w.close()
	}
	if b.Version >= 4 {
		w.object("listener_security_protocol_map")
		for _, e := range b.Endpoints {
			w.text(e.Listener, e.Protocol)
		}
		w.close()
	}
	w.array("endpoints")
	for _, e := range b.Endpoints {
		w.item(e.String())
	}
	w.end(']')
	if b.Rack != nil && b.Version >= 3 {
		w.text("rack", *b.Rack)
	}
	w.int("jmx_port", int64(b.JMXPort))
	plain := slices.IndexFunc(b.Endpoints, func(e Endpoint) bool { return e.Protocol == "PLAINTEXT" })
	var first Endpoint
	if first.Port = -1; plain >= 0 {
		first = b.Endpoints[plain]
	}
	w.int("port", int64(first.Port))
	if first.Host == "" {
		w.null("host")
	} else {
		w.text("host", first.Host)
	}
	w.int("version", int64(b.Version))
	w.number("timestamp", b.Timestamp)
	w.close()
	return w.done()
}

// DecodeBroker reads a registration of any version. A node that was made but
// not filled yet has null data, which is an error.
func DecodeBroker(path string, data []byte) (Broker, error) {
	o := readObject(path, data)
	b := Broker{Version: o.int32("version"), JMXPort: o.int32Or("jmx_port", -1), Timestamp: o.timestamp("timestamp")}
	switch {
	case o.Err() != nil:
	case b.Version < 1:
		o.fail("version %d of a broker registration is not supported", b.Version)
	case b.Version == 1:
		b.Endpoints = []Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: o.text("host"), Port: o.int32("port")}}
	default:
		b.Endpoints = decodeEndpoints(o)
	}
	if o.has("rack") {
		b.Rack = new(o.text("rack"))
	}
	b.Features = decodeFeatureRanges(o)
	if o.Err() != nil {
		return Broker{}, o.Err()
	}
	return b, nil
}

// endpointForm is SocketServerConfigs.URI_PARSE_REGEXP of Kafka.
var endpointForm = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// decodeEndpoints reads endpoints, whose protocols are in a map from version 4
// on and are their names before.
func decodeEndpoints(o *object) []Endpoint {
	var out []Endpoint
	protocolOf := o.child("listener_security_protocol_map")
	byMap := o.has("listener_security_protocol_map")
	for _, text := range o.texts("endpoints") {
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			m := endpointForm.FindStringSubmatch(part)
			if m == nil {
				o.fail("endpoint %q: want NAME://host:port", part)
				return nil
			}
			port, err := strconv.ParseInt(m[3], 10, 32)
			if err != nil {
				o.fail("endpoint %q: port is not an integer of 32 bits", part)
				return nil
			}
			e := Endpoint{Listener: strings.ToUpper(m[1]), Host: m[2], Port: int32(port)}
			e.Protocol = e.Listener
			if byMap {
				e.Protocol = strings.ToUpper(protocolOf.text(e.Listener))
			}
			if !slices.Contains(protocols, e.Protocol) {
				o.fail("listener %q has security protocol %q, which is not one of %v", e.Listener, e.Protocol, protocols)
			}
			out = append(out, e)
		}
	}
	return out
}

func decodeFeatureRanges(o *object) map[string]VersionRange {
	features := o.child("features")
	var out map[string]VersionRange
	for name := range features.keys() {
		f := features.child(name)
		lo, hi := f.int32("min_version"), f.int32("max_version")
		if lo < 0 || hi < lo || hi > math.MaxInt16 {
			o.fail("feature %q: versions %d to %d are no range", name, lo, hi)
			return nil
		}
		if out == nil {
			out = make(map[string]VersionRange)
		}
		out[name] = VersionRange{Min: int16(lo), Max: int16(hi)}
	}
	return out
}
