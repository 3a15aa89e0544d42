//go:build interop

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/znode"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestOldTools uses tools of old releases that ask no broker but write to
// ZooKeeper, whose watches tell the controller.
func TestOldTools(t *testing.T) {
	t.Parallel()
	c := clients(t, peer.StartCluster(t, peer.ClusterOptions{Brokers: []peer.Kind{gregor, gregor, gregor}, Keeper: gregor}))
	for _, r := range oldReleases {
		t.Run(r.version, func(t *testing.T) {
			o := &oldTools{c, r}
			topic := "old-" + strings.ReplaceAll(r.version, ".", "-")
			o.topics(t, topic)
			o.reassign(t, topic)
			o.elect(t, topic)
			o.configs(t, topic)
			o.throttles(t, topic)
			o.expand(t, topic)
			o.remove(t, topic)
		})
	}
}

// oldRelease is a release and the words of its kafka-reassign-partitions: that a
// move began, that one is done, and that throttles are gone.
type oldRelease struct{ version, started, complete, unthrottled string }

var oldReleases = []oldRelease{
	{"2.1.1", "Successfully started reassignment of partitions", "completed successfully", "Throttle was removed."},
	{"2.4.1", "Successfully started reassignment of partitions", "completed successfully", "Throttle was removed."},
	{"2.8.2", "Successfully started partition reassignment", "is complete.", "Clearing broker-level throttles on brokers"},
}

// oldTools are the tools of one release on a cluster.
type oldTools struct {
	*cluster
	oldRelease
}

func (o *oldTools) run(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, errs, exit := peer.OldTool(t, o.version, script, append([]string{"--zookeeper", o.Ensemble.Addr}, args...)...)
	if exit != 0 {
		t.Fatalf("%s %s: exit %d\n%s\n%s", script, strings.Join(args, " "), exit, out, errs)
	}
	return out
}

// topics creates a topic; the controller gives it an id and leaders.
func (o *oldTools) topics(t *testing.T, topic string) {
	contains(t, o.run(t, "kafka-topics", "--create", "--topic", topic, "--replica-assignment", "0:1,1:2,2:0", "--config", "retention.ms=3600000"), "Created topic")
	o.knownTo(t, topic, [][]int32{{0, 1}, {1, 2}, {2, 0}}, o.Brokers...)
	o.inSync(t, topic)
	if id := o.mustTopic(t, topic).ID; id == (wire.UUID{}) {
		t.Error("the topic has no id")
	}
	for p := range int32(3) {
		part := check.Partition{Topic: topic, Index: p}
		peer.Eventually(t, patience, func() error { return put(o.Brokers[p], part, -1, []byte("one")) })
	}
	contains(t, o.run(t, "kafka-topics", "--describe", "--topic", topic), "retention.ms=3600000", "Leader: 1\tReplicas: 1,2")
	contains(t, o.run(t, "kafka-topics", "--list"), topic)
}

// reassign moves replicas through /admin/reassign_partitions.
func (o *oldTools) reassign(t *testing.T, topic string) {
	id := o.mustTopic(t, topic).ID
	moves := []move{{Topic: topic, Partition: 0, Replicas: []int32{1, 2}}, {Topic: topic, Partition: 1, Replicas: []int32{2, 1, 0}}}
	planFile := plan(t, moves...)
	contains(t, o.run(t, "kafka-reassign-partitions", "--execute", "--reassignment-json-file", planFile), o.started)
	o.gone(t, znode.ReassignPath)
	o.assigned(t, topic, map[int32][]int32{0: {1, 2}, 1: {2, 1, 0}, 2: {2, 0}})
	out := o.run(t, "kafka-reassign-partitions", "--verify", "--reassignment-json-file", planFile)
	contains(t, out, fmt.Sprintf("Reassignment of partition %s-0 %s", topic, o.complete), fmt.Sprintf("Reassignment of partition %s-1 %s", topic, o.complete))
	if now := o.mustTopic(t, topic).ID; now != id {
		t.Errorf("the id was %v, now %v", id, now)
	}
	for p, log := range o.allSame(t, topic) {
		if len(log) != 1 || string(log[0].Value) != "one" {
			t.Errorf("%s-%d holds %v", topic, p, log)
		}
	}
}

// elect asks for preferred leaders through /admin/preferred_replica_election.
func (o *oldTools) elect(t *testing.T, topic string) {
	if st := o.mustStates(t, topic)[1]; st.Leader != 1 {
		t.Errorf("%+v: the leader did not have to change", st)
	}
	planFile := file(t, map[string]any{"partitions": []map[string]any{{"topic": topic, "partition": 1}, {"topic": topic, "partition": 2}}})
	out := o.run(t, "kafka-preferred-replica-election", "--path-to-json-file", planFile)
	if !strings.Contains(out, "uccessfully") {
		t.Error(out)
	}
	o.gone(t, znode.PreferredElectionPath)
	peer.Eventually(t, patience, func() error {
		st, err := o.state(topic, 1)
		if err == nil && st.Leader != 2 {
			err = fmt.Errorf("%s-1: leader %d, preferred 2", topic, st.Leader)
		}
		return err
	})
}

// configs sets a config and its notification; brokers obey.
func (o *oldTools) configs(t *testing.T, topic string) {
	p := check.Partition{Topic: topic, Index: 2}
	o.run(t, "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "max.message.bytes=1000")
	accepted := 0
	peer.Eventually(t, patience, func() error {
		err := put(o.Brokers[2], p, -1, make([]byte, 5000))
		if err == nil {
			accepted++
		}
		if !errors.Is(err, wire.CodeMessageTooLarge) {
			return fmt.Errorf("5,000 bytes: %v", err)
		}
		return nil
	})
	contains(t, o.run(t, "kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", topic), "max.message.bytes=1000", "retention.ms=3600000")
	if log := o.sameReplicas(t, p); len(log) != 1+accepted {
		t.Errorf("%s holds %d records, want %d", p, len(log), 1+accepted)
	}
}

// throttles lets a reassignment set throttles, in the configs of the topic and
// of the brokers, and remove them when it is done.
func (o *oldTools) throttles(t *testing.T, topic string) {
	p := move{Topic: topic, Partition: 0, Replicas: []int32{1, 0}}
	planFile := plan(t, p)
	contains(t, o.run(t, "kafka-reassign-partitions", "--execute", "--reassignment-json-file", planFile, "--throttle", "100000000"), o.started)
	o.gone(t, znode.ReassignPath)
	o.throttleKnown(t, topic, true)
	contains(t, o.run(t, "kafka-reassign-partitions", "--verify", "--reassignment-json-file", planFile),
		fmt.Sprintf("Reassignment of partition %s-0 %s", topic, o.complete), o.unthrottled)
	o.throttleKnown(t, topic, false)
	o.assigned(t, topic, map[int32][]int32{0: {1, 0}})
}

// throttleKnown waits until the brokers say that throttles are set, or none is.
func (o *oldTools) throttleKnown(t *testing.T, topic string, want bool) {
	t.Helper()
	peer.Eventually(t, patience, func() error {
		got := o.overrides(t, o.Brokers[0], kmsg.ConfigResourceTypeTopic, topic)["leader.replication.throttled.replicas"]
		for _, b := range o.Brokers[:2] {
			rate := o.overrides(t, b, kmsg.ConfigResourceTypeBroker, fmt.Sprint(b.ID))["leader.replication.throttled.rate"]
			if want != (rate == "100000000") || want != (got != "") {
				return fmt.Errorf("throttled replicas %q, rate %q of broker %d, want throttles: %v", got, rate, b.ID, want)
			}
		}
		return nil
	})
}

// expand adds a partition, in a node without an id.
func (o *oldTools) expand(t *testing.T, topic string) {
	const grows = "-grows"
	o.run(t, "kafka-topics", "--create", "--topic", topic+grows, "--replica-assignment", "0:1")
	o.inSync(t, topic+grows)
	o.run(t, "kafka-topics", "--alter", "--topic", topic+grows, "--partitions", "2", "--replica-assignment", "0:1,2:1")
	o.knownTo(t, topic+grows, [][]int32{{0, 1}, {2, 1}}, o.Brokers...)
	o.inSync(t, topic+grows)
	for p, leader := range []int32{0, 2} {
		part := check.Partition{Topic: topic + grows, Index: int32(p)}
		peer.Eventually(t, patience, func() error { return put(o.Brokers[leader], part, -1, []byte("grown")) })
		if log := o.sameReplicas(t, part); len(log) != 1 {
			t.Errorf("%s holds %v", part, log)
		}
	}
}

// remove deletes through /admin/delete_topics.
func (o *oldTools) remove(t *testing.T, topic string) {
	for _, name := range []string{topic, topic + "-grows"} {
		contains(t, o.run(t, "kafka-topics", "--delete", "--topic", name), "is marked for deletion")
		o.deleted(t, name, 3)
	}
	if out := o.run(t, "kafka-topics", "--list"); slices.Contains(lines(out), topic) {
		t.Error(out)
	}
}
