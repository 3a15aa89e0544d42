package registry

import (
	"strings"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// private are the parents, and what is below them, that only brokers may read:
// secrets are there.
var private = []string{znode.ConfigTypePath(znode.Users), znode.ConfigTypePath(znode.Brokers), znode.TokensPath}

// ACL returns the rule by which nodes are protected: with secure
// (zookeeper.set.acl) only the creator may write, and all but secrets can be
// read by everybody. /consumers is always open, for consumers write there.
func ACL(secure bool) func(path string) []zk.ACL {
	return func(path string) []zk.ACL {
		if !secure || path == znode.ConsumersPath {
			return zk.OpenACL()
		}
		for _, p := range private {
			if path == p || strings.HasPrefix(path, p+"/") {
				return zk.CreatorAllACL()
			}
		}
		return append(zk.CreatorAllACL(), zk.ReadACL()...)
	}
}
