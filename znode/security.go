package znode

import (
	"cmp"
	"slices"
	"strings"
)

// ResourceType is what an ACL protects, spelt as in paths: "TransactionalId".
type ResourceType string

// The resource types.
const (
	TopicResource           ResourceType = "Topic"
	GroupResource           ResourceType = "Group"
	ClusterResource         ResourceType = "Cluster"
	TransactionalIDResource ResourceType = "TransactionalId"
	DelegationTokenResource ResourceType = "DelegationToken"
	UserResource            ResourceType = "User"
)

// ResourceTypes returns all resource types in Kafka's order.
func ResourceTypes() []ResourceType {
	return []ResourceType{
		TopicResource, GroupResource, ClusterResource, TransactionalIDResource, DelegationTokenResource, UserResource,
	}
}

// Upper returns the spelling of change notifications: "TRANSACTIONAL_ID".
func (t ResourceType) Upper() string {
	var b strings.Builder
	for i, r := range string(t) {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// ParseResourceType accepts both spellings.
func ParseResourceType(s string) (ResourceType, bool) {
	for _, t := range ResourceTypes() {
		if s == string(t) || strings.ToUpper(s) == t.Upper() {
			return t, true
		}
	}
	return "", false
}

// PatternType is how a resource pattern's name is compared.
type PatternType string

// The pattern types that are stored.
const (
	Literal  PatternType = "LITERAL"
	Prefixed PatternType = "PREFIXED"
)

// Resource is the pattern that a set of ACLs is for.
type Resource struct {
	Type ResourceType
	// Name is raw, "*" for all of a type, "kafka-cluster" for the cluster.
	Name    string
	Pattern PatternType
}

// Path holds the ACLs of the resource.
func (r Resource) Path() string {
	root := ACLPath
	if r.Pattern == Prefixed {
		root = PrefixedACLPath
	}
	return root + "/" + string(r.Type) + "/" + r.Name
}

// Change returns the prefix and the data of the notification that the ACLs of
// the resource changed: text for literal patterns, JSON for others.
func (r Resource) Change() (prefix string, data []byte) {
	if r.Pattern == Literal {
		return ACLChangePrefix, []byte(r.Type.Upper() + ":" + r.Name)
	}
	var w writer
	w.open()
	w.int("version", 1)
	w.text("resourceType", r.Type.Upper())
	w.text("name", r.Name)
	w.text("patternType", string(r.Pattern))
	w.close()
	return ExtendedACLChangePrefix, w.done()
}

// DecodeACLChange reads a notification about a literal pattern.
func DecodeACLChange(path string, data []byte) (Resource, error) {
	typ, name, ok := strings.Cut(string(data), ":")
	t, known := ParseResourceType(typ)
	if !ok || !known {
		return Resource{}, fault(path, "want TYPE:name with a type of %v, have %s", ResourceTypes(), excerpt(data))
	}
	return Resource{Type: t, Name: name, Pattern: Literal}, nil
}

// DecodeExtendedACLChange reads a notification about another pattern.
func DecodeExtendedACLChange(path string, data []byte) (Resource, error) {
	o := readObject(path, data)
	if v := o.int32Or("version", 0); v > 1 {
		o.fail("version %d of an ACL change is not supported", v)
	}
	t, ok := ParseResourceType(o.text("resourceType"))
	if !ok {
		o.failKey("resourceType", "a resource type")
	}
	r := Resource{Type: t, Name: o.text("name"), Pattern: PatternType(strings.ToUpper(o.text("patternType")))}
	if r.Pattern != Literal && r.Pattern != Prefixed {
		o.failKey("patternType", "LITERAL or PREFIXED")
	}
	if o.Err() != nil {
		return Resource{}, o.Err()
	}
	return r, nil
}

// ACLEntry allows or denies an operation to a principal.
type ACLEntry struct {
	// Principal is "Type:name", with the name "*" for all.
	Principal string
	// Permission is "Allow" or "Deny", Operation one of ACLOperations; both are
	// UnknownName when a newer version wrote what is not known here.
	Permission string
	// Host is an address, "*" for all.
	Host      string
	Operation string
}

// UnknownName stands for names of operations and permissions not known here. It
// allows and denies nothing.
const UnknownName = "Unknown"

// ACLOperations returns all operations as ACLs spell them.
func ACLOperations() []string {
	return []string{
		"All", "Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "DescribeConfigs",
		"AlterConfigs", "IdempotentWrite", "CreateTokens", "DescribeTokens",
	}
}

// spelling returns s as known spells it; the case must be that or upper.
func spelling(known []string, s string) string {
	for _, k := range known {
		if s == k || s == strings.ToUpper(k) {
			return k
		}
	}
	return UnknownName
}

func (a ACLEntry) compare(b ACLEntry) int {
	return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Permission, b.Permission),
		cmp.Compare(a.Host, b.Host), cmp.Compare(a.Operation, b.Operation))
}

// EncodeACLs writes a set of ACLs (Resource.Path), in order and each once.
func EncodeACLs(acls []ACLEntry) []byte {
	acls = slices.SortedFunc(slices.Values(acls), ACLEntry.compare)
	var w writer
	w.open()
	w.array("acls")
	for _, a := range slices.Compact(acls) {
		w.open()
		w.text("principal", a.Principal)
		w.text("permissionType", a.Permission)
		w.text("host", a.Host)
		w.text("operation", a.Operation)
		w.close()
	}
	w.end(']')
	w.int("version", 1)
	w.close()
	return w.done()
}

// DecodeACLs reads a set of ACLs in the order of EncodeACLs. No data is none.
func DecodeACLs(path string, data []byte) ([]ACLEntry, error) {
	if len(data) == 0 {
		return nil, nil
	}
	o := readObject(path, data)
	if v := o.int32("version"); v != 1 {
		o.fail("version %d of ACLs is not supported, want 1", v)
	}
	var out []ACLEntry
	for _, c := range o.children("acls") {
		a := ACLEntry{
			Principal: c.text("principal"), Host: c.text("host"),
			Permission: spelling([]string{"Allow", "Deny"}, c.text("permissionType")),
			Operation:  spelling(ACLOperations(), c.text("operation")),
		}
		if !strings.Contains(a.Principal, ":") {
			c.failKey("principal", "Type:name")
		}
		out = append(out, a)
	}
	if o.Err() != nil {
		return nil, o.Err()
	}
	slices.SortFunc(out, ACLEntry.compare)
	return slices.Compact(out), nil
}

// Token is a delegation token (TokenPath). Its HMAC is not stored: brokers
// compute it from the id and their secret.
type Token struct {
	ID string
	// Owner and Requester are principals, "Type:name".
	Owner, Requester string
	Renewers         []string
	// Issued, Expiry and MaxExpiry are in milliseconds since 1970.
	Issued, Expiry, MaxExpiry int64
}

// Encode writes the token in version 3.
func (t Token) Encode() []byte {
	var w writer
	w.open()
	w.int("issueTimestamp", t.Issued)
	w.array("renewers")
	for _, r := range t.Renewers {
		w.item(Sanitize(r))
	}
	w.end(']')
	w.text("tokenRequester", Sanitize(t.Requester))
	w.text("tokenId", t.ID)
	w.text("owner", Sanitize(t.Owner))
	w.int("expiryTimestamp", t.Expiry)
	w.int("maxTimestamp", t.MaxExpiry)
	w.int("version", 3)
	w.close()
	return w.done()
}

// DecodeToken reads a token; before version 3 its requester is its owner.
func DecodeToken(path string, data []byte) (Token, error) {
	o := readObject(path, data)
	version := o.int32("version")
	if o.Err() == nil && (version < 1 || version > 3) {
		o.fail("version %d of a delegation token is not supported, want 1 to 3", version)
	}
	t := Token{
		ID: o.text("tokenId"), Owner: o.principal("owner", o.text("owner")), Issued: o.int64("issueTimestamp"),
		Expiry: o.int64("expiryTimestamp"), MaxExpiry: o.int64("maxTimestamp"),
	}
	if t.Requester = t.Owner; version >= 3 {
		t.Requester = o.principal("tokenRequester", o.text("tokenRequester"))
	}
	for _, r := range o.texts("renewers") {
		t.Renewers = append(t.Renewers, o.principal("renewers", r))
	}
	if o.Err() != nil {
		return Token{}, o.Err()
	}
	return t, nil
}

// principal reads a sanitised "Type:name".
func (o *object) principal(key, sanitised string) string {
	p, err := Desanitize(sanitised)
	if err != nil || !strings.Contains(p, ":") {
		o.failKey(key, "Type%3Aname")
	}
	return p
}
