package wire

import (
	"strconv"
)

// Code is the result of a request, or of a part of it. It is an error by
// itself, so that CodeNone must be asked for: only other codes are failures.
type Code int16

// The codes of Kafka 3.9.
const (
	CodeUnknownServerError                 Code = -1
	CodeNone                               Code = 0
	CodeOffsetOutOfRange                   Code = 1
	CodeCorruptMessage                     Code = 2
	CodeUnknownTopicOrPartition            Code = 3
	CodeInvalidFetchSize                   Code = 4
	CodeLeaderNotAvailable                 Code = 5
	CodeNotLeaderOrFollower                Code = 6
	CodeRequestTimedOut                    Code = 7
	CodeBrokerNotAvailable                 Code = 8
	CodeReplicaNotAvailable                Code = 9
	CodeMessageTooLarge                    Code = 10
	CodeStaleControllerEpoch               Code = 11
	CodeOffsetMetadataTooLarge             Code = 12
	CodeNetworkException                   Code = 13
	CodeCoordinatorLoadInProgress          Code = 14
	CodeCoordinatorNotAvailable            Code = 15
	CodeNotCoordinator                     Code = 16
	CodeInvalidTopicException              Code = 17
	CodeRecordListTooLarge                 Code = 18
	CodeNotEnoughReplicas                  Code = 19
	CodeNotEnoughReplicasAfterAppend       Code = 20
	CodeInvalidRequiredAcks                Code = 21
	CodeIllegalGeneration                  Code = 22
	CodeInconsistentGroupProtocol          Code = 23
	CodeInvalidGroupID                     Code = 24
	CodeUnknownMemberID                    Code = 25
	CodeInvalidSessionTimeout              Code = 26
	CodeRebalanceInProgress                Code = 27
	CodeInvalidCommitOffsetSize            Code = 28
	CodeTopicAuthorizationFailed           Code = 29
	CodeGroupAuthorizationFailed           Code = 30
	CodeClusterAuthorizationFailed         Code = 31
	CodeInvalidTimestamp                   Code = 32
	CodeUnsupportedSaslMechanism           Code = 33
	CodeIllegalSaslState                   Code = 34
	CodeUnsupportedVersion                 Code = 35
	CodeTopicAlreadyExists                 Code = 36
	CodeInvalidPartitions                  Code = 37
	CodeInvalidReplicationFactor           Code = 38
	CodeInvalidReplicaAssignment           Code = 39
	CodeInvalidConfig                      Code = 40
	CodeNotController                      Code = 41
	CodeInvalidRequest                     Code = 42
	CodeUnsupportedForMessageFormat        Code = 43
	CodePolicyViolation                    Code = 44
	CodeOutOfOrderSequenceNumber           Code = 45
	CodeDuplicateSequenceNumber            Code = 46
	CodeInvalidProducerEpoch               Code = 47
	CodeInvalidTxnState                    Code = 48
	CodeInvalidProducerIDMapping           Code = 49
	CodeInvalidTransactionTimeout          Code = 50
	CodeConcurrentTransactions             Code = 51
	CodeTransactionCoordinatorFenced       Code = 52
	CodeTransactionalIDAuthorizationFailed Code = 53
	CodeSecurityDisabled                   Code = 54
	CodeOperationNotAttempted              Code = 55
	CodeKafkaStorageError                  Code = 56
	CodeLogDirNotFound                     Code = 57
	CodeSaslAuthenticationFailed           Code = 58
	CodeUnknownProducerID                  Code = 59
	CodeReassignmentInProgress             Code = 60
	CodeDelegationTokenAuthDisabled        Code = 61
	CodeDelegationTokenNotFound            Code = 62
	CodeDelegationTokenOwnerMismatch       Code = 63
	CodeDelegationTokenRequestNotAllowed   Code = 64
	CodeDelegationTokenAuthorizationFailed Code = 65
	CodeDelegationTokenExpired             Code = 66
	CodeInvalidPrincipalType               Code = 67
	CodeNonEmptyGroup                      Code = 68
	CodeGroupIDNotFound                    Code = 69
	CodeFetchSessionIDNotFound             Code = 70
	CodeInvalidFetchSessionEpoch           Code = 71
	CodeListenerNotFound                   Code = 72
	CodeTopicDeletionDisabled              Code = 73
	CodeFencedLeaderEpoch                  Code = 74
	CodeUnknownLeaderEpoch                 Code = 75
	CodeUnsupportedCompressionType         Code = 76
	CodeStaleBrokerEpoch                   Code = 77
	CodeOffsetNotAvailable                 Code = 78
	CodeMemberIDRequired                   Code = 79
	CodePreferredLeaderNotAvailable        Code = 80
	CodeGroupMaxSizeReached                Code = 81
	CodeFencedInstanceID                   Code = 82
	CodeEligibleLeadersNotAvailable        Code = 83
	CodeElectionNotNeeded                  Code = 84
	CodeNoReassignmentInProgress           Code = 85
	CodeGroupSubscribedToTopic             Code = 86
	CodeInvalidRecord                      Code = 87
	CodeUnstableOffsetCommit               Code = 88
	CodeThrottlingQuotaExceeded            Code = 89
	CodeProducerFenced                     Code = 90
	CodeResourceNotFound                   Code = 91
	CodeDuplicateResource                  Code = 92
	CodeUnacceptableCredential             Code = 93
	CodeInconsistentVoterSet               Code = 94
	CodeInvalidUpdateVersion               Code = 95
	CodeFeatureUpdateFailed                Code = 96
	CodePrincipalDeserializationFailure    Code = 97
	CodeSnapshotNotFound                   Code = 98
	CodePositionOutOfRange                 Code = 99
	CodeUnknownTopicID                     Code = 100
	CodeDuplicateBrokerRegistration        Code = 101
	CodeBrokerIDNotRegistered              Code = 102
	CodeInconsistentTopicID                Code = 103
	CodeInconsistentClusterID              Code = 104
	CodeTransactionalIDNotFound            Code = 105
	CodeFetchSessionTopicIDError           Code = 106
	CodeIneligibleReplica                  Code = 107
	CodeNewLeaderElected                   Code = 108
	CodeOffsetMovedToTieredStorage         Code = 109
	CodeFencedMemberEpoch                  Code = 110
	CodeUnreleasedInstanceID               Code = 111
	CodeUnsupportedAssignor                Code = 112
	CodeStaleMemberEpoch                   Code = 113
	CodeMismatchedEndpointType             Code = 114
	CodeUnsupportedEndpointType            Code = 115
	CodeUnknownControllerID                Code = 116
	CodeUnknownSubscriptionID              Code = 117
	CodeTelemetryTooLarge                  Code = 118
	CodeInvalidRegistration                Code = 119
	CodeTransactionAbortable               Code = 120
	CodeInvalidRecordState                 Code = 121
	CodeShareSessionNotFound               Code = 122
	CodeInvalidShareSessionEpoch           Code = 123
	CodeFencedStateEpoch                   Code = 124
	CodeInvalidVoterKey                    Code = 125
	CodeDuplicateVoter                     Code = 126
	CodeVoterNotFound                      Code = 127
)

// codeInfo is what is known about a code besides its number.
type codeInfo struct {
	name      string // Kafka's own
	retriable bool   // the same request may succeed later or elsewhere
	text      string
}

// codes is indexed by code plus one, for CodeUnknownServerError is -1.
var codes = [...]codeInfo{
	CodeUnknownServerError + 1:                 {"UNKNOWN_SERVER_ERROR", false, "something went wrong that has no code of its own"},
	CodeNone + 1:                               {"NONE", false, "no error"},
	CodeOffsetOutOfRange + 1:                   {"OFFSET_OUT_OF_RANGE", false, "offset is outside of the log"},
	CodeCorruptMessage + 1:                     {"CORRUPT_MESSAGE", true, "record batch is damaged, or a compacted topic was given a record without a key"},
	CodeUnknownTopicOrPartition + 1:            {"UNKNOWN_TOPIC_OR_PARTITION", true, "no such topic or partition here"},
	CodeInvalidFetchSize + 1:                   {"INVALID_FETCH_SIZE", false, "fetch size is invalid"},
	CodeLeaderNotAvailable + 1:                 {"LEADER_NOT_AVAILABLE", true, "partition has no leader at the moment"},
	CodeNotLeaderOrFollower + 1:                {"NOT_LEADER_OR_FOLLOWER", true, "this broker does not lead, or not even hold, the partition"},
	CodeRequestTimedOut + 1:                    {"REQUEST_TIMED_OUT", true, "request ran out of time"},
	CodeBrokerNotAvailable + 1:                 {"BROKER_NOT_AVAILABLE", false, "broker is not available"},
	CodeReplicaNotAvailable + 1:                {"REPLICA_NOT_AVAILABLE", true, "replica is not available"},
	CodeMessageTooLarge + 1:                    {"MESSAGE_TOO_LARGE", false, "record batch is larger than allowed"},
	CodeStaleControllerEpoch + 1:               {"STALE_CONTROLLER_EPOCH", false, "controller epoch is stale"},
	CodeOffsetMetadataTooLarge + 1:             {"OFFSET_METADATA_TOO_LARGE", false, "metadata of a committed offset is too long"},
	CodeNetworkException + 1:                   {"NETWORK_EXCEPTION", true, "connection broke before the response"},
	CodeCoordinatorLoadInProgress + 1:          {"COORDINATOR_LOAD_IN_PROGRESS", true, "coordinator is still loading its state"},
	CodeCoordinatorNotAvailable + 1:            {"COORDINATOR_NOT_AVAILABLE", true, "coordinator is not available"},
	CodeNotCoordinator + 1:                     {"NOT_COORDINATOR", true, "this broker is not the coordinator"},
	CodeInvalidTopicException + 1:              {"INVALID_TOPIC_EXCEPTION", false, "topic name is not allowed"},
	CodeRecordListTooLarge + 1:                 {"RECORD_LIST_TOO_LARGE", false, "record batch does not fit a segment"},
	CodeNotEnoughReplicas + 1:                  {"NOT_ENOUGH_REPLICAS", true, "too few in-sync replicas to accept the write"},
	CodeNotEnoughReplicasAfterAppend + 1:       {"NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "written, but too few replicas were in sync"},
	CodeInvalidRequiredAcks + 1:                {"INVALID_REQUIRED_ACKS", false, "acks must be 0, 1 or -1"},
	CodeIllegalGeneration + 1:                  {"ILLEGAL_GENERATION", false, "generation is not the group's current one"},
	CodeInconsistentGroupProtocol + 1:          {"INCONSISTENT_GROUP_PROTOCOL", false, "no protocol in common with the group"},
	CodeInvalidGroupID + 1:                     {"INVALID_GROUP_ID", false, "group id is invalid"},
	CodeUnknownMemberID + 1:                    {"UNKNOWN_MEMBER_ID", false, "member is unknown to the group"},
	CodeInvalidSessionTimeout + 1:              {"INVALID_SESSION_TIMEOUT", false, "session timeout is outside of the broker's bounds"},
	CodeRebalanceInProgress + 1:                {"REBALANCE_IN_PROGRESS", false, "group is rebalancing"},
	CodeInvalidCommitOffsetSize + 1:            {"INVALID_COMMIT_OFFSET_SIZE", false, "committed offsets are too large to store"},
	CodeTopicAuthorizationFailed + 1:           {"TOPIC_AUTHORIZATION_FAILED", false, "not allowed to use the topic"},
	CodeGroupAuthorizationFailed + 1:           {"GROUP_AUTHORIZATION_FAILED", false, "not allowed to use the group"},
	CodeClusterAuthorizationFailed + 1:         {"CLUSTER_AUTHORIZATION_FAILED", false, "not allowed on the cluster"},
	CodeInvalidTimestamp + 1:                   {"INVALID_TIMESTAMP", false, "record timestamp is out of bounds"},
	CodeUnsupportedSaslMechanism + 1:           {"UNSUPPORTED_SASL_MECHANISM", false, "SASL mechanism is not enabled"},
	CodeIllegalSaslState + 1:                   {"ILLEGAL_SASL_STATE", false, "request does not fit the state of authentication"},
	CodeUnsupportedVersion + 1:                 {"UNSUPPORTED_VERSION", false, "API version is not supported"},
	CodeTopicAlreadyExists + 1:                 {"TOPIC_ALREADY_EXISTS", false, "topic exists already"},
	CodeInvalidPartitions + 1:                  {"INVALID_PARTITIONS", false, "number of partitions is invalid"},
	CodeInvalidReplicationFactor + 1:           {"INVALID_REPLICATION_FACTOR", false, "replication factor is invalid, or more than there are brokers"},
	CodeInvalidReplicaAssignment + 1:           {"INVALID_REPLICA_ASSIGNMENT", false, "assignment of replicas is invalid"},
	CodeInvalidConfig + 1:                      {"INVALID_CONFIG", false, "configuration is invalid"},
	CodeNotController + 1:                      {"NOT_CONTROLLER", true, "this broker is not the controller"},
	CodeInvalidRequest + 1:                     {"INVALID_REQUEST", false, "request is invalid"},
	CodeUnsupportedForMessageFormat + 1:        {"UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "message format of the topic does not support the request"},
	CodePolicyViolation + 1:                    {"POLICY_VIOLATION", false, "refused by a policy"},
	CodeOutOfOrderSequenceNumber + 1:           {"OUT_OF_ORDER_SEQUENCE_NUMBER", false, "sequence number leaves a gap"},
	CodeDuplicateSequenceNumber + 1:            {"DUPLICATE_SEQUENCE_NUMBER", false, "sequence number was written before"},
	CodeInvalidProducerEpoch + 1:               {"INVALID_PRODUCER_EPOCH", false, "producer epoch is old"},
	CodeInvalidTxnState + 1:                    {"INVALID_TXN_STATE", false, "transaction is not in a state for this"},
	CodeInvalidProducerIDMapping + 1:           {"INVALID_PRODUCER_ID_MAPPING", false, "producer id does not belong to the transactional id"},
	CodeInvalidTransactionTimeout + 1:          {"INVALID_TRANSACTION_TIMEOUT", false, "transaction timeout is above the broker's limit"},
	CodeConcurrentTransactions + 1:             {"CONCURRENT_TRANSACTIONS", true, "another change of the transaction is under way"},
	CodeTransactionCoordinatorFenced + 1:       {"TRANSACTION_COORDINATOR_FENCED", false, "transaction coordinator is fenced by a newer one"},
	CodeTransactionalIDAuthorizationFailed + 1: {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "not allowed to use the transactional id"},
	CodeSecurityDisabled + 1:                   {"SECURITY_DISABLED", false, "no authorizer is configured"},
	CodeOperationNotAttempted + 1:              {"OPERATION_NOT_ATTEMPTED", false, "not attempted because another part of the request failed"},
	CodeKafkaStorageError + 1:                  {"KAFKA_STORAGE_ERROR", true, "log directory failed"},
	CodeLogDirNotFound + 1:                     {"LOG_DIR_NOT_FOUND", false, "log directory is not configured"},
	CodeSaslAuthenticationFailed + 1:           {"SASL_AUTHENTICATION_FAILED", false, "authentication failed"},
	CodeUnknownProducerID + 1:                  {"UNKNOWN_PRODUCER_ID", false, "nothing is known about the producer id"},
	CodeReassignmentInProgress + 1:             {"REASSIGNMENT_IN_PROGRESS", false, "partition is being reassigned"},
	CodeDelegationTokenAuthDisabled + 1:        {"DELEGATION_TOKEN_AUTH_DISABLED", false, "delegation tokens are not enabled"},
	CodeDelegationTokenNotFound + 1:            {"DELEGATION_TOKEN_NOT_FOUND", false, "delegation token does not exist"},
	CodeDelegationTokenOwnerMismatch + 1:       {"DELEGATION_TOKEN_OWNER_MISMATCH", false, "not an owner or renewer of the delegation token"},
	CodeDelegationTokenRequestNotAllowed + 1:   {"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "delegation tokens cannot be used over this connection"},
	CodeDelegationTokenAuthorizationFailed + 1: {"DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "not allowed to use the delegation token"},
	CodeDelegationTokenExpired + 1:             {"DELEGATION_TOKEN_EXPIRED", false, "delegation token has expired"},
	CodeInvalidPrincipalType + 1:               {"INVALID_PRINCIPAL_TYPE", false, "principal type is not supported"},
	CodeNonEmptyGroup + 1:                      {"NON_EMPTY_GROUP", false, "group still has members"},
	CodeGroupIDNotFound + 1:                    {"GROUP_ID_NOT_FOUND", false, "group does not exist"},
	CodeFetchSessionIDNotFound + 1:             {"FETCH_SESSION_ID_NOT_FOUND", true, "fetch session does not exist"},
	CodeInvalidFetchSessionEpoch + 1:           {"INVALID_FETCH_SESSION_EPOCH", true, "fetch session is at another epoch"},
	CodeListenerNotFound + 1:                   {"LISTENER_NOT_FOUND", true, "leader has no listener of that name"},
	CodeTopicDeletionDisabled + 1:              {"TOPIC_DELETION_DISABLED", false, "topic deletion is disabled"},
	CodeFencedLeaderEpoch + 1:                  {"FENCED_LEADER_EPOCH", true, "leader epoch is older than the broker's"},
	CodeUnknownLeaderEpoch + 1:                 {"UNKNOWN_LEADER_EPOCH", true, "leader epoch is newer than the broker's"},
	CodeUnsupportedCompressionType + 1:         {"UNSUPPORTED_COMPRESSION_TYPE", false, "compression is not supported in this version"},
	CodeStaleBrokerEpoch + 1:                   {"STALE_BROKER_EPOCH", false, "broker epoch is stale"},
	CodeOffsetNotAvailable + 1:                 {"OFFSET_NOT_AVAILABLE", true, "leader does not know the high watermark yet"},
	CodeMemberIDRequired + 1:                   {"MEMBER_ID_REQUIRED", false, "join again with the member id given"},
	CodePreferredLeaderNotAvailable + 1:        {"PREFERRED_LEADER_NOT_AVAILABLE", true, "preferred leader is not available"},
	CodeGroupMaxSizeReached + 1:                {"GROUP_MAX_SIZE_REACHED", false, "group is full"},
	CodeFencedInstanceID + 1:                   {"FENCED_INSTANCE_ID", false, "another member took the instance id over"},
	CodeEligibleLeadersNotAvailable + 1:        {"ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "no eligible leader is available"},
	CodeElectionNotNeeded + 1:                  {"ELECTION_NOT_NEEDED", true, "partition has the wanted leader already"},
	CodeNoReassignmentInProgress + 1:           {"NO_REASSIGNMENT_IN_PROGRESS", false, "partition is not being reassigned"},
	CodeGroupSubscribedToTopic + 1:             {"GROUP_SUBSCRIBED_TO_TOPIC", false, "group is subscribed to the topic"},
	CodeInvalidRecord + 1:                      {"INVALID_RECORD", false, "record is invalid"},
	CodeUnstableOffsetCommit + 1:               {"UNSTABLE_OFFSET_COMMIT", true, "an open transaction holds newer offsets"},
	CodeThrottlingQuotaExceeded + 1:            {"THROTTLING_QUOTA_EXCEEDED", true, "quota is used up"},
	CodeProducerFenced + 1:                     {"PRODUCER_FENCED", false, "a newer producer uses the transactional id"},
	CodeResourceNotFound + 1:                   {"RESOURCE_NOT_FOUND", false, "resource does not exist"},
	CodeDuplicateResource + 1:                  {"DUPLICATE_RESOURCE", false, "resource is named twice"},
	CodeUnacceptableCredential + 1:             {"UNACCEPTABLE_CREDENTIAL", false, "credential is not acceptable"},
	CodeInconsistentVoterSet + 1:               {"INCONSISTENT_VOTER_SET", false, "voter sets differ"},
	CodeInvalidUpdateVersion + 1:               {"INVALID_UPDATE_VERSION", false, "feature version is invalid"},
	CodeFeatureUpdateFailed + 1:                {"FEATURE_UPDATE_FAILED", false, "features could not be updated"},
	CodePrincipalDeserializationFailure + 1:    {"PRINCIPAL_DESERIALIZATION_FAILURE", false, "forwarded principal cannot be read"},
	CodeSnapshotNotFound + 1:                   {"SNAPSHOT_NOT_FOUND", false, "snapshot does not exist"},
	CodePositionOutOfRange + 1:                 {"POSITION_OUT_OF_RANGE", false, "position is outside of the snapshot"},
	CodeUnknownTopicID + 1:                     {"UNKNOWN_TOPIC_ID", true, "no such topic id here"},
	CodeDuplicateBrokerRegistration + 1:        {"DUPLICATE_BROKER_REGISTRATION", false, "broker id is in use"},
	CodeBrokerIDNotRegistered + 1:              {"BROKER_ID_NOT_REGISTERED", false, "broker id is not registered"},
	CodeInconsistentTopicID + 1:                {"INCONSISTENT_TOPIC_ID", true, "topic id is not that of the log"},
	CodeInconsistentClusterID + 1:              {"INCONSISTENT_CLUSTER_ID", false, "cluster id is another"},
	CodeTransactionalIDNotFound + 1:            {"TRANSACTIONAL_ID_NOT_FOUND", false, "transactional id does not exist"},
	CodeFetchSessionTopicIDError + 1:           {"FETCH_SESSION_TOPIC_ID_ERROR", true, "fetch session mixes topic names and ids"},
	CodeIneligibleReplica + 1:                  {"INELIGIBLE_REPLICA", false, "a replica may not join the in-sync set"},
	CodeNewLeaderElected + 1:                   {"NEW_LEADER_ELECTED", false, "done, and the leader changed"},
	CodeOffsetMovedToTieredStorage + 1:         {"OFFSET_MOVED_TO_TIERED_STORAGE", false, "offset has moved to remote storage"},
	CodeFencedMemberEpoch + 1:                  {"FENCED_MEMBER_EPOCH", false, "member epoch is fenced"},
	CodeUnreleasedInstanceID + 1:               {"UNRELEASED_INSTANCE_ID", false, "instance id is still in use"},
	CodeUnsupportedAssignor + 1:                {"UNSUPPORTED_ASSIGNOR", false, "assignor is not supported"},
	CodeStaleMemberEpoch + 1:                   {"STALE_MEMBER_EPOCH", false, "member epoch is stale"},
	CodeMismatchedEndpointType + 1:             {"MISMATCHED_ENDPOINT_TYPE", false, "endpoint is of another type"},
	CodeUnsupportedEndpointType + 1:            {"UNSUPPORTED_ENDPOINT_TYPE", false, "endpoint type is not supported"},
	CodeUnknownControllerID + 1:                {"UNKNOWN_CONTROLLER_ID", false, "controller id is unknown"},
	CodeUnknownSubscriptionID + 1:              {"UNKNOWN_SUBSCRIPTION_ID", false, "telemetry subscription is unknown or outdated"},
	CodeTelemetryTooLarge + 1:                  {"TELEMETRY_TOO_LARGE", false, "telemetry is too large"},
	CodeInvalidRegistration + 1:                {"INVALID_REGISTRATION", false, "broker registration is invalid"},
	CodeTransactionAbortable + 1:               {"TRANSACTION_ABORTABLE", false, "failed, but the transaction may be aborted and the producer kept"},
	CodeInvalidRecordState + 1:                 {"INVALID_RECORD_STATE", false, "delivery cannot be acknowledged in this state"},
	CodeShareSessionNotFound + 1:               {"SHARE_SESSION_NOT_FOUND", true, "share session does not exist"},
	CodeInvalidShareSessionEpoch + 1:           {"INVALID_SHARE_SESSION_EPOCH", true, "share session is at another epoch"},
	CodeFencedStateEpoch + 1:                   {"FENCED_STATE_EPOCH", false, "state epoch is fenced"},
	CodeInvalidVoterKey + 1:                    {"INVALID_VOTER_KEY", false, "key is not that of the voter"},
	CodeDuplicateVoter + 1:                     {"DUPLICATE_VOTER", false, "voter exists already"},
	CodeVoterNotFound + 1:                      {"VOTER_NOT_FOUND", false, "voter does not exist"},
}

// info answers for unknown codes, which newer peers may send, as Kafka does.
func (c Code) info() *codeInfo {
	if c < -1 || int(c)+1 >= len(codes) {
		c = CodeUnknownServerError
	}
	return &codes[c+1]
}

// Name returns Kafka's name of the code, such as NOT_LEADER_OR_FOLLOWER.
func (c Code) Name() string { return c.info().name }

// Retriable tells whether Kafka's clients try again after this code.
func (c Code) Retriable() bool { return c.info().retriable }

// Error returns the name, the number and a short text.
func (c Code) Error() string {
	i := c.info()
	return i.name + " (" + strconv.Itoa(int(c)) + "): " + i.text
}
