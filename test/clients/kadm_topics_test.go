package clients

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAdminCluster(t *testing.T) {
	t.Parallel()
	ctx, adm := within(t), admin(t)
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "length of the cluster id", len(md.Cluster), 22)
	equal(t, "controller", md.Controller, 0)
	equal(t, "brokers", len(md.Brokers), 1)
	equal(t, "broker", md.Brokers[0].NodeID, 0)
	equal(t, "host", md.Brokers[0].Host, "127.0.0.1")

	versions, err := adm.ApiVersions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	v := versions[0]
	for key, want := range map[kmsg.Key][2]int16{
		kmsg.Produce: {0, 11}, kmsg.Fetch: {0, 17}, kmsg.ListOffsets: {0, 9}, kmsg.Metadata: {0, 12}, kmsg.CreateTopics: {0, 7},
		kmsg.JoinGroup: {0, 9}, kmsg.OffsetCommit: {0, 9}, kmsg.OffsetFetch: {0, 9}, kmsg.FindCoordinator: {0, 6}, kmsg.ApiVersions: {0, 4},
	} {
		lo, hi, _ := v.KeyVersions(int16(key))
		equal(t, "versions of "+key.Name(), fmt.Sprint(lo, hi), fmt.Sprint(want[0], want[1]))
	}
}

func TestAdminCreateTopics(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), name(t)
	dry, err := adm.ValidateCreateTopics(ctx, 3, 1, nil, topic)
	if err == nil {
		err = dry.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	if ts, _ := adm.ListTopics(ctx, topic); ts.Has(topic) {
		t.Fatal("a validated topic was made")
	}
	made, err := adm.CreateTopics(ctx, 3, -1, pairs([]string{"retention.ms", "12345"}), topic)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "partitions in the response", made[topic].NumPartitions, 3)
	equal(t, "replication factor in the response", made[topic].ReplicationFactor, 1)
	config := made[topic].Configs["retention.ms"]
	equal(t, "setting in the response", config.MaybeValue(), "12345")

	ts, err := admin(t).ListTopics(ctx, topic) // the other client remembers for a moment that there was none
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "topic id", ts[topic].ID, made[topic].ID)
	equal(t, "partitions", ts[topic].Partitions.Numbers(), "[0 1 2]")
	for _, p := range ts[topic].Partitions {
		equal(t, "placement", fmt.Sprint(p.Leader, p.LeaderEpoch, p.Replicas, p.ISR, p.OfflineReplicas), "0 0 [0] [0] []")
	}

	for _, c := range []struct {
		what       string
		partitions int32
		rf         int16
		config     []string
		topic      string
		want       *kerr.Error
	}{
		{"exists", 1, 1, nil, topic, kerr.TopicAlreadyExists},
		{"too many replicas", 1, 2, nil, topic + ".r", kerr.InvalidReplicationFactor},
		{"no replica", 1, 0, nil, topic + ".r", kerr.InvalidReplicationFactor},
		{"no partition", 0, 1, nil, topic + ".p", kerr.InvalidPartitions},
		{"unknown setting", 1, 1, []string{"no.such", "1"}, topic + ".c", kerr.InvalidConfig},
		{"bad value", 1, 1, []string{"retention.ms", "soon"}, topic + ".c", kerr.InvalidConfig},
		{"bad character", 1, 1, nil, "a/b", kerr.InvalidTopicException},
		{"too long", 1, 1, nil, strings.Repeat("x", 250), kerr.InvalidTopicException},
		{"dots only", 1, 1, nil, "..", kerr.InvalidTopicException},
		{"clash of . and _", 1, 1, nil, strings.Replace(topic, "-", "_", 1), nil},
	} {
		rs, err := adm.CreateTopics(ctx, c.partitions, c.rf, pairs(c.config), c.topic)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == nil {
			equal(t, c.what, rs[c.topic].Err, nil)
			continue
		}
		code(t, c.what, rs[c.topic].Err, c.want)
		equal(t, "a reason is given: "+c.what, cmp.Or(rs[c.topic].ErrMessage, "none") != "none", true)
	}
}

func TestAdminAssignment(t *testing.T) {
	t.Parallel()
	ctx, cl, topic := within(t), client(t), name(t)
	create := func(topic string, replicas ...[]int32) error {
		req := kmsg.NewPtrCreateTopicsRequest()
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, -1, -1
		for i, r := range replicas {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Partition, a.Replicas = int32(i), r
			rt.ReplicaAssignment = append(rt.ReplicaAssignment, a)
		}
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	equal(t, "assigned by hand", create(topic, []int32{0}, []int32{0}), nil)
	ts, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "partitions", len(ts[topic].Partitions), 2)
	code(t, "the same replica twice", create(topic+"x", []int32{0, 0}), kerr.InvalidReplicaAssignment)
	code(t, "different factors", create(topic+"x", []int32{0}, []int32{}), kerr.InvalidReplicaAssignment)
}

func TestAdminDeleteTopics(t *testing.T) {
	t.Parallel()
	ctx, adm := within(t), admin(t)
	byName, byID := topic(t, 2), topic(t, 2)
	fill(t, byName, 2, 10)
	ts, err := adm.ListTopics(ctx, byID)
	if err != nil {
		t.Fatal(err)
	}
	deleteTopic(t, adm, byName)
	req := kmsg.NewPtrDeleteTopicsRequest()
	for _, id := range []kadm.TopicID{ts[byID].ID, {1, 2, 3}} {
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.TopicID = id
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, client(t))
	if err != nil {
		t.Fatal(err)
	}
	got := map[kadm.TopicID]int16{}
	for _, r := range resp.Topics {
		got[r.TopicID] = r.ErrorCode
	}
	equal(t, "answers by id", got, map[kadm.TopicID]int16{ts[byID].ID: 0, {1, 2, 3}: kerr.UnknownTopicID.Code})
	eventually(t, "the topic is gone", func() error {
		ts, err := adm.ListTopics(ctx)
		if err == nil && (ts.Has(byID) || ts.Has(byName)) {
			err = fmt.Errorf("topics: %v", ts.Names())
		}
		return err
	})
	rs, err := adm.DeleteTopics(ctx, byName)
	if err != nil {
		t.Fatal(err)
	}
	code(t, "deleted twice", rs[byName].Err, kerr.UnknownTopicOrPartition)
}

func TestAdminExpand(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), topic(t, 2)
	before := fill(t, topic, 2, 4)
	for _, c := range []struct {
		what string
		set  int
		want *kerr.Error
	}{{"fewer", 1, kerr.InvalidPartitions}, {"as many", 2, kerr.InvalidPartitions}} {
		rs, err := adm.UpdatePartitions(ctx, c.set, topic)
		if err != nil {
			t.Fatal(err)
		}
		code(t, c.what, rs[topic].Err, c.want)
	}
	dry, err := adm.ValidateUpdatePartitions(ctx, 5, topic)
	if err == nil {
		err = dry.Error()
	}
	equal(t, "validated", err, nil)
	rs, err := adm.UpdatePartitions(ctx, 5, topic)
	if err == nil {
		err = rs.Error()
	}
	equal(t, "expanded", err, nil)
	eventually(t, "five partitions have a leader", func() error {
		ts, err := adm.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		ps := ts[topic].Partitions
		if len(ps) != 5 || slices.ContainsFunc(slices.Collect(maps.Values(ps)), func(p kadm.PartitionDetail) bool { return p.Leader != 0 || p.Err != nil }) {
			return fmt.Errorf("partitions: %v", ps)
		}
		return nil
	})
	cl := client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	after := produce(t, cl, &kgo.Record{Topic: topic, Partition: 4, Value: []byte("new")})
	equal(t, "records", places(readAll(t, topic, 5)), places(sorted(append(before, after...))))
}

// config looks one setting of a topic up as "value source".
func config(t *testing.T, adm *kadm.Client, topic, key string) string {
	t.Helper()
	rs, err := adm.DescribeTopicConfigs(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rs.On(topic, nil)
	if err == nil {
		err = r.Err
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Configs {
		if c.Key == key {
			return c.MaybeValue() + " " + c.Source.String()
		}
	}
	t.Fatalf("topic %s has no setting %s", topic, key)
	return ""
}

func TestAdminTopicConfigs(t *testing.T) {
	t.Parallel()
	ctx, adm, topic := within(t), admin(t), topic(t, 1, "retention.ms", "60000")
	equal(t, "set at creation", config(t, adm, topic, "retention.ms"), "60000 DYNAMIC_TOPIC_CONFIG")
	equal(t, "default", config(t, adm, topic, "cleanup.policy"), "delete DEFAULT_CONFIG")
	alter := func(op kadm.IncrementalOp, key string, value string) error {
		t.Helper()
		rs, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: key, Value: &value}}, topic)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rs.On(topic, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.Err
	}
	is := func(key, want string) {
		t.Helper()
		eventually(t, key+" is "+want, func() error {
			if got := config(t, adm, topic, key); got != want {
				return fmt.Errorf("got %s", got)
			}
			return nil
		})
	}
	equal(t, "append", alter(kadm.AppendConfig, "cleanup.policy", "compact"), nil)
	is("cleanup.policy", "delete,compact DYNAMIC_TOPIC_CONFIG")
	equal(t, "subtract", alter(kadm.SubtractConfig, "cleanup.policy", "delete"), nil)
	is("cleanup.policy", "compact DYNAMIC_TOPIC_CONFIG")
	equal(t, "set", alter(kadm.SetConfig, "max.message.bytes", "1000"), nil)
	is("max.message.bytes", "1000 DYNAMIC_TOPIC_CONFIG")
	equal(t, "delete", alter(kadm.DeleteConfig, "retention.ms", ""), nil)
	is("retention.ms", "604800000 DEFAULT_CONFIG")
	code(t, "bad value", alter(kadm.SetConfig, "retention.ms", "soon"), kerr.InvalidConfig)
	code(t, "unknown setting", alter(kadm.SetConfig, "no.such", "1"), kerr.InvalidConfig)
	code(t, "append to a number", alter(kadm.AppendConfig, "retention.ms", "1"), kerr.InvalidConfig)

	// AlterConfigs replaces all that was set.
	size := "2097152"
	rs, err := adm.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "segment.bytes", Value: &size}}, topic)
	if err != nil || rs[0].Err != nil {
		t.Fatal(err, rs)
	}
	is("segment.bytes", "2097152 DYNAMIC_TOPIC_CONFIG")
	is("cleanup.policy", "delete DEFAULT_CONFIG")

	unknown, err := adm.DescribeTopicConfigs(ctx, topic+"-none")
	if err != nil {
		t.Fatal(err)
	}
	code(t, "unknown topic", unknown[0].Err, kerr.UnknownTopicOrPartition)
}

func TestAdminBrokerConfigs(t *testing.T) {
	t.Parallel()
	ctx, adm := within(t), admin(t)
	get := func(brokers ...int32) map[string]string {
		t.Helper()
		rs, err := adm.DescribeBrokerConfigs(ctx, brokers...)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, c := range rs[0].Configs {
			out[c.Key] = c.MaybeValue() + " " + c.Source.String()
		}
		return out
	}
	equal(t, "from the file", get(0)["broker.id"], "0 STATIC_BROKER_CONFIG")
	equal(t, "default", get(0)["num.network.threads"], "3 DEFAULT_CONFIG")
	set := func(op kadm.IncrementalOp, key, value string, brokers ...int32) error {
		t.Helper()
		rs, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: key, Value: &value}}, brokers...)
		if err != nil {
			t.Fatal(err)
		}
		return rs[0].Err
	}
	t.Cleanup(func() { // all tests share this broker
		_, _ = adm.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.DeleteConfig, Name: "log.cleaner.backoff.ms"}}, 0)
	})
	is := func(key, want string) {
		t.Helper()
		eventually(t, key+" is "+want, func() error {
			if got := get(0)[key]; got != want {
				return fmt.Errorf("got %q", got)
			}
			return nil
		})
	}
	equal(t, "for all brokers", set(kadm.SetConfig, "log.cleaner.backoff.ms", "14000"), nil)
	is("log.cleaner.backoff.ms", "14000 DYNAMIC_DEFAULT_BROKER_CONFIG")
	equal(t, "default of the cluster", get()["log.cleaner.backoff.ms"], "14000 DYNAMIC_DEFAULT_BROKER_CONFIG")
	equal(t, "for one broker", set(kadm.SetConfig, "log.cleaner.backoff.ms", "13000", 0), nil)
	is("log.cleaner.backoff.ms", "13000 DYNAMIC_BROKER_CONFIG")
	equal(t, "back to the cluster's", set(kadm.DeleteConfig, "log.cleaner.backoff.ms", "", 0), nil)
	is("log.cleaner.backoff.ms", "14000 DYNAMIC_DEFAULT_BROKER_CONFIG")
	equal(t, "back to the default", set(kadm.DeleteConfig, "log.cleaner.backoff.ms", ""), nil)
	is("log.cleaner.backoff.ms", "15000 DEFAULT_CONFIG")
	code(t, "one that cannot change", set(kadm.SetConfig, "broker.id", "9", 0), kerr.InvalidRequest)
}
