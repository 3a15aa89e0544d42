package clients

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/gregor-mq/gregor/test/gregor"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// open lets everybody do everything, as Kafka's own nodes do without security.
var open = zk.WorldACL(zk.PermAll)

func zookeeper(t *testing.T) *zk.Conn {
	t.Helper()
	return zookeeperOf(t, gregor.Shared(t).ZooKeeper)
}

func zookeeperOf(t *testing.T, server string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{server}, 10*time.Second, zk.WithLogger(log.New(io.Discard, "", 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// get reads a znode, whose content must match a regular expression as a whole.
func get(t *testing.T, conn *zk.Conn, path, pattern string) ([]string, *zk.Stat) {
	t.Helper()
	data, stat, err := conn.Get(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	m := regexp.MustCompile(`^(?:` + pattern + `)$`).FindSubmatch(data)
	if m == nil {
		t.Fatalf("%s holds\n     %s\nwant %s", path, data, pattern)
	}
	var groups []string
	for _, g := range m {
		groups = append(groups, string(g))
	}
	return groups, stat
}

// gone waits until a znode does not exist.
func gone(t *testing.T, conn *zk.Conn, path string) {
	t.Helper()
	eventually(t, path+" is gone", func() error {
		ok, _, err := conn.Exists(path)
		if err == nil && ok {
			err = errors.New("it exists")
		}
		return err
	})
}

// The znodes of a running broker, as tools read them.
func TestZnodesOfBroker(t *testing.T) {
	t.Parallel()
	conn := zookeeper(t)
	host, port, _ := strings.Cut(gregor.Shared(t).Kafka, ":")
	_, stat := get(t, conn, "/brokers/ids/0", fmt.Sprintf(`\{"features":\{\},"listener_security_protocol_map":\{"PLAINTEXT":"PLAINTEXT"\},`+
		`"endpoints":\["PLAINTEXT://%[1]s:%[2]s"\],"jmx_port":-1,"port":%[2]s,"host":"%[1]s","version":5,"timestamp":"\d{13}"\}`, regexp.QuoteMeta(host), port))
	if stat.EphemeralOwner == 0 {
		t.Fatal("/brokers/ids/0 is not ephemeral")
	}
	_, controller := get(t, conn, "/controller", `\{"version":2,"brokerid":0,"timestamp":"\d{13}","kraftControllerEpoch":-1\}`)
	equal(t, "owner of /controller", controller.EphemeralOwner, stat.EphemeralOwner)
	get(t, conn, "/controller_epoch", `\d+`)
	get(t, conn, "/feature", `\{"features":\{\},"version":2,"status":1\}`)
	id, _ := get(t, conn, "/cluster/id", `\{"version":"1","id":"([\w-]{22})"\}`)
	md, err := admin(t).BrokerMetadata(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "cluster id", md.Cluster, id[1])
	for _, path := range []string{
		"/consumers", "/brokers/ids", "/brokers/topics", "/brokers/seqid", "/config/changes", "/config/topics", "/config/clients", "/config/users",
		"/config/brokers", "/config/ips", "/admin/delete_topics", "/isr_change_notification", "/latest_producer_id_block", "/log_dir_event_notification",
	} {
		if ok, _, err := conn.Exists(path); err != nil || !ok {
			t.Errorf("%s: exists %v, error %v", path, ok, err)
		}
	}
	ids, _, err := conn.Children("/brokers/ids")
	equal(t, "brokers", fmt.Sprint(ids, err), "[0] <nil>")
}

// What is done through Kafka's protocol appears in ZooKeeper.
func TestZnodesFollowKafka(t *testing.T) {
	t.Parallel()
	conn, adm, topic := zookeeper(t), admin(t), name(t)
	_, _, watch, err := conn.ChildrenW("/brokers/topics")
	if err != nil {
		t.Fatal(err)
	}
	createTopic(t, adm, topic, 2, "retention.ms", "60000")
	select {
	case e := <-watch:
		equal(t, "watch", fmt.Sprint(e.Type, " ", e.Path), fmt.Sprint(zk.EventNodeChildrenChanged, " /brokers/topics"))
	case <-within(t).Done():
		t.Fatal("the watch on /brokers/topics did not fire")
	}
	node, _ := get(t, conn, "/brokers/topics/"+topic, `\{"partitions":(\{.*?\}),"topic_id":"([\w-]{22})","adding_replicas":\{\},"removing_replicas":\{\},"version":3\}`)
	var replicas map[string][]int
	if err := json.Unmarshal([]byte(node[1]), &replicas); err != nil {
		t.Fatal(err)
	}
	equal(t, "assignment", replicas, map[string][]int{"0": {0}, "1": {0}})
	ts, err := adm.ListTopics(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	id := ts[topic].ID
	equal(t, "topic id", base64.RawURLEncoding.EncodeToString(id[:]), node[2])
	for p := range 2 {
		get(t, conn, fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", topic, p), `\{"controller_epoch":\d+,"leader":0,"version":1,"leader_epoch":0,"isr":\[0\]\}`)
	}
	get(t, conn, "/config/topics/"+topic, `\{"version":1,"config":\{"retention.ms":"60000"\}\}`)

	changes, _, err := conn.Children("/config/changes")
	if err != nil {
		t.Fatal(err)
	}
	value := "1000"
	rs, err := adm.AlterTopicConfigs(within(t), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, topic)
	if err != nil || rs[0].Err != nil {
		t.Fatal(err, rs)
	}
	config, _ := get(t, conn, "/config/topics/"+topic, `\{"version":1,"config":(\{.*\})\}`)
	var settings map[string]string
	if err := json.Unmarshal([]byte(config[1]), &settings); err != nil {
		t.Fatal(err)
	}
	equal(t, "settings", settings, map[string]string{"retention.ms": "60000", "max.message.bytes": "1000"})
	now, _, err := conn.Children("/config/changes")
	if err != nil {
		t.Fatal(err)
	}
	told := slices.ContainsFunc(now, func(n string) bool {
		if slices.Contains(changes, n) {
			return false
		}
		data, _, _ := conn.Get("/config/changes/" + n) // other tests' notifications may be purged meanwhile
		return string(data) == `{"version":2,"entity_path":"topics/`+topic+`"}`
	})
	equal(t, "a change notification was written", told, true)

	if _, err := adm.UpdatePartitions(within(t), 3, topic); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the third partition has a state", func() error {
		_, _, err := conn.Get("/brokers/topics/" + topic + "/partitions/2/state")
		return err
	})
	deleteTopic(t, adm, topic)
	gone(t, conn, "/admin/delete_topics/"+topic)
	gone(t, conn, "/brokers/topics/"+topic)
	gone(t, conn, "/config/topics/"+topic)
}

// Old tools make, grow and delete topics by writing znodes.
func TestTopicsByZnodes(t *testing.T) {
	t.Parallel()
	conn, topic := zookeeper(t), name(t)
	create := func(path, data string) {
		t.Helper()
		if _, err := conn.Create(path, []byte(data), 0, open); err != nil {
			t.Fatalf("create %s: %v", path, err)
		}
	}
	usable := func(partitions int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d partitions have a leader", partitions), func() error {
			ts, err := admin(t).ListTopics(t.Context(), topic)
			if err != nil {
				return err
			}
			ps := ts[topic].Partitions.Sorted()
			if len(ps) != partitions || slices.ContainsFunc(ps, func(p kadm.PartitionDetail) bool { return p.Leader != 0 || p.Err != nil }) {
				return fmt.Errorf("partitions are %v", ps)
			}
			return nil
		})
	}
	create("/config/topics/"+topic, `{"version":1,"config":{"max.message.bytes":"2000"}}`)
	create("/brokers/topics/"+topic, `{"version":1,"partitions":{"0":[0],"1":[0]}}`)
	usable(2)
	sent := fill(t, topic, 2, 6)
	equal(t, "records", places(readAll(t, topic, 6)), places(sorted(sent)))
	get(t, conn, "/brokers/topics/"+topic, `\{"partitions":\{.*\},"topic_id":"[\w-]{22}","adding_replicas":\{\},"removing_replicas":\{\},"version":3\}`)
	big := &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("x", 3000))}
	code(t, "the setting is in force", client(t, kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression())).ProduceSync(within(t), big).FirstErr(), kerr.MessageTooLarge)

	data, stat, err := conn.Get("/brokers/topics/" + topic)
	if err != nil {
		t.Fatal(err)
	}
	var node map[string]any
	if err := json.Unmarshal(data, &node); err != nil {
		t.Fatal(err)
	}
	node["partitions"].(map[string]any)["2"] = []int{0}
	if data, err = json.Marshal(node); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Set("/brokers/topics/"+topic, data, stat.Version); err != nil {
		t.Fatal(err)
	}
	usable(3)
	more := produce(t, client(t, kgo.RecordPartitioner(kgo.ManualPartitioner())), &kgo.Record{Topic: topic, Partition: 2, Value: []byte("grown")})
	equal(t, "records of three partitions", places(readAll(t, topic, 7)), places(sorted(append(sent, more...))))

	create("/admin/delete_topics/"+topic, "")
	gone(t, conn, "/admin/delete_topics/"+topic)
	gone(t, conn, "/brokers/topics/"+topic)
	gone(t, conn, "/config/topics/"+topic)
	ts, err := admin(t).ListTopics(within(t))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the topic is listed", ts.Has(topic), false)
}

// Old tools change settings with a znode and a notification.
func TestConfigByZnodes(t *testing.T) {
	t.Parallel()
	conn, adm, topic := zookeeper(t), admin(t), topic(t, 1)
	set := func(config, entity string) {
		t.Helper()
		if _, err := conn.Set("/config/topics/"+topic, []byte(config), -1); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Create("/config/changes/config_change_", []byte(entity), zk.FlagSequence, open); err != nil {
			t.Fatal(err)
		}
	}
	big := func() error {
		cl := client(t, kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
		defer cl.Close()
		return cl.ProduceSync(within(t), &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("x", 3000))}).FirstErr()
	}
	equal(t, "before", big(), nil)
	set(`{"version":1,"config":{"max.message.bytes":"2000","retention.ms":"77000"}}`, `{"version":2,"entity_path":"topics/`+topic+`"}`)
	eventually(t, "the setting is in force", func() error {
		if err := big(); codeOf(err) != kerr.MessageTooLarge.Code {
			return fmt.Errorf("produce: %v", err)
		}
		return nil
	})
	equal(t, "described", config(t, adm, topic, "retention.ms"), "77000 DYNAMIC_TOPIC_CONFIG")
	// The format of notifications before 0.10.
	set(`{"version":1,"config":{}}`, `{"version":1,"entity_type":"topics","entity_name":"`+topic+`"}`)
	eventually(t, "the setting is gone", big)
	equal(t, "described in the end", config(t, adm, topic, "retention.ms"), "604800000 DEFAULT_CONFIG")
}

// Notifications that make no sense disturb nobody.
func TestConfigNotificationsOfNoSense(t *testing.T) {
	t.Parallel()
	conn, adm, topic := zookeeper(t), admin(t), topic(t, 1)
	for _, junk := range []string{``, `{`, `{"version":9}`, `{"version":2,"entity_path":"nowhere/x"}`, `{"version":2,"entity_path":"topics/no-such-topic"}`} {
		if _, err := conn.Create("/config/changes/config_change_", []byte(junk), zk.FlagSequence, open); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Set("/config/topics/"+topic, []byte(`{"version":1,"config":{"retention.ms":"5000"}}`), -1); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Create("/config/changes/config_change_", []byte(`{"version":2,"entity_path":"topics/`+topic+`"}`), zk.FlagSequence, open); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the one that makes sense works", func() error {
		if got := config(t, adm, topic, "retention.ms"); got != "5000 DYNAMIC_TOPIC_CONFIG" {
			return fmt.Errorf("retention.ms is %s", got)
		}
		return nil
	})
}

// The embedded keeper serves programs that use ZooKeeper for themselves.
func TestKeeperServesOthers(t *testing.T) {
	t.Parallel()
	conn, root := zookeeper(t), "/"+name(t)
	if _, err := conn.Create(root, []byte("root"), 0, open); err != nil {
		t.Fatal(err)
	}
	var names []string
	for range 3 {
		path, err := conn.Create(root+"/n-", nil, zk.FlagSequence, open)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(path, root))
	}
	equal(t, "sequential nodes", names, "[/n-0000000000 /n-0000000001 /n-0000000002]")

	data, stat, watch, err := conn.GetW(root)
	equal(t, "data", fmt.Sprintf("%s %d %v", data, stat.Version, err), "root 0 <nil>")
	other := zookeeper(t)
	if _, err := other.Set(root, []byte("changed"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Set(root, []byte("again"), 0); !errors.Is(err, zk.ErrBadVersion) {
		t.Fatalf("set with an old version: %v", err)
	}
	select {
	case e := <-watch:
		equal(t, "event", e.Type, zk.EventNodeDataChanged)
	case <-within(t).Done():
		t.Fatal("the watch did not fire")
	}
	_, err = other.Multi(&zk.CreateRequest{Path: root + "/m", Acl: open}, &zk.DeleteRequest{Path: root + "/none", Version: -1})
	if !errors.Is(err, zk.ErrNoNode) {
		t.Fatalf("multi with an operation that fails: %v", err)
	}
	ok, _, err := conn.Exists(root + "/m")
	equal(t, "a multi that failed did something", fmt.Sprint(ok, err), "false <nil>")

	// An ephemeral node goes with its session, and a lock is free then.
	mine := zk.NewLock(other, root+"/lock", open)
	if err := mine.Lock(); err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	go func() { held <- zk.NewLock(conn, root+"/lock", open).Lock() }()
	eventually(t, "two wait for the lock", func() error {
		cs, _, err := conn.Children(root + "/lock")
		if err == nil && len(cs) != 2 {
			err = fmt.Errorf("waiting: %v", cs)
		}
		return err
	})
	select {
	case err := <-held:
		t.Fatalf("the lock was given twice: %v", err)
	default:
	}
	other.Close()
	select {
	case err := <-held:
		equal(t, "lock after the first owner left", err, nil)
	case <-within(t).Done():
		t.Fatal("the lock stayed with a closed session")
	}
}
