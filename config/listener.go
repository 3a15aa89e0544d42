package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SecurityProtocol is how a listener is protected; the numbers are those of
// the wire and of znodes.
type SecurityProtocol int16

// The protocols of a listener.
const (
	Plaintext     SecurityProtocol = 0
	SSL           SecurityProtocol = 1
	SASLPlaintext SecurityProtocol = 2
	SASLSSL       SecurityProtocol = 3
)

var protocolNames = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// String returns Kafka's name of the protocol.
func (p SecurityProtocol) String() string { return protocolNames[p] }

// TLS reports whether the protocol encrypts.
func (p SecurityProtocol) TLS() bool { return p == SSL || p == SASLSSL }

// SASL reports whether the protocol authenticates by SASL.
func (p SecurityProtocol) SASL() bool { return p == SASLPlaintext || p == SASLSSL }

// ParseSecurityProtocol reads a protocol's name in any case.
func ParseSecurityProtocol(s string) (SecurityProtocol, bool) {
	i := slices.Index(protocolNames, strings.ToUpper(s))
	return SecurityProtocol(max(i, 0)), i >= 0
}

// Endpoint is one address of a listener.
type Endpoint struct {
	Listener string // name in upper case
	Host     string // without brackets; "" is every interface, or this machine's name
	Port     int32
	Protocol SecurityProtocol
}

// String prints the endpoint as it stands in listeners.
func (e Endpoint) String() string {
	host := e.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return e.Listener + "://" + host + ":" + strconv.Itoa(int(e.Port))
}

var endpointPattern = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// protocolMap reads listener.security.protocol.map.
func (b *Broker) protocolMap() (map[string]SecurityProtocol, error) {
	const name = "listener.security.protocol.map"
	out := map[string]SecurityProtocol{}
	for _, pair := range csv(b.Text(name)) {
		i := strings.LastIndex(pair, ":")
		if i < 0 {
			return nil, rulef("Error parsing configuration property '%s': %q has no colon", name, pair)
		}
		p, ok := ParseSecurityProtocol(javaTrim(pair[i+1:]))
		if !ok {
			return nil, rulef("Invalid security protocol `%s` defined in %s", javaTrim(pair[i+1:]), name)
		}
		out[strings.ToUpper(javaTrim(pair[:i]))] = p
	}
	return out, nil
}

// parseEndpoints reads listeners or advertised.listeners.
func parseEndpoints(list string, protocols map[string]SecurityProtocol, distinctPorts bool) ([]Endpoint, error) {
	fail := func(format string, args ...any) ([]Endpoint, error) {
		return nil, rulef("Error creating broker listeners from '%s': %s", list, fmt.Sprintf(format, args...))
	}
	var out []Endpoint
	for _, s := range csv(javaTrim(list)) {
		m := endpointPattern.FindStringSubmatch(s)
		if m == nil {
			return fail("Unable to parse %s to a broker endpoint", s)
		}
		name := strings.ToUpper(m[1])
		protocol, ok := protocols[name]
		if !ok {
			return fail("No security protocol defined for listener %s", name)
		}
		port, err := strconv.ParseInt(m[3], 10, 32)
		if err != nil || port < 0 || port > 65535 {
			return fail("port %s of listener %s is not between 0 and 65535", m[3], name)
		}
		out = append(out, Endpoint{name, m[2], int32(port), protocol})
	}
	for i, e := range out {
		for _, f := range out[:i] {
			if e.Listener == f.Listener {
				return nil, rulef("Each listener must have a different name, listeners: %s", list)
			}
		}
	}
	if distinctPorts {
		return out, checkPorts(out, list)
	}
	return out, nil
}

// checkPorts refuses a port used twice, unless once by an IPv4 and once by an
// IPv6 address. Port 0 picks a free one each time.
func checkPorts(endpoints []Endpoint, list string) error {
	type uses struct{ v4, v6, names int }
	var ports []int32
	used := map[int32]*uses{}
	for _, e := range endpoints {
		if e.Port == 0 {
			continue
		}
		u := used[e.Port]
		if u == nil {
			u = &uses{}
			used[e.Port] = u
			ports = append(ports, e.Port)
		}
		switch ip, err := netip.ParseAddr(e.Host); {
		case err != nil:
			u.names++
		case ip.Is4():
			u.v4++
		default:
			u.v6++
		}
	}
	for _, port := range ports {
		switch u := used[port]; {
		case u.v4+u.v6+u.names == 1, u.v4 == 1 && u.v6 == 1 && u.names == 0:
		case u.names > 1:
			return rulef("Each listener must have a different port, listeners: %s", list)
		case u.v4+u.v6 == 2:
			return rulef("If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, "+
				"listeners: %s, port: %d", list, port)
		default:
			return rulef("Each listener must have a different port unless exactly one listener has an IPv4 address "+
				"and the other IPv6 address, listeners: %s, port: %d", list, port)
		}
	}
	return nil
}

var errNoListener = rulef("The provided listener name is null or empty string")

// fillListeners parses everything about listeners; checkListeners holds the
// rules between them.
func (b *Broker) fillListeners() error {
	protocols, err := b.protocolMap()
	if err != nil {
		return err
	}
	if b.Listeners, err = parseEndpoints(b.Text("listeners"), protocols, true); err != nil {
		return err
	}
	b.Advertised = b.Listeners
	if b.Has("advertised.listeners") {
		if b.Advertised, err = parseEndpoints(b.Text("advertised.listeners"), protocols, false); err != nil {
			return err
		}
	}
	const byName, byProtocol = "inter.broker.listener.name", "security.inter.broker.protocol"
	if b.Has(byName) {
		if b.Origin(byProtocol) != OriginDefault {
			return rulef("Only one of %s and %s should be set.", byName, byProtocol)
		}
		if b.InterBrokerListener = strings.ToUpper(b.Text(byName)); b.InterBrokerListener == "" {
			return errNoListener
		}
		p, ok := protocols[b.InterBrokerListener]
		if !ok {
			return rulef("Listener with name %s defined in %s not found in listener.security.protocol.map.",
				b.InterBrokerListener, byName)
		}
		b.InterBrokerProtocol = p
	} else {
		b.InterBrokerProtocol, _ = ParseSecurityProtocol(b.Text(byProtocol))
		b.InterBrokerListener = b.InterBrokerProtocol.String()
	}
	const control = "control.plane.listener.name"
	if b.Has(control) {
		if b.ControlPlaneListener = strings.ToUpper(b.Text(control)); b.ControlPlaneListener == "" {
			return errNoListener
		}
		if _, ok := protocols[b.ControlPlaneListener]; !ok {
			return rulef("Listener with %s defined in %s not found in listener.security.protocol.map.",
				b.ControlPlaneListener, control)
		}
	}
	return nil
}

// ListenerView reads settings that a listener may override with its prefix.
type ListenerView struct {
	b        *Broker
	prefixes []string // strongest first
}

// Listener returns the settings as the named listener sees them: those with
// the prefix listener.name.<name in lower case>. first.
func (b *Broker) Listener(name string) ListenerView {
	return ListenerView{b, []string{"listener.name." + strings.ToLower(name) + "."}}
}

// Mechanism puts a SASL mechanism's settings before the listener's:
// listener.name.<listener>.<mechanism>.<property>.
func (l ListenerView) Mechanism(name string) ListenerView {
	own := l.prefixes[len(l.prefixes)-1]
	return ListenerView{l.b, []string{own + strings.ToLower(name) + ".", own}}
}

// Overrides reports whether the listener or mechanism itself sets the
// property.
func (l ListenerView) Overrides(name string) bool {
	_, ok := l.b.values[l.prefixes[0]+name]
	return ok
}

func (l ListenerView) value(name string, types ...Type) any {
	for _, p := range l.prefixes {
		if _, ok := l.b.values[p+name]; ok {
			return lookup(l.b.values, p+name, name, types...)
		}
	}
	return l.b.value(name, types...)
}

// Bool returns a BOOLEAN property.
func (l ListenerView) Bool(name string) bool { return as[bool](l.value(name, Boolean)) }

// Int returns an INT property, 0 for null.
func (l ListenerView) Int(name string) int32 { return as[int32](l.value(name, Int)) }

// Long returns a LONG property, 0 for null.
func (l ListenerView) Long(name string) int64 { return as[int64](l.value(name, Long)) }

// Text returns a STRING or CLASS property, "" for null.
func (l ListenerView) Text(name string) string { return as[string](l.value(name, String, Class)) }

// List returns a LIST property. Do not change it.
func (l ListenerView) List(name string) []string { return as[[]string](l.value(name, List)) }

// Secret returns a PASSWORD property, "" for null.
func (l ListenerView) Secret(name string) Secret { return as[Secret](l.value(name, Password)) }
