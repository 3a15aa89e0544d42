package znode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Description is a znode in words, for people who look into ZooKeeper.
type Description struct {
	// What says what the path is, "state of partition 0 of topic t"; empty for
	// what Kafka has not put there.
	What string
	// Facts are what the content says, in a fixed order. They are empty when the
	// content breaks a rule, and for nodes that matter by being there.
	Facts []Fact
	// Fault says which rule the content breaks; nil when it breaks none, and
	// when no rule is known for the path.
	Fault error
}

// Fact is one thing that the content of a znode says.
type Fact struct {
	// Name is in words, "leader epoch", and may come several times.
	Name, Value string
}

// facts gathers what a content says.
type facts []Fact

func (f *facts) add(name, format string, args ...any) {
	*f = append(*f, Fact{name, fmt.Sprintf(format, args...)})
}

// Describe tells what path is and what its content says. It never fails: a
// content that breaks a rule of its format is Description.Fault.
func Describe(path string, data []byte) Description {
	n := ParsePath(path)
	d := Description{What: n.what(path)}
	var f facts
	if d.Fault = n.tell(&f, path, data); d.Fault == nil {
		d.Facts = f
	}
	return d
}

// tell adds the facts of a node of any kind.
func (n Node) tell(f *facts, path string, data []byte) error {
	for _, tell := range []func(*facts, string, []byte) (bool, error){n.tellCluster, n.tellTopic, n.tellSecurity, n.tellGroup} {
		if known, err := tell(f, path, data); known {
			return err
		}
	}
	return nil
}

// what is Description.What.
func (n Node) what(path string) string {
	switch n.Kind {
	case Unknown:
		return ""
	case Container:
		return n.whatContainer(path)
	case BrokerNode:
		return fmt.Sprintf("registration of broker %d", n.Broker)
	case TopicNode:
		return "assignment of topic " + n.Topic
	case OldTopicBroker:
		return fmt.Sprintf("partitions of topic %s on broker %d, as of Kafka 0.7", n.Topic, n.Broker)
	case PartitionsNode:
		return "partitions of topic " + n.Topic
	case PartitionNode:
		return fmt.Sprintf("partition %d of topic %s", n.Partition, n.Topic)
	case StateNode:
		return fmt.Sprintf("state of partition %d of topic %s", n.Partition, n.Topic)
	case DeleteTopicNode:
		return "request to delete topic " + n.Topic
	case EntityConfigNode:
		return "configuration of " + n.Entity.words()
	case ACLNode:
		return fmt.Sprintf("ACLs of %s %s (%s)", n.Resource.Type, n.Resource.Name, n.Resource.Pattern)
	case TokenNode:
		return "delegation token " + n.Name
	case GroupNode:
		return "consumer group " + n.Group
	case ConsumerNode:
		return fmt.Sprintf("member %s of consumer group %s", n.Name, n.Group)
	case OwnerNode:
		return fmt.Sprintf("owner of %s in consumer group %s", n.partitionWords(), n.Group)
	case OffsetNode:
		return fmt.Sprintf("offset of %s in consumer group %s", n.partitionWords(), n.Group)
	}
	return whatFixed[n.Kind]
}

// whatFixed are the kinds whose words do not depend on the path.
var whatFixed = map[Kind]string{
	BrokerSeqIDNode: "counter of generated broker ids: its version counts", ControllerNode: "elected controller",
	ControllerEpochNode: "epoch of the controller", ClusterIDNode: "id of the cluster", FeatureNode: "finalized features",
	MigrationNode: "progress of a migration to KRaft", ProducerIDNode: "newest block of producer ids",
	ReassignNode: "request to reassign partitions", PreferredElectNode: "request to elect preferred leaders",
	ISRChangeNode: "notification: in-sync replicas changed", LogDirEventNode: "notification: a log directory failed",
	ConfigChangeNode: "notification: a configuration changed", ACLChangeNode: "notification: ACLs changed",
	ExtendedChangeNode: "notification: ACLs changed", TokenChangeNode: "notification: a delegation token changed",
}

// whatContainers are the fixed parents that deserve more words than their name.
var whatContainers = map[string]string{
	ConsumersPath: "groups of the old consumer", BrokerIDsPath: "registered brokers", TopicsPath: "topics",
	DeleteTopicsPath: "topics to delete", ISRChangesPath: "notifications of in-sync replicas",
	LogDirEventsPath: "notifications of failed log directories", ConfigPath: "configurations",
	ConfigChangesPath: "notifications of configurations", ACLPath: "ACLs of literal patterns",
	PrefixedACLPath: "ACLs of prefixes", ACLChangesPath: "notifications of ACLs",
	ExtendedACLChangesPath: "notifications of ACLs", TokensPath: "delegation tokens",
	TokenChangesPath: "notifications of delegation tokens",
}

func (n Node) whatContainer(path string) string {
	if words := whatContainers[path]; words != "" {
		return words
	}
	if n.Group == "" {
		return "parent of Kafka's nodes"
	}
	parts := strings.Split(path, "/")
	words := map[string]string{"ids": "members", "owners": "owners of partitions", "offsets": "offsets"}[parts[3]]
	if len(parts) > 4 {
		words += " of topic " + parts[4]
	}
	return words + " of consumer group " + n.Group
}

func (n Node) partitionWords() string {
	if n.Broker >= 0 {
		return fmt.Sprintf("partition %d of topic %s on broker %d (as of Kafka 0.7)", n.Partition, n.Topic, n.Broker)
	}
	return fmt.Sprintf("partition %d of topic %s", n.Partition, n.Topic)
}

// words names an entity: "topic t", "client id c of user u", "all brokers by
// default".
func (e Entity) words() string {
	name := func(singular, plural string, n *Name) string {
		if n.Default {
			return plural + " by default"
		}
		return singular + " " + n.Text
	}
	switch {
	case e.Topic != nil:
		return name("topic", "topics", e.Topic)
	case e.Broker != nil:
		return name("broker", "brokers", e.Broker)
	case e.User != nil && e.Client != nil:
		return name("client id", "client ids", e.Client) + " of " + name("user", "users", e.User)
	case e.User != nil:
		return name("user", "users", e.User)
	case e.Client != nil:
		return name("client id", "client ids", e.Client)
	case e.IP != nil:
		return name("address", "addresses", e.IP)
	}
	return "nothing"
}

// moment writes milliseconds since 1970 as people read them, and -1 as unknown.
func moment(ms int64) string {
	if ms < 0 {
		return "unknown"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// brokers writes ids in their order.
func brokers(ids []int32) string {
	if len(ids) == 0 {
		return "none"
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = itoa(id)
	}
	return strings.Join(words, ", ")
}

// settings adds a fact per key, in order.
func (f *facts) settings(m map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		f.add(k, "%s", m[k])
	}
}

// plainText returns content that is text by its format.
func plainText(path string, data []byte) (string, error) {
	switch {
	case len(data) == 0:
		return "", fault(path, "is empty")
	case !utf8.Valid(data):
		return "", fault(path, "is not text in UTF-8")
	}
	return string(data), nil
}
