package znode

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

func TestPathsBothWays(t *testing.T) {
	f := func(path, want string, n Node) {
		t.Helper()
		if path != want {
			t.Errorf("built %q, want %q", path, want)
		}
		if got := ParsePath(want); !reflect.DeepEqual(got, n) {
			t.Errorf("%q parsed as %+v, want %+v", want, got, n)
		}
		if err := zk.ValidatePath(want); err != nil {
			t.Error(err)
		}
	}
	node := func(k Kind, set func(*Node)) Node {
		n := Node{Kind: k, Broker: -1, Partition: -1}
		if set != nil {
			set(&n)
		}
		return n
	}
	tp := func(k Kind, topic string, p int32) Node {
		return node(k, func(n *Node) { n.Topic, n.Partition = topic, p })
	}
	member := func(k Kind, topic string, broker, p int32) Node {
		return node(k, func(n *Node) { n.Group, n.Topic, n.Broker, n.Partition = "g", topic, broker, p })
	}
	entity := func(e Entity) (string, Node) {
		return EntityConfigPath(e), node(EntityConfigNode, func(n *Node) { n.Entity = e })
	}
	resource := func(r Resource) (string, Node) {
		return r.Path(), node(ACLNode, func(n *Node) { n.Resource = r })
	}
	f(BrokerPath(1001), "/brokers/ids/1001", node(BrokerNode, func(n *Node) { n.Broker = 1001 }))
	f(TopicPath("a_b"), "/brokers/topics/a_b", tp(TopicNode, "a_b", -1))
	f(PartitionsPath("t"), "/brokers/topics/t/partitions", tp(PartitionsNode, "t", -1))
	f(PartitionPath("t", 3), "/brokers/topics/t/partitions/3", tp(PartitionNode, "t", 3))
	f(StatePath("t", 3), "/brokers/topics/t/partitions/3/state", tp(StateNode, "t", 3))
	f(OldTopicBrokerPath("login", 3), "/brokers/topics/login/3", node(OldTopicBroker, func(n *Node) { n.Topic, n.Broker = "login", 3 }))
	f(DeleteTopicPath("t"), "/admin/delete_topics/t", tp(DeleteTopicNode, "t", -1))
	f(TokenPath("x"), "/delegation_token/tokens/x", node(TokenNode, func(n *Node) { n.Name = "x" }))
	f(ConfigTypePath(Users), "/config/users", node(Container, nil))
	f("/config/users/a/clients", "/config/users/a/clients", node(Container, nil))

	path, n := entity(Entity{Topic: Named("t-1")})
	f(path, "/config/topics/t-1", n)
	path, n = entity(Entity{Broker: Defaults()})
	f(path, "/config/brokers/<default>", n)
	path, n = entity(Entity{Client: Named("<default>")})
	f(path, "/config/clients/%3Cdefault%3E", n)
	path, n = entity(Entity{User: Named("al ice/x*~é")})
	f(path, "/config/users/al%20ice%2Fx%2A%7E%C3%A9", n)
	path, n = entity(Entity{User: Defaults(), Client: Named("c+d")})
	f(path, "/config/users/<default>/clients/c%2Bd", n)
	path, n = entity(Entity{IP: Named("::1")})
	f(path, "/config/ips/%3A%3A1", n)
	path, n = resource(Resource{TransactionalIDResource, "*", Literal})
	f(path, "/kafka-acl/TransactionalId/*", n)
	path, n = resource(Resource{GroupResource, "a/b", Literal})
	f(path, "/kafka-acl/Group/a/b", n)
	path, n = resource(Resource{TopicResource, "p-", Prefixed})
	f(path, "/kafka-acl-extended/prefixed/Topic/p-", n)

	f(GroupPath("g"), "/consumers/g", node(GroupNode, func(n *Node) { n.Group = "g" }))
	f(ConsumerIDPath("g", "g_h-1"), "/consumers/g/ids/g_h-1", node(ConsumerNode, func(n *Node) { n.Group, n.Name = "g", "g_h-1" }))
	f(OwnerPath("g", "t", 2), "/consumers/g/owners/t/2", member(OwnerNode, "t", -1, 2))
	f("/consumers/g/owners/t/3-2", "/consumers/g/owners/t/3-2", member(OwnerNode, "t", 3, 2))
	f(OffsetPath("g", "t", 2), "/consumers/g/offsets/t/2", member(OffsetNode, "t", -1, 2))
	f("/consumers/g/offsets/t/0-1", "/consumers/g/offsets/t/0-1", member(OffsetNode, "t", 0, 1))

	for prefix, kind := range sequential {
		f(prefix+"0000000042", prefix+"0000000042", node(kind, func(n *Node) { n.Seq = 42 }))
		f(prefix+"-2147483648", prefix+"-2147483648", node(kind, func(n *Node) { n.Seq = -1 << 31 }))
	}
	for path, kind := range fixed {
		f(path, path, node(kind, nil))
	}
	for _, path := range slices.Concat(PersistentPaths(), AuthorizerPaths(), TokenPaths(), SecureRoots()) {
		if ParsePath(path).Kind == Unknown {
			t.Errorf("%s is unknown", path)
		}
	}
}

func TestPathsThatAreNotKafkas(t *testing.T) {
	for _, path := range []string{
		"", "/", "/zookeeper/quota", "/brokers/ids/", "/brokers/ids/x", "/brokers/ids/-1", "/brokers/ids/01", "/brokers/ids/+1", "/brokers/ids/1/x",
		"/brokers/topics/t/x", "/brokers/topics/t/1/2", "/brokers/topics/t/partitions/x", "/brokers/topics/t/partitions/0/x",
		"/brokers/topics/t/partitions/0/state/x", "/admin/delete_topics/a/b", "/config/changes/x", "/config/cakes/x", "/config/cakes",
		"/config/changes/config_change_x", "/config/users/a/b", "/config/users/a/clients/b/c", "/kafka-acl/Cake/x", "/kafka-acl/TOPIC/x", "/kafka-acl/Topic/",
		"/kafka-acl-extended/match/Topic/x", "/delegation_token/tokens/a/b", "/consumers/g/x", "/consumers/g/ids/a/b", "/consumers/g/owners/t/x",
		"/consumers/g/owners/t/x-1", "/consumers/g/owners/t/1-x", "/consumers/g/offsets/t/1/2", "/isr_change_notification/isr_change_99999999999",
	} {
		if n := ParsePath(path); n.Kind != Unknown || n.Topic != "" || n.Group != "" {
			t.Errorf("%q parsed as %+v", path, n)
		}
	}
}

func TestSanitizeAsKafkaDoes(t *testing.T) {
	f := func(plain, sane string) {
		t.Helper()
		if got := Sanitize(plain); got != sane {
			t.Errorf("%q became %q, want %q", plain, got, sane)
		}
		if got, err := Desanitize(sane); err != nil || got != plain {
			t.Errorf("%q came back as %q, %v", sane, got, err)
		}
	}
	f("", "")
	f("aZ09.-_", "aZ09.-_")
	f("User:alice", "User%3Aalice")
	f("CN=a, O=\"b\"*+~", "CN%3Da%2C%20O%3D%22b%22%2A%2B%7E")
	f("größe\U0001F600", "gr%C3%B6%C3%9Fe%F0%9F%98%80")
	if got, err := Desanitize("a+b"); err != nil || got != "a b" {
		t.Errorf("plus: %q, %v", got, err)
	}
	if _, err := Desanitize("%4"); err == nil {
		t.Error("half an escape accepted")
	}
}

func TestResourceTypeSpellings(t *testing.T) {
	want := map[ResourceType]string{
		TopicResource: "TOPIC", GroupResource: "GROUP", ClusterResource: "CLUSTER", TransactionalIDResource: "TRANSACTIONAL_ID",
		DelegationTokenResource: "DELEGATION_TOKEN", UserResource: "USER",
	}
	for _, typ := range ResourceTypes() {
		if typ.Upper() != want[typ] {
			t.Errorf("%s in upper case is %s", typ, typ.Upper())
		}
		for _, s := range []string{string(typ), typ.Upper()} {
			if got, ok := ParseResourceType(s); !ok || got != typ {
				t.Errorf("%s read as %s", s, got)
			}
		}
	}
}

// TestPathsMadeAtStart has the lists that a 3.9.1 broker was seen to create.
func TestPathsMadeAtStart(t *testing.T) {
	f := func(got []string, want string) {
		t.Helper()
		if s := strings.Join(got, " "); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	}
	f(PersistentPaths(), "/consumers /brokers/ids /brokers/topics /config/changes /admin/delete_topics /brokers/seqid /isr_change_notification /latest_producer_id_block /log_dir_event_notification /config/topics /config/clients /config/users /config/brokers /config/ips")
	f(TokenPaths(), "/delegation_token/token_changes /delegation_token/tokens")
	var want []string
	for _, root := range []string{"/kafka-acl/", "/kafka-acl-extended/prefixed/"} {
		for _, typ := range []string{"Topic", "Group", "Cluster", "TransactionalId", "DelegationToken", "User"} {
			want = append(want, root+typ)
		}
	}
	f(AuthorizerPaths(), strings.Join(append(want, "/kafka-acl-changes", "/kafka-acl-extended-changes"), " "))
}

func TestDefaultACLs(t *testing.T) {
	creator := zk.ACL{Perms: zk.PermAll, Scheme: "auth"}
	reader := zk.ACL{Perms: zk.PermRead, Scheme: "world", ID: "anyone"}
	open := []zk.ACL{{Perms: zk.PermAll, Scheme: "world", ID: "anyone"}}
	f := func(path string, secure bool, want ...zk.ACL) {
		t.Helper()
		if got := DefaultACL(path, secure); !slices.Equal(got, want) {
			t.Errorf("%s, secure %v: %v, want %v", path, secure, got, want)
		}
	}
	f("/config/users", false, open...)
	f("/consumers", true, open...)
	f("/consumers/g", true, creator, reader)
	f("/brokers/ids/1", true, creator, reader)
	f("/a/chroot", true, creator, reader)
	f("/config/topics/t", true, creator, reader)
	f("/delegation_token", true, creator, reader)
	f("/delegation_token/token_changes", true, creator, reader)
	for _, path := range []string{"/config/users", "/config/users/u", "/config/brokers/<default>", "/delegation_token/tokens", "/delegation_token/tokens/x"} {
		f(path, true, creator)
	}
}

func TestParseConnect(t *testing.T) {
	f := func(connect, servers, chroot string) {
		t.Helper()
		s, c, err := ParseConnect(connect)
		if err != nil || strings.Join(s, " ") != servers || c != chroot {
			t.Errorf("%q: %v %q, %v", connect, s, c, err)
		}
	}
	f("h", "h:2181", "")
	f("h:", "h:2181", "")
	f("h:1,i , ,[::1]:3,[fe80::1]", "h:1 i:2181 [::1]:3 [fe80::1]:2181", "")
	f("h:1/", "h:1", "")
	f("h1:1,h2:2/sec/x", "h1:1 h2:2", "/sec/x")
	f("h:1/a,b", "h:1", "/a,b")
	for connect, want := range map[string]string{
		"": "names no server", "/a": "names no server", ",": "names no server", "h:x": "want a host and a port", "h:0": "want a host and a port",
		"h:65536": "want a host and a port", ":1": "want a host and a port", "h/a/": "chroot", "h//": "chroot", "h/a/../b": "chroot",
		"[::1": "want [address]", "[]:1": "want [address]", "[::1]1": "want :port after ]", "[::1]:": "want :port after ]",
	} {
		if _, _, err := ParseConnect(connect); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", connect, err, want)
		}
	}
}
