package znode

import (
	"strconv"
	"strings"
)

// Kind says what a path is.
type Kind uint8

// The kinds of znodes. Fields of Node that a kind fills are in parentheses.
const (
	Unknown             Kind = iota
	Container                // a fixed parent, or one of the parents in a tree below it
	BrokerNode               // (Broker)
	TopicNode                // (Topic)
	OldTopicBroker           // (Topic, Broker)
	PartitionsNode           // (Topic)
	PartitionNode            // (Topic, Partition)
	StateNode                // (Topic, Partition)
	BrokerSeqIDNode          //
	ControllerNode           //
	ControllerEpochNode      //
	ClusterIDNode            //
	FeatureNode              //
	MigrationNode            //
	ProducerIDNode           //
	DeleteTopicNode          // (Topic)
	ReassignNode             //
	PreferredElectNode       //
	ISRChangeNode            // (Seq)
	LogDirEventNode          // (Seq)
	EntityConfigNode         // (Entity)
	ConfigChangeNode         // (Seq)
	ACLNode                  // (Resource)
	ACLChangeNode            // (Seq)
	ExtendedChangeNode       // (Seq)
	TokenNode                // (Name)
	TokenChangeNode          // (Seq)
	GroupNode                // (Group)
	ConsumerNode             // (Group, Name)
	OwnerNode                // (Group, Topic, Partition, and Broker in 0.7's form)
	OffsetNode               // (Group, Topic, Partition, and Broker in 0.7's form)
)

// Node is a path taken apart.
type Node struct {
	Kind Kind
	// Broker and Partition are -1 where the path has none.
	Broker, Partition int32
	Topic, Group      string
	// Name is a token id or a consumer id.
	Name     string
	Entity   Entity
	Resource Resource
	// Seq is the number of a sequential node, which wraps to negative.
	Seq int32
}

// fixed are the kinds of the paths without variable parts.
var fixed = map[string]Kind{
	ConsumersPath: Container, BrokersPath: Container, BrokerIDsPath: Container, TopicsPath: Container,
	BrokerSeqIDPath: BrokerSeqIDNode, ControllerPath: ControllerNode, ControllerEpochPath: ControllerEpochNode,
	ClusterPath: Container, ClusterIDPath: ClusterIDNode, FeaturePath: FeatureNode, MigrationPath: MigrationNode,
	ProducerIDBlockPath: ProducerIDNode, AdminPath: Container, DeleteTopicsPath: Container,
	ReassignPath: ReassignNode, PreferredElectionPath: PreferredElectNode, ISRChangesPath: Container,
	LogDirEventsPath: Container, ConfigPath: Container, ConfigChangesPath: Container, ACLPath: Container,
	ExtendedACLPath: Container, PrefixedACLPath: Container, ACLChangesPath: Container, ExtendedACLChangesPath: Container,
	DelegationTokenPath: Container, TokensPath: Container, TokenChangesPath: Container,
}

// sequential are the kinds of notifications, by the part before their number.
var sequential = map[string]Kind{
	ISRChangePrefix: ISRChangeNode, LogDirEventPrefix: LogDirEventNode, ConfigChangePrefix: ConfigChangeNode,
	ACLChangePrefix: ACLChangeNode, ExtendedACLChangePrefix: ExtendedChangeNode, TokenChangePrefix: TokenChangeNode,
}

// ParsePath tells what a path is. Kind is Unknown for what Kafka has not put
// there.
func ParsePath(path string) Node {
	n := Node{Broker: -1, Partition: -1}
	if n.Kind = fixed[path]; n.Kind != Unknown {
		return n
	}
	if i := strings.LastIndexByte(path, '_'); i >= 0 {
		if kind := sequential[path[:i+1]]; kind != Unknown {
			return n.sequence(kind, path[i+1:])
		}
	}
	for _, tree := range []struct {
		root  string
		parse func(Node, string) Node
	}{
		{BrokerIDsPath, Node.broker}, {TopicsPath, Node.topic}, {DeleteTopicsPath, Node.deleteTopic},
		{ConfigPath, Node.config}, {ACLPath, Node.literalACL}, {PrefixedACLPath, Node.prefixedACL},
		{TokensPath, Node.token}, {ConsumersPath, Node.consumers},
	} {
		rest, ok := strings.CutPrefix(path, tree.root+"/")
		if !ok || rest == "" {
			continue
		}
		if got := tree.parse(n, rest); got.Kind != Unknown {
			return got
		}
		return n
	}
	return n
}

// number reads a decimal id of at most 32 bits that is not negative, in the one
// form that is written: no sign, no leading zeros.
func number(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && n >= 0 && s == itoa(int32(n))
}

func (n Node) sequence(k Kind, digits string) Node {
	seq, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return n
	}
	n.Kind, n.Seq = k, int32(seq)
	return n
}

func (n Node) broker(rest string) Node {
	if id, ok := number(rest); ok {
		n.Kind, n.Broker = BrokerNode, id
	}
	return n
}

func (n Node) topic(rest string) Node {
	parts := strings.Split(rest, "/")
	n.Topic = parts[0]
	if len(parts) == 1 {
		n.Kind = TopicNode
		return n
	}
	if parts[1] != "partitions" {
		if id, ok := number(parts[1]); ok && len(parts) == 2 {
			n.Kind, n.Broker = OldTopicBroker, id
		}
		return n
	}
	if len(parts) == 2 {
		n.Kind = PartitionsNode
		return n
	}
	p, ok := number(parts[2])
	if !ok {
		return n
	}
	n.Partition = p
	switch {
	case len(parts) == 3:
		n.Kind = PartitionNode
	case len(parts) == 4 && parts[3] == "state":
		n.Kind = StateNode
	}
	return n
}

func (n Node) deleteTopic(rest string) Node {
	if !strings.Contains(rest, "/") {
		n.Kind, n.Topic = DeleteTopicNode, rest
	}
	return n
}

func (n Node) config(rest string) Node {
	for _, t := range EntityTypes() {
		if rest == string(t) {
			n.Kind = Container
			return n
		}
	}
	if user, ok := strings.CutSuffix(rest, "/"+string(Clients)); ok && strings.HasPrefix(user, string(Users)+"/") && strings.Count(user, "/") == 1 {
		n.Kind = Container
		return n
	}
	if e, err := ParseEntity(rest); err == nil {
		n.Kind, n.Entity = EntityConfigNode, e
	}
	return n
}

func (n Node) literalACL(rest string) Node { return n.acl(Literal, rest) }

func (n Node) prefixedACL(rest string) Node { return n.acl(Prefixed, rest) }

// acl reads "Type" and "Type/name"; names are raw and may hold slashes.
func (n Node) acl(p PatternType, rest string) Node {
	typ, name, found := strings.Cut(rest, "/")
	t, ok := ParseResourceType(typ)
	switch {
	case !ok || string(t) != typ:
	case !found:
		n.Kind = Container
	case name != "":
		n.Kind, n.Resource = ACLNode, Resource{Type: t, Name: name, Pattern: p}
	}
	return n
}

func (n Node) token(rest string) Node {
	if !strings.Contains(rest, "/") {
		n.Kind, n.Name = TokenNode, rest
	}
	return n
}

func (n Node) consumers(rest string) Node {
	parts := strings.Split(rest, "/")
	n.Group = parts[0]
	if len(parts) == 1 {
		n.Kind = GroupNode
		return n
	}
	switch kind := parts[1]; {
	case len(parts) > 4, kind != "ids" && kind != "owners" && kind != "offsets":
	case len(parts) == 2, len(parts) == 3 && kind != "ids":
		n.Kind = Container
	case len(parts) == 3:
		n.Kind, n.Name = ConsumerNode, parts[2]
	case kind == "owners":
		n = n.ownPartition(OwnerNode, parts[2], parts[3])
	case kind == "offsets":
		n = n.ownPartition(OffsetNode, parts[2], parts[3])
	}
	return n
}

// ownPartition reads "partition" and 0.7's "broker-partition".
func (n Node) ownPartition(k Kind, topic, name string) Node {
	broker, partition, old := strings.Cut(name, "-")
	if !old {
		partition = broker
	}
	p, ok := number(partition)
	if !ok {
		return n
	}
	if old {
		b, ok := number(broker)
		if !ok {
			return n
		}
		n.Broker = b
	}
	n.Kind, n.Topic, n.Partition = k, topic, p
	return n
}
