package znode

import (
	"fmt"
	"net/url"
	"strings"
)

// EntityType is a kind of thing that has a configuration.
type EntityType string

// The entity types of ZooKeeper mode.
const (
	Topics  EntityType = "topics"
	Clients EntityType = "clients"
	Users   EntityType = "users"
	Brokers EntityType = "brokers"
	IPs     EntityType = "ips"
)

// EntityTypes returns all entity types in Kafka's order.
func EntityTypes() []EntityType { return []EntityType{Topics, Clients, Users, Brokers, IPs} }

// DefaultEntity is the node name that stands for all entities without a node of
// their own. No sanitised name is equal to it.
const DefaultEntity = "<default>"

// Name is the name of an entity, or the default of its type.
type Name struct {
	// Text is the plain name, not sanitised; empty when Default is set.
	Text    string
	Default bool
}

// Named returns a name; Defaults stands for the default entity.
func Named(text string) *Name { return &Name{Text: text} }

// Defaults returns the name of the default entity.
func Defaults() *Name { return &Name{Default: true} }

// node returns the node name; broker ids and topics are never sanitised.
func (n *Name) node(sanitise bool) string {
	switch {
	case n.Default:
		return DefaultEntity
	case sanitise:
		return Sanitize(n.Text)
	}
	return n.Text
}

// Entity is whatever has a configuration. Exactly one field is set, or User
// and Client both: a client id of that user.
type Entity struct {
	Topic, Broker, User, Client, IP *Name
}

// Path returns the entity as change notifications name it: "topics/t1",
// "brokers/<default>", "users/al%20ice/clients/c".
func (e Entity) Path() string {
	switch {
	case e.Topic != nil:
		return string(Topics) + "/" + e.Topic.node(false)
	case e.Broker != nil:
		return string(Brokers) + "/" + e.Broker.node(false)
	case e.User != nil && e.Client != nil:
		return string(Users) + "/" + e.User.node(true) + "/" + string(Clients) + "/" + e.Client.node(true)
	case e.User != nil:
		return string(Users) + "/" + e.User.node(true)
	case e.Client != nil:
		return string(Clients) + "/" + e.Client.node(true)
	case e.IP != nil:
		return string(IPs) + "/" + e.IP.node(true)
	}
	return ""
}

// ParseEntity reads what Entity.Path writes.
func ParseEntity(path string) (Entity, error) {
	fail := func(rule string) (Entity, error) { return Entity{}, fmt.Errorf("entity path %q: %s", path, rule) }
	typ, rest, ok := strings.Cut(path, "/")
	if !ok || rest == "" {
		return fail("want type/name")
	}
	if EntityType(typ) == Users {
		return parseUserEntity(path, rest)
	}
	name, err := parseName(rest, typ == string(Clients) || typ == string(IPs))
	switch {
	case err != nil:
		return fail(err.Error())
	case strings.Contains(rest, "/"):
		return fail("name holds a slash")
	}
	switch EntityType(typ) {
	case Topics:
		return Entity{Topic: name}, nil
	case Brokers:
		return Entity{Broker: name}, nil
	case Clients:
		return Entity{Client: name}, nil
	case IPs:
		return Entity{IP: name}, nil
	}
	return fail("type is not one of topics, clients, users, brokers, ips")
}

// parseUserEntity reads "U" and "U/clients/C".
func parseUserEntity(path, rest string) (Entity, error) {
	parts := strings.Split(rest, "/")
	user, err := parseName(parts[0], true)
	if err != nil {
		return Entity{}, fmt.Errorf("entity path %q: %w", path, err)
	}
	switch {
	case len(parts) == 1:
		return Entity{User: user}, nil
	case len(parts) == 3 && parts[1] == string(Clients):
		client, err := parseName(parts[2], true)
		if err != nil {
			return Entity{}, fmt.Errorf("entity path %q: %w", path, err)
		}
		return Entity{User: user, Client: client}, nil
	}
	return Entity{}, fmt.Errorf("entity path %q: want users/U or users/U/clients/C", path)
}

func parseName(node string, sanitised bool) (*Name, error) {
	switch {
	case node == DefaultEntity:
		return Defaults(), nil
	case !sanitised:
		return Named(node), nil
	}
	text, err := Desanitize(node)
	if err != nil {
		return nil, err
	}
	return Named(text), nil
}

// Sanitize makes a user, client id, address or principal fit for a node name,
// as Kafka's Sanitizer does: URL encoding with "%20" for a space and "%2A" for
// an asterisk.
func Sanitize(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// Desanitize undoes Sanitize. A plus sign is a space, as in Java's URLDecoder.
func Desanitize(name string) (string, error) {
	s, err := url.QueryUnescape(name)
	if err != nil {
		return "", fmt.Errorf("sanitised name %q: %w", name, err)
	}
	return s, nil
}
