package znode

import "strconv"

// The znodes with a fixed path. The comment says what they hold.
const (
	ConsumersPath           = "/consumers"                          // groups of the old consumer and offsets kept here
	BrokersPath             = "/brokers"                            //
	BrokerIDsPath           = "/brokers/ids"                        // ephemeral registrations
	TopicsPath              = "/brokers/topics"                     // assignments
	BrokerSeqIDPath         = "/brokers/seqid"                      // its version generates broker ids
	ControllerPath          = "/controller"                         // ephemeral: the elected broker
	ControllerEpochPath     = "/controller_epoch"                   // fences the controller's writes
	ClusterPath             = "/cluster"                            //
	ClusterIDPath           = "/cluster/id"                         //
	FeaturePath             = "/feature"                            // finalized features
	MigrationPath           = "/migration"                          // written by a KRaft controller only
	ProducerIDBlockPath     = "/latest_producer_id_block"           // the newest block handed out
	AdminPath               = "/admin"                              //
	DeleteTopicsPath        = "/admin/delete_topics"                // topics to delete
	ReassignPath            = "/admin/reassign_partitions"          // legacy trigger
	PreferredElectionPath   = "/admin/preferred_replica_election"   // legacy trigger
	ISRChangesPath          = "/isr_change_notification"            // from leaders before IBP 2.7
	LogDirEventsPath        = "/log_dir_event_notification"         // failed log directories
	ConfigPath              = "/config"                             // a child per entity type
	ConfigChangesPath       = "/config/changes"                     //
	ACLPath                 = "/kafka-acl"                          // literal patterns
	ExtendedACLPath         = "/kafka-acl-extended"                 // other patterns
	PrefixedACLPath         = "/kafka-acl-extended/prefixed"        //
	ACLChangesPath          = "/kafka-acl-changes"                  //
	ExtendedACLChangesPath  = "/kafka-acl-extended-changes"         //
	DelegationTokenPath     = "/delegation_token"                   //
	TokensPath              = "/delegation_token/tokens"            //
	TokenChangesPath        = "/delegation_token/token_changes"     //
	ISRChangePrefix         = ISRChangesPath + "/isr_change_"       // sequential, as all below
	LogDirEventPrefix       = LogDirEventsPath + "/log_dir_event_"  //
	ConfigChangePrefix      = ConfigChangesPath + "/config_change_" //
	ACLChangePrefix         = ACLChangesPath + "/acl_changes_"      //
	ExtendedACLChangePrefix = ExtendedACLChangesPath + "/acl_changes_"
	TokenChangePrefix       = TokenChangesPath + "/token_change_"
)

// ChangeExpiry is how long in milliseconds a notification of a config, ACL or
// token change is kept, by its ctime.
const ChangeExpiry = 15 * 60 * 1000

// ReservedBrokerMaxID is Kafka's reserved.broker.max.id: generated broker ids
// are this plus the version of BrokerSeqIDPath.
const ReservedBrokerMaxID = 1000

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// BrokerPath is the registration of a broker.
func BrokerPath(id int32) string { return BrokerIDsPath + "/" + itoa(id) }

// TopicPath holds the assignment of a topic.
func TopicPath(topic string) string { return TopicsPath + "/" + topic }

// PartitionsPath is the parent of a topic's partitions.
func PartitionsPath(topic string) string { return TopicPath(topic) + "/partitions" }

// PartitionPath is the parent of a partition's state.
func PartitionPath(topic string, partition int32) string {
	return PartitionsPath(topic) + "/" + itoa(partition)
}

// StatePath holds leader and ISR of a partition.
func StatePath(topic string, partition int32) string {
	return PartitionPath(topic, partition) + "/state"
}

// OldTopicBrokerPath is where a broker of 0.7 says, as decimal text in an
// ephemeral node, how many partitions of a topic it offers.
func OldTopicBrokerPath(topic string, broker int32) string {
	return TopicPath(topic) + "/" + itoa(broker)
}

// DeleteTopicPath asks for the deletion of a topic.
func DeleteTopicPath(topic string) string { return DeleteTopicsPath + "/" + topic }

// ConfigTypePath is the parent of the configurations of an entity type.
func ConfigTypePath(t EntityType) string { return ConfigPath + "/" + string(t) }

// EntityConfigPath holds the configuration of an entity.
func EntityConfigPath(e Entity) string { return ConfigPath + "/" + e.Path() }

// TokenPath holds a delegation token.
func TokenPath(id string) string { return TokensPath + "/" + id }

// GroupPath is the parent of all that the old consumer keeps for a group.
func GroupPath(group string) string { return ConsumersPath + "/" + group }

// ConsumerIDsPath is the parent of a group's members.
func ConsumerIDsPath(group string) string { return GroupPath(group) + "/ids" }

// ConsumerIDPath is the ephemeral registration of a member.
func ConsumerIDPath(group, consumer string) string { return ConsumerIDsPath(group) + "/" + consumer }

// OwnersPath is the parent of the owners of a topic's partitions in a group.
func OwnersPath(group, topic string) string { return GroupPath(group) + "/owners/" + topic }

// OwnerPath is the ephemeral node that holds the thread id of a partition's
// owner.
func OwnerPath(group, topic string, partition int32) string {
	return OwnersPath(group, topic) + "/" + itoa(partition)
}

// OldPartitionName is what consumers of Kafka 0.7 called a partition, in the
// names of owners and offsets: that of its broker and its own.
func OldPartitionName(broker, partition int32) string { return itoa(broker) + "-" + itoa(partition) }

// OffsetsPath is the parent of a group's offsets in a topic.
func OffsetsPath(group, topic string) string { return GroupPath(group) + "/offsets/" + topic }

// OffsetPath holds a committed offset as decimal text (OffsetCommit version 0).
func OffsetPath(group, topic string, partition int32) string {
	return OffsetsPath(group, topic) + "/" + itoa(partition)
}

// PersistentPaths are made with null data by every broker that starts.
func PersistentPaths() []string {
	paths := []string{
		ConsumersPath, BrokerIDsPath, TopicsPath, ConfigChangesPath, DeleteTopicsPath,
		BrokerSeqIDPath, ISRChangesPath, ProducerIDBlockPath, LogDirEventsPath,
	}
	for _, t := range EntityTypes() {
		paths = append(paths, ConfigTypePath(t))
	}
	return paths
}

// AuthorizerPaths are made besides when the broker has an ACL authorizer.
func AuthorizerPaths() []string {
	var paths []string
	for _, root := range []string{ACLPath, PrefixedACLPath} {
		for _, t := range ResourceTypes() {
			paths = append(paths, root+"/"+string(t))
		}
	}
	return append(paths, ACLChangesPath, ExtendedACLChangesPath)
}

// TokenPaths are made besides when the broker has delegation.token.secret.key.
func TokenPaths() []string { return []string{TokenChangesPath, TokensPath} }
