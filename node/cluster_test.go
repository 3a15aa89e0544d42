package node

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/metadata"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// brokers are several nodes on one machine, with a keeper that is nobody's own.
type brokers struct {
	*machine
	connect string
	nodes   map[int32]*Node
	told    map[int32]*journal // what each broker logged since it was started last
}

// onBrokers runs a story with brokers 1 to 3.
func onBrokers(t *testing.T, story func(t *testing.T, c *brokers)) {
	t.Helper()
	onMachine(t, func(t *testing.T, m *machine) {
		connect, stop := m.ensemble()
		c := &brokers{machine: m, connect: connect, nodes: map[int32]*Node{}, told: map[int32]*journal{}}
		for id := range int32(3) {
			c.start(id + 1)
		}
		defer func() { // after a failure too: nothing may outlive its test
			for id := range c.nodes {
				c.stop(id)
			}
			stop()
		}()
		story(t, c)
	})
}

func (c *brokers) start(id int32) *Node {
	c.t.Helper()
	c.told[id] = new(journal)
	n, err := Start(c.t.Context(), Options{Env: c.env, Levels: NewLevels(c.told[id], slog.LevelInfo), Config: properties(c.t, c.connect,
		fmt.Sprint("broker.id=", id), fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:909%d", id), fmt.Sprintf("log.dirs=/broker%d/a,/broker%d/b", id, id),
		fmt.Sprintf("gregor.metrics.listener=127.0.0.1:940%d", id),
		"default.replication.factor=3", "offsets.topic.replication.factor=3", "replica.lag.time.max.ms=2000", "auto.leader.rebalance.enable=false",
		"controlled.shutdown.retry.backoff.ms=100")})
	if err != nil {
		c.t.Fatalf("broker %d: %v", id, err)
	}
	c.nodes[id] = n
	return n
}

func (c *brokers) stop(id int32) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.nodes[id].Stop(ctx); err != nil {
		c.t.Errorf("stop broker %d: %v", id, err)
	}
	delete(c.nodes, id)
}

// split returns the broker that is controller, and one that is not.
func (c *brokers) split() (active, other *Node) {
	c.t.Helper()
	c.eventually("a controller that all know", func() bool {
		active, other = nil, nil
		for id, n := range c.nodes {
			if n.controller.Active() {
				active = n
			} else {
				other = n
			}
			if m := n.cache.Image(); len(m.Brokers) != len(c.nodes) || c.nodes[m.ControllerID] == nil || !c.nodes[m.ControllerID].controller.Active() || !m.Alive(id) {
				return false
			}
		}
		return active != nil && other != nil
	})
	return active, other
}

// partition tells what all brokers agree on: leader, replicas, ISR as a set.
func (c *brokers) partition(topic string, index int32) string {
	var told string
	for _, n := range c.nodes {
		s := "unknown"
		if t := n.cache.Image().Topic(topic); t != nil {
			if p, ok := t.Partition(index); ok {
				s = describePartition(p)
			}
		}
		if told != "" && told != s {
			return "they differ"
		}
		told = s
	}
	return told
}

func describePartition(p *metadata.Partition) string {
	s := fmt.Sprintf("leader %d of %v in sync %v", p.Leader, p.Replicas, slices.Sorted(slices.Values(p.ISR)))
	if len(p.Offline) > 0 {
		s += fmt.Sprintf(" offline %v", p.Offline)
	}
	return s
}

func (c *brokers) become(topic string, index int32, want string) {
	c.t.Helper()
	var last string
	defer func() {
		if last != want {
			c.t.Logf("%s-%d: %s", topic, index, last)
		}
	}()
	c.eventually(fmt.Sprintf("%s-%d: %s", topic, index, want), func() bool {
		last = c.partition(topic, index)
		return last == want
	})
}

// put writes a node as a tool does, who asks no broker.
func (c *brokers) put(path, data string) {
	c.t.Helper()
	_, n := c.split()
	z := n.zk.Load().Retrying()
	_, err := z.Set(c.t.Context(), path, []byte(data), -1)
	if isNoNode(err) {
		_, _, err = z.Create(c.t.Context(), path, []byte(data), n.acl(path), zk.Persistent)
	}
	if err != nil {
		c.t.Fatalf("%s: %v", path, err)
	}
}

func (c *brokers) get(path string) (string, bool) {
	c.t.Helper()
	_, n := c.split()
	data, _, err := n.zk.Load().Retrying().Get(c.t.Context(), path, false)
	if err != nil && !isNoNode(err) {
		c.t.Fatalf("%s: %v", path, err)
	}
	return string(data), err == nil
}

func (c *brokers) gone(path string) {
	c.t.Helper()
	c.eventually(path+" is gone", func() bool { _, there := c.get(path); return !there })
}

// notify writes a change notification.
func (c *brokers) notify(data string) {
	c.t.Helper()
	_, n := c.split()
	if _, _, err := n.zk.Load().Retrying().Create(c.t.Context(), znode.ConfigChangePrefix, []byte(data), n.acl(znode.ConfigChangePrefix), zk.PersistentSequential); err != nil {
		c.t.Fatal(err)
	}
}

// Tools of Kafka 2.x write to ZooKeeper themselves: topics without ids, configs,
// reassignments, elections and deletions.
func TestOldToolsInACluster(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		c.put("/config/topics/old", `{"version":1,"config":{"retention.ms":"12345"}}`)
		c.put("/brokers/topics/old", `{"version":1,"partitions":{"0":[2,3],"1":[3,1]}}`)
		c.become("old", 0, "leader 2 of [2 3] in sync [2 3]")
		c.become("old", 1, "leader 3 of [3 1] in sync [1 3]")
		node := func() znode.Topic {
			data, _ := c.get("/brokers/topics/old")
			n, err := znode.DecodeTopic("", []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		id := node().ID
		if id == (wire.UUID{}) {
			t.Error("no id was given to the topic")
		}
		for i, n := range c.nodes {
			if got := n.cache.Image().Topic("old").ID; got != id {
				t.Errorf("broker %d: topic id %v, want %v", i, got, id)
			}
		}

		for value, change := range map[string]string{
			"777": `{"version":2,"entity_path":"topics/old"}`, "888": `{"version":1,"entity_type":"topics","entity_name":"old"}`} {
			c.put("/config/topics/old", `{"version":1,"config":{"retention.ms":"`+value+`"}}`)
			c.notify(change)
			for i, n := range c.nodes {
				c.eventually(fmt.Sprintf("broker %d: retention %s", i, value), func() bool { return fmt.Sprint(n.settings.Topic("old").RetentionMs) == value })
			}
		}

		// More partitions, by a tool that knows of no ids.
		c.put("/brokers/topics/old", `{"version":2,"partitions":{"0":[2,3],"1":[3,1],"2":[1,2,3]},"adding_replicas":{},"removing_replicas":{}}`)
		c.become("old", 2, "leader 1 of [1 2 3] in sync [1 2 3]")
		c.eventually("the id is back in the node", func() bool { return node().ID == id })

		c.put("/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"old","partition":0,"replicas":[1,2]},{"topic":"old","partition":1,"replicas":[2,3,1]}]}`)
		c.gone("/admin/reassign_partitions")
		c.become("old", 0, "leader 2 of [1 2] in sync [1 2]")
		c.become("old", 1, "leader 3 of [2 3 1] in sync [1 2 3]")
		if n := node(); n.ID != id || len(n.Partitions[0].Adding)+len(n.Partitions[0].Removing) != 0 {
			t.Errorf("node after the reassignment: %+v", n)
		}

		c.put("/admin/preferred_replica_election", `{"version":1,"partitions":[{"topic":"old","partition":0},{"topic":"old","partition":1},{"topic":"nope","partition":0}]}`)
		c.gone("/admin/preferred_replica_election")
		c.become("old", 0, "leader 1 of [1 2] in sync [1 2]")
		c.become("old", 1, "leader 2 of [2 3 1] in sync [1 2 3]")

		c.put("/admin/delete_topics/old", "")
		c.gone("/admin/delete_topics/old")
		c.become("old", 0, "unknown")
		if _, there := c.get("/config/topics/old"); there {
			t.Error("the topic's config stayed")
		}
		for i, n := range c.nodes {
			c.eventually(fmt.Sprintf("broker %d holds nothing", i), func() bool { return n.LogCount() == 0 })
		}
	})
}

func (c *brokers) create(n *Node, name string, assignment ...[]int32) wire.Code {
	c.t.Helper()
	req := wire.NewCreateTopicsRequest()
	topic := wire.NewCreateTopicsRequestCreatableTopic()
	topic.Name, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for i, replicas := range assignment {
		topic.Assignments = append(topic.Assignments, wire.CreateTopicsRequestCreatableReplicaAssignment{PartitionIndex: int32(i), BrokerIDs: replicas})
	}
	req.Topics, req.TimeoutMs = []wire.CreateTopicsRequestCreatableTopic{topic}, 10_000
	return ask[*wire.CreateTopicsResponse](c.machine, n, req, 7).Topics[0].ErrorCode
}

func (c *brokers) delete(n *Node, name string, timeoutMs int32) wire.Code {
	c.t.Helper()
	req := wire.NewDeleteTopicsRequest()
	req.Topics, req.TimeoutMs = []wire.DeleteTopicsRequestDeleteTopicState{{Name: &name}}, timeoutMs
	return ask[*wire.DeleteTopicsResponse](c.machine, n, req, 6).Responses[0].ErrorCode
}

func (c *brokers) elect(n *Node, topic string, kind int8) wire.Code {
	c.t.Helper()
	req := wire.NewElectLeadersRequest()
	req.ElectionType, req.TopicPartitions = kind, []wire.ElectLeadersRequestTopicPartitions{{Topic: topic, Partitions: []int32{0}}}
	return ask[*wire.ElectLeadersResponse](c.machine, n, req, 2).ReplicaElectionResults[0].PartitionResult[0].ErrorCode
}

func (c *brokers) reassign(n *Node, topic string, replicas []int32) (all, one wire.Code) {
	c.t.Helper()
	req := wire.NewAlterPartitionReassignmentsRequest()
	req.Topics = []wire.AlterPartitionReassignmentsRequestReassignableTopic{{Name: topic,
		Partitions: []wire.AlterPartitionReassignmentsRequestReassignablePartition{{Replicas: replicas}}}}
	resp := ask[*wire.AlterPartitionReassignmentsResponse](c.machine, n, req, 0)
	if len(resp.Responses) > 0 {
		one = resp.Responses[0].Partitions[0].ErrorCode
	}
	return resp.ErrorCode, one
}

// What only the controller does is refused elsewhere, in each API's own way;
// what any broker does works on any.
func TestAPIsInACluster(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		active, other := c.split()
		want := func(what string, got, want wire.Code) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		want("create elsewhere", c.create(other, "t"), wire.CodeNotController)
		want("create", c.create(active, "t", []int32{1, 2, 3}), wire.CodeNone)
		c.become("t", 0, "leader 1 of [1 2 3] in sync [1 2 3]")
		want("delete elsewhere", c.delete(other, "t", 1000), wire.CodeNotController)
		want("elect elsewhere", c.elect(other, "t", 0), wire.CodeNotController)
		want("elect", c.elect(active, "t", 0), wire.CodeElectionNotNeeded)
		top, _ := c.reassign(other, "t", []int32{2, 3})
		want("reassign elsewhere", top, wire.CodeNotController)
		want("list elsewhere", ask[*wire.ListPartitionReassignmentsResponse](c.machine, other, wire.NewListPartitionReassignmentsRequest(), 0).ErrorCode, wire.CodeNotController)
		more := wire.NewCreatePartitionsRequest()
		more.Topics = []wire.CreatePartitionsRequestTopic{{Name: "t", Count: 2}}
		want("more partitions elsewhere", ask[*wire.CreatePartitionsResponse](c.machine, other, more, 3).Results[0].ErrorCode, wire.CodeNotController)

		top, one := c.reassign(active, "t", []int32{3, 2})
		want("reassign", top, wire.CodeNone)
		want("reassign t-0", one, wire.CodeNone)
		c.become("t", 0, "leader 3 of [3 2] in sync [2 3]")
		_, one = c.reassign(active, "t", []int32{2, 3, 1})
		want("reassign t-0 again", one, wire.CodeNone)
		c.become("t", 0, "leader 3 of [2 3 1] in sync [1 2 3]")
		want("elect the preferred leader", c.elect(active, "t", 0), wire.CodeNone)
		if p, _ := active.cache.Image().Topic("t").Partition(0); p.Leader != 2 {
			t.Errorf("answered before the metadata tells: leader %d", p.Leader)
		}
		_, one = c.reassign(active, "t", nil)
		want("nothing to cancel", one, wire.CodeNoReassignmentInProgress)

		meta := wire.NewMetadataRequest()
		meta.Topics = []wire.MetadataRequestTopic{{Name: new("auto")}}
		want("made on demand, elsewhere", ask[*wire.MetadataResponse](c.machine, other, meta, 9).Topics[0].ErrorCode, wire.CodeLeaderNotAvailable)
		c.eventually("auto has a leader and three replicas", func() bool {
			return strings.HasSuffix(c.partition("auto", 0), "in sync [1 2 3]")
		})

		find := wire.NewFindCoordinatorRequest()
		find.CoordinatorKey = "g"
		want("the first look for a coordinator", ask[*wire.FindCoordinatorResponse](c.machine, other, find, 3).ErrorCode, wire.CodeCoordinatorNotAvailable)
		var found []int32
		c.eventually("the same coordinator everywhere", func() bool {
			found = nil
			for _, n := range c.nodes {
				resp := ask[*wire.FindCoordinatorResponse](c.machine, n, find, 3)
				if resp.ErrorCode != wire.CodeNone {
					return false
				}
				found = append(found, resp.NodeID)
			}
			return len(slices.Compact(found)) == 1
		})
		if got := c.partition("__consumer_offsets", 1); !strings.HasSuffix(got, "in sync [1 2 3]") {
			t.Errorf("__consumer_offsets: %s", got)
		}

		describe := wire.NewDescribeConfigsRequest()
		describe.Resources = []wire.DescribeConfigsRequestResource{{ResourceType: resourceBroker, ResourceName: fmt.Sprint(active.Config().ID)}}
		want("another broker's settings", ask[*wire.DescribeConfigsResponse](c.machine, other, describe, 4).Results[0].ErrorCode, wire.CodeInvalidRequest)
		alter := wire.NewIncrementalAlterConfigsRequest()
		alter.Resources = []wire.IncrementalAlterConfigsRequestAlterConfigsResource{{ResourceType: resourceBroker, ResourceName: fmt.Sprint(active.Config().ID)}}
		want("changing another broker's settings", ask[*wire.IncrementalAlterConfigsResponse](c.machine, other, alter, 1).Responses[0].ErrorCode, wire.CodeInvalidRequest)
		shutdown := wire.NewControlledShutdownRequest()
		shutdown.BrokerID, shutdown.BrokerEpoch = other.Config().ID, other.epoch.Load()
		want("controlled shutdown elsewhere", ask[*wire.ControlledShutdownResponse](c.machine, other, shutdown, 3).ErrorCode, wire.CodeStaleControllerEpoch)
		want("isr change elsewhere", ask[*wire.AlterPartitionResponse](c.machine, other, wire.NewAlterPartitionRequest(), 3).ErrorCode, wire.CodeNotController)
	})
}

// A topic is deleted when all its replicas are; one on a broker that is away
// makes it wait.
func TestDeletionWaitsForABroker(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		active, _ := c.split()
		if code := c.create(active, "t", []int32{1, 2, 3}); code != wire.CodeNone {
			t.Fatal(code)
		}
		c.become("t", 0, "leader 1 of [1 2 3] in sync [1 2 3]")
		away := int32(1)
		if active.Config().ID == away {
			away = 2
		}
		c.stop(away)
		c.split()
		if code := c.delete(active, "t", 1000); code != wire.CodeNone { // gone from the metadata
			t.Errorf("delete: %v", code)
		}
		for id, n := range c.nodes {
			c.eventually(fmt.Sprintf("broker %d deleted it", id), func() bool { return n.LogCount() == 0 })
		}
		for range 300 { // three seconds
			<-c.env.Clock.NewTimer(10 * time.Millisecond).C()
		}
		if _, there := c.get("/admin/delete_topics/t"); !there {
			t.Error("deleted while a replica is left")
		}
		if code := c.create(active, "t", []int32{1, 2, 3}); code != wire.CodeTopicAlreadyExists {
			t.Errorf("created while it is being deleted: %v", code)
		}
		n := c.start(away)
		c.gone("/admin/delete_topics/t")
		c.eventually("the last replica is gone", func() bool { return n.LogCount() == 0 })
		if code := c.create(active, "t", []int32{3, 1, 2}); code != wire.CodeNone {
			t.Errorf("created anew: %v", code)
		}
		c.become("t", 0, "leader 3 of [3 1 2] in sync [1 2 3]")
	})
}

// A log directory fails: its partitions are led elsewhere, the others stay; with
// its last one the broker ends.
func TestLogDirectoryFailsInACluster(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		active, _ := c.split()
		for _, name := range []string{"t", "u"} { // one in each directory
			if code := c.create(active, name, []int32{1, 2, 3}); code != wire.CodeNone {
				t.Fatal(code)
			}
			c.become(name, 0, "leader 1 of [1 2 3] in sync [1 2 3]")
		}
		log, err := c.nodes[1].replicas.Log("t", 0)
		if err != nil {
			t.Fatal(err)
		}
		bad := log.Dir().Path() + "/"
		failing := func(prefix string) {
			c.fs.SetInjector(func(op memfs.Op, name string) error {
				if strings.HasPrefix(name, prefix) && (op == memfs.OpWrite || op == memfs.OpSync) {
					return syscall.EIO
				}
				return nil
			})
		}
		failing(bad)
		if _, code := c.produce(c.nodes[1], "t", "x"); code != wire.CodeKafkaStorageError {
			t.Errorf("produce to the failed disk: %v", code)
		}
		c.become("t", 0, "leader 2 of [1 2 3] in sync [2 3] offline [1]")
		c.become("u", 0, "leader 1 of [1 2 3] in sync [1 2 3]")
		c.wantProduced(c.nodes[2], "t", 0)
		c.wantProduced(c.nodes[1], "u", 0)
		c.gone("/log_dir_event_notification/log_dir_event_0000000000")

		failing("/broker1/")
		c.produce(c.nodes[1], "u", "x")
		<-c.nodes[1].Done()
		if err := c.nodes[1].Err(); err == nil || !strings.Contains(err.Error(), "no log directory is left") {
			t.Errorf("why it ended: %v", err)
		}
		c.fs.SetInjector(nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = c.nodes[1].Stop(ctx) // its disks failed
		delete(c.nodes, 1)
		c.become("u", 0, "leader 2 of [1 2 3] in sync [2 3] offline [1]")

		// With good disks it comes back, and catches up.
		c.start(1)
		c.become("t", 0, "leader 2 of [1 2 3] in sync [1 2 3]")
		c.become("u", 0, "leader 2 of [1 2 3] in sync [1 2 3]")
	})
}
