package keeper

import (
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/keeper/ensemble"
)

// protocol is the version of what members say to each other.
const protocol = 1

// memberOf is the number of the member that a raft id belongs to.
func memberOf(raft uint64) uint64 { return raft & 0xff }

// raftID makes a new one for a member, from 56 bits of randomness.
func raftID(random, member uint64) uint64 { return random<<8 | member }

// inEnsemble reports whether there are to be other members.
func (c Config) inEnsemble() bool { return len(c.Servers) > 1 }

// self is this member's own line.
func (c Config) self() (ensemble.Server, bool) {
	i := slices.IndexFunc(c.Servers, func(s ensemble.Server) bool { return s.Number == c.Member })
	if i < 0 {
		return ensemble.Server{}, false
	}
	return c.Servers[i], true
}

// checkServers names what is wrong with the members.
func (c Config) checkServers() error {
	if !c.inEnsemble() {
		return nil
	}
	if _, ok := c.self(); !ok {
		return fmt.Errorf("myid=%d: there is no line server.%d", c.Member, c.Member)
	}
	_, err := ensemble.NewConfig(0, c.Servers)
	return err
}

// quorumAddr is where this member listens for others.
func (c Config) quorumAddr() string {
	s, _ := c.self()
	if c.QuorumListenAll {
		s.Host = ""
	}
	return s.Peer()
}
