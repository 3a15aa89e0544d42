package znode

import (
	"reflect"
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/zk"
)

// FuzzDecode gives the same bytes to every decoder: none panics, and what one
// understands it writes in a form that it understands as the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"partitions":{"0":[2,1]},"topic_id":"5kROv--YSN6XSxOaQ91sUw","adding_replicas":{"0":[1]},"version":3}`))
	f.Add([]byte(`{"version":1,"config":{"a":"b"}}`))
	f.Add([]byte(`{"version":2,"entity_path":"users/a/clients/<default>"}`))
	all := codecs()
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, c := range all {
			v, err := c.decode("/p", data)
			if err != nil || name == "extended acl change" && v.(Resource).Pattern == Literal {
				continue // a literal pattern is written in its own format
			}
			out := c.encode(v)
			again, err := c.decode("/p", out)
			if err != nil {
				t.Fatalf("%s: %q was written as %q: %v", name, data, out, err)
			}
			switch w := v.(type) {
			case Broker:
				if !faithful(w) {
					continue
				}
			case Topic:
				w.Version = 3
				v = w
			case Controller:
				w.Version = 2
				v = w
			}
			if !reflect.DeepEqual(v, again) {
				t.Fatalf("%s: %q gave %+v, written as %q gave %+v", name, data, v, out, again)
			}
		}
	})
}

// faithful reports whether a registration can be written without loss: versions
// below 5 lack some keys, and a listener has one protocol.
func faithful(b Broker) bool {
	seen := map[string]string{}
	for _, e := range b.Endpoints {
		if p, ok := seen[e.Listener]; ok && p != e.Protocol {
			return false
		}
		seen[e.Listener] = e.Protocol
	}
	return b.Version >= 5
}

// FuzzPaths: paths and names of every sort come back from what they were made
// into.
func FuzzPaths(f *testing.F) {
	f.Add("/config/users/al%20ice/clients/<default>", "al ice/x")
	f.Add("/consumers/g/owners/t/3-2", "*")
	f.Add("/brokers/topics/t/partitions/0/state", "h1:1,[::1]:2/chroot")
	f.Fuzz(func(t *testing.T, path, name string) {
		n := ParsePath(path)
		if d := Describe(path, []byte(name)); n.Kind != Unknown && d.What == "" || d.Fault != nil && d.Facts != nil {
			t.Fatalf("%q with %q is described as %+v", path, name, d)
		}
		switch n.Kind {
		case EntityConfigNode:
			if again := ParsePath(EntityConfigPath(n.Entity)); !reflect.DeepEqual(n, again) {
				t.Fatalf("%q is %+v, then %+v", path, n, again)
			}
		case ACLNode:
			if got := n.Resource.Path(); got != path {
				t.Fatalf("%q became %q", path, got)
			}
		case StateNode:
			if got := StatePath(n.Topic, n.Partition); got != path {
				t.Fatalf("%q became %q", path, got)
			}
		}
		if got, err := Desanitize(Sanitize(name)); err != nil || got != name {
			t.Fatalf("%q came back as %q, %v", name, got, err)
		}
		if p := TokenPath("x" + Sanitize(name)); zk.ValidatePath(p) != nil {
			t.Fatalf("sanitised name makes the path %q, which is not valid", p)
		}
		servers, chroot, err := ParseConnect(name)
		if err != nil {
			return
		}
		if len(servers) == 0 || chroot != "" && zk.ValidatePath(chroot) != nil {
			t.Fatalf("%q gave %v and %q", name, servers, chroot)
		}
		again, _, err := ParseConnect(servers[0] + chroot)
		if err != nil || !slices.Equal(again, servers[:1]) {
			t.Fatalf("server %q came back as %v, %v", servers[0], again, err)
		}
	})
}

func BenchmarkDecodePartitionState(b *testing.B) {
	data := PartitionState{Leader: 1, ISR: []int32{1, 2, 3}}.Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodePartitionState("/p", data); err != nil {
			b.Fatal(err)
		}
	}
}
