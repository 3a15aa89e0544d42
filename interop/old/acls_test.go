//go:build interop

package old

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// acls runs kafka-acls, which opens an authorizer of its own on ZooKeeper.
func (s *stage) acls(library string, args ...string) []string {
	s.t.Helper()
	printed, _ := s.run(library, peer.Tools["kafka-acls"], append([]string{"--authorizer-properties", "zookeeper.connect=" + s.Ensemble.Addr}, args...)...)
	return printed
}

// granted are the ACLs that a resource's node holds.
func (s *stage) granted(r znode.Resource) []znode.ACLEntry {
	s.t.Helper()
	data, _, err := s.zk.Get(s.ctx, r.Path(), false)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := znode.DecodeACLs(r.Path(), data)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// node is what a znode holds and when it was last written.
type node struct {
	data  string
	mzxid int64
}

// tree reads nodes with all that is below them.
func (s *stage) tree(roots ...string) map[string]node {
	s.t.Helper()
	out := map[string]node{}
	for _, path := range roots {
		data, stat, err := s.zk.Get(s.ctx, path, false)
		if err != nil {
			s.t.Fatal(err)
		}
		out[path] = node{string(data), stat.Mzxid}
		children, _, err := s.zk.Children(s.ctx, path, false)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, c := range children {
			maps.Copy(out, s.tree(path+"/"+c))
		}
	}
	return out
}

// told are the entries that kafka-acls prints of its resources, by what it calls
// them.
func told(printed []string) map[string][]string {
	out := map[string][]string{}
	resource := ""
	for _, line := range printed {
		if _, rest, ok := strings.Cut(line, "Current ACLs for resource `"); ok {
			resource, _, _ = strings.Cut(rest, "`")
			out[resource] = nil
		} else if resource != "" {
			out[resource] = append(out[resource], line)
		}
	}
	for _, entries := range out {
		slices.Sort(entries)
	}
	return out
}

// asOld is how kafka-acls before 2.5 prints the ACLs of a resource.
func asOld(r znode.Resource, acls []znode.ACLEntry) (string, []string) {
	var out []string
	for _, a := range acls {
		out = append(out, fmt.Sprintf("%s has %s permission for operations: %s from hosts: %s", a.Principal, a.Permission, a.Operation, a.Host))
	}
	slices.Sort(out)
	return fmt.Sprintf("%s:%s:%s", r.Type, r.Pattern, r.Name), out
}

// asNew is how later ones print them.
func asNew(r znode.Resource, acls []znode.ACLEntry) (string, []string) {
	// IdempotentWrite is IDEMPOTENT_WRITE.
	upper := func(name string) string { return znode.ResourceType(name).Upper() }
	var out []string
	for _, a := range acls {
		out = append(out, fmt.Sprintf("(principal=%s, host=%s, operation=%s, permissionType=%s)", a.Principal, a.Host, upper(a.Operation), upper(a.Permission)))
	}
	slices.Sort(out)
	return fmt.Sprintf("ResourcePattern(resourceType=%s, name=%s, patternType=%s)", r.Type.Upper(), r.Name, r.Pattern), out
}

// TestACLs grants and denies with kafka-acls of 2.8, which writes znodes that are
// nobody's else while there is no authorizer. That of other releases reads the
// same, and a new controller and a broker that starts leave them alone.
func TestACLs(t *testing.T) {
	s := newStage(t)
	s.acls("kafka-2.8.2", "--add", "--topic", "orders", "--allow-principal", "User:alice", "--allow-host", "10.1.2.3", "--operation", "Read", "--operation", "Describe",
		"--deny-principal", "User:mallory")
	s.acls("kafka-2.8.2", "--add", "--group", "team-", "--resource-pattern-type", "prefixed", "--allow-principal", "User:CN=bob smith,O=x", "--operation", "All")
	s.acls("kafka-2.8.2", "--add", "--cluster", "--allow-principal", "User:*", "--operation", "IdempotentWrite")
	topic := znode.Resource{Type: znode.TopicResource, Name: "orders", Pattern: znode.Literal}
	group := znode.Resource{Type: znode.GroupResource, Name: "team-", Pattern: znode.Prefixed}
	cluster := znode.Resource{Type: znode.ClusterResource, Name: "kafka-cluster", Pattern: znode.Literal}
	granted := map[znode.Resource][]znode.ACLEntry{
		topic: {
			{Principal: "User:alice", Permission: "Allow", Host: "10.1.2.3", Operation: "Describe"},
			{Principal: "User:alice", Permission: "Allow", Host: "10.1.2.3", Operation: "Read"},
			{Principal: "User:mallory", Permission: "Deny", Host: "*", Operation: "Describe"},
			{Principal: "User:mallory", Permission: "Deny", Host: "*", Operation: "Read"},
		},
		group:   {{Principal: "User:CN=bob smith,O=x", Permission: "Allow", Host: "*", Operation: "All"}},
		cluster: {{Principal: "User:*", Permission: "Allow", Host: "*", Operation: "IdempotentWrite"}},
	}
	for r, want := range granted {
		if got := s.granted(r); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", r.Path(), got, want)
		}
	}

	roots := []string{znode.ACLPath, znode.ExtendedACLPath, znode.ACLChangesPath, znode.ExtendedACLChangesPath}
	before := s.tree(roots...)
	controller := s.controller()
	controller.Stop(t)
	controller.Start(s.scope)
	if after := s.tree(roots...); !maps.Equal(before, after) {
		t.Errorf("a controller's end has changed\n%v into\n%v", before, after)
	}

	for library, form := range map[string]func(znode.Resource, []znode.ACLEntry) (string, []string){"kafka-2.1.1": asOld, "kafka-2.8.2": asNew, "kafka-3.9.1": asNew} {
		want := map[string][]string{}
		for r, acls := range granted {
			name, entries := form(r, acls)
			want[name] = entries
		}
		if got := told(s.acls(library, "--list")); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s lists %v, want %v", library, got, want)
		}
	}

	s.acls("kafka-2.8.2", "--remove", "--force", "--topic", "orders", "--deny-principal", "User:mallory", "--operation", "Read", "--operation", "Describe")
	if got := s.granted(topic); len(got) != 2 || got[0].Principal != "User:alice" || got[1].Principal != "User:alice" {
		t.Errorf("after the removal of a principal: %v", got)
	}
	s.acls("kafka-3.9.1", "--remove", "--force", "--topic", "orders")
	s.acls("kafka-2.1.1", "--remove", "--force", "--cluster")
	s.acls("kafka-2.8.2", "--remove", "--force", "--group", "team-", "--resource-pattern-type", "prefixed")
	for _, r := range []znode.Resource{topic, group, cluster} {
		if _, err := s.zk.Exists(s.ctx, r.Path(), false); !errors.Is(err, zk.ErrNoNode) {
			t.Errorf("%s is still there: %v", r.Path(), err)
		}
	}
}

// controller is the broker that the controller's node names.
func (s *stage) controller() *peer.Broker {
	s.t.Helper()
	data, _, err := s.zk.Get(s.ctx, znode.ControllerPath, false)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := znode.DecodeController(znode.ControllerPath, data)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.Brokers[n.BrokerID]
}
