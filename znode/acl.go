package znode

import (
	"strings"

	"github.com/gregor-mq/gregor/zk"
)

// sensitiveRoots begin the paths that only their creator may read.
var sensitiveRoots = []string{ConfigPath + "/users", ConfigPath + "/brokers", TokensPath}

// Sensitive reports whether path holds secrets: passwords of users and brokers,
// and delegation tokens. As in Kafka it is a matter of the text's beginning.
func Sensitive(path string) bool {
	for _, root := range sensitiveRoots {
		if strings.HasPrefix(path, root) {
			return true
		}
	}
	return false
}

// DefaultACL returns the ACL with which a broker creates path. secure is
// zookeeper.set.acl: the creator then has all rights and the world may read
// what is not sensitive. ConsumersPath stays open, since consumers of any kind
// write below it.
func DefaultACL(path string, secure bool) []zk.ACL {
	switch {
	case !secure || path == ConsumersPath:
		return zk.OpenACL()
	case Sensitive(path):
		return zk.CreatorAllACL()
	}
	return append(zk.CreatorAllACL(), zk.ReadACL()...)
}

// SecureRoots are the trees that a migration to or from zookeeper.set.acl goes
// through, in Kafka's order.
func SecureRoots() []string {
	return []string{
		AdminPath, BrokersPath, ClusterPath, ConfigPath, ControllerPath, ControllerEpochPath,
		ISRChangesPath, ProducerIDBlockPath, LogDirEventsPath, DelegationTokenPath, ExtendedACLPath,
		MigrationPath, FeaturePath, ACLPath, ACLChangesPath, PrefixedACLPath, ExtendedACLChangesPath,
	}
}
