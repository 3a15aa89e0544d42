//go:build interop

package old

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/znode"
)

// configs runs kafka-configs of 2.8 on ZooKeeper.
func (s *stage) configs(args ...string) []string {
	s.t.Helper()
	printed, _ := s.run("kafka-2.8.2", peer.OldTools["kafka-configs"], append([]string{"--zookeeper", s.Ensemble.Addr}, args...)...)
	return printed
}

// config is what the node of an entity holds.
func (s *stage) config(e znode.Entity) map[string]string {
	s.t.Helper()
	path := znode.EntityConfigPath(e)
	data, _, err := s.zk.Get(s.ctx, path, false)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := znode.DecodeConfig(path, data)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// TestConfigsOfAllEntities sets quotas and credentials with kafka-configs of 2.8,
// and reads them back. A broker that does not act on them goes on past their
// notifications all the same.
func TestConfigsOfAllEntities(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const topic = "configured"
	s.create(topic, 1)
	user := []string{"--entity-type", "users", "--entity-name", "al ice"}
	for _, c := range []struct {
		entity    []string
		of        znode.Entity
		add, told string
		want      map[string]string
	}{
		{user, znode.Entity{User: znode.Named("al ice")}, "producer_byte_rate=1048576,consumer_byte_rate=2097152", "user-principal 'al ice'",
			map[string]string{"producer_byte_rate": "1048576", "consumer_byte_rate": "2097152"}},
		{append(slices.Clone(user), "--entity-type", "clients", "--entity-name", "c"), znode.Entity{User: znode.Named("al ice"), Client: znode.Named("c")},
			"request_percentage=50", "user-principal 'al ice', client-id 'c'", map[string]string{"request_percentage": "50"}},
		{[]string{"--entity-type", "clients", "--entity-default"}, znode.Entity{Client: znode.Defaults()}, "producer_byte_rate=1073741824", "default client-id",
			map[string]string{"producer_byte_rate": "1073741824"}},
		{[]string{"--entity-type", "ips", "--entity-name", "10.9.8.7"}, znode.Entity{IP: znode.Named("10.9.8.7")}, "connection_creation_rate=10", "ips '10.9.8.7'",
			map[string]string{"connection_creation_rate": "10"}},
	} {
		printed := s.configs(append([]string{"--alter", "--add-config", c.add}, c.entity...)...)
		if done := fmt.Sprintf("Completed updating config for entity: %s.", c.told); !slices.Contains(printed, done) {
			t.Errorf("no %q in %q", done, printed)
		}
		if got := s.config(c.of); !maps.Equal(got, c.want) {
			t.Errorf("%s holds %v, want %v", znode.EntityConfigPath(c.of), got, c.want)
		}
		if got := s.described(c.told, c.entity...); !maps.Equal(got, c.want) {
			t.Errorf("%s is described as %v, want %v", c.told, got, c.want)
		}
	}
	s.credential(user)

	small := "1000"
	if _, err := s.admin.AlterTopicConfigs(s.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &small}}, topic); err != nil {
		t.Fatal(err)
	}
	peer.Eventually(t, patience, func() error {
		err := s.tryWrite(s.kafka, topic, 0, strings.Repeat("x", 5000))
		if !errors.Is(err, kerr.MessageTooLarge) {
			return fmt.Errorf("5,000 bytes: %v", err)
		}
		return nil
	})
}

// described is what kafka-configs says of an entity.
func (s *stage) described(told string, entity ...string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, line := range s.configs(append([]string{"--describe"}, entity...)...) {
		if _, rest, ok := strings.Cut(line, "Configs for "+told+" are "); ok {
			for kv := range strings.SplitSeq(rest, ",") {
				k, v, _ := strings.Cut(kv, "=")
				out[k] = v
			}
		}
	}
	return out
}

// credential gives a user a password beside its quotas, and takes it away.
func (s *stage) credential(user []string) {
	s.t.Helper()
	e := znode.Entity{User: znode.Named("al ice")}
	s.configs(append([]string{"--alter", "--add-config", "SCRAM-SHA-256=[iterations=4096,password=secret]"}, user...)...)
	got := s.config(e)
	stored := got["SCRAM-SHA-256"]
	if len(got) != 3 || !strings.HasPrefix(stored, "salt=") || !strings.HasSuffix(stored, ",iterations=4096") || strings.Contains(stored, "secret") {
		s.t.Errorf("%s holds %v", znode.EntityConfigPath(e), got)
	}
	s.configs(append([]string{"--alter", "--delete-config", "SCRAM-SHA-256,consumer_byte_rate"}, user...)...)
	if got, want := s.config(e), map[string]string{"producer_byte_rate": "1048576"}; !maps.Equal(got, want) {
		s.t.Errorf("%s holds %v, want %v", znode.EntityConfigPath(e), got, want)
	}
}
