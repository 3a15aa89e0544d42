//go:build interop

package cluster

import (
	"slices"
	"testing"

	"github.com/gregor-mq/gregor/interop/peer"
)

// layout says who plays which part in a cluster of three.
type layout struct {
	name      string
	brokers   []peer.Kind // the first is the controller to begin with
	keeper    peer.Kind
	zookeeper string
	long      bool
}

const (
	apache = peer.KindApache
	gregor = peer.KindGregor
)

var layouts = []layout{
	{name: "apache-controls", brokers: []peer.Kind{apache, gregor, gregor}, keeper: apache},
	{name: "gregor-controls", brokers: []peer.Kind{gregor, apache, apache}, keeper: gregor},
	{name: "gregor-controls-zookeeper-3.9", brokers: []peer.Kind{gregor, apache, gregor}, keeper: apache, zookeeper: "3.9.4", long: true},
	{name: "apache-controls-keeper", brokers: []peer.Kind{apache, gregor, apache}, keeper: gregor, long: true},
}

// stories are told one after the other of one cluster; each leaves all brokers
// running and all replicas in sync.
var stories = []struct {
	name string
	tell func(*testing.T, *cluster)
}{
	{"replication", replication},
	{"refusals", refusals},
	{"producer-ids", producerIDs},
	{"leader-epochs", leaderEpochs},
	{"configs", topicConfigs},
	{"expansion", expansion},
	{"deletion", deletion},
	{"reassignment", reassignment},
	{"cancelled-reassignment", cancelledReassignment},
	{"shrinking", shrinking},
	{"failover", failover},
	{"preferred-election", preferredElection},
	{"unclean-election", uncleanElection},
	{"log-dir-failure", logDirFailure},
	{"deletion-waits", deletionWaits},
}

// steady is a topic that is there in every story.
const steady = "steady"

// TestMixed tells all stories of clusters of both kinds.
func TestMixed(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			if l.long && !long {
				t.Skip("a long form: GREGOR_INTEROP_LONG=1")
			}
			c := clients(t, peer.StartCluster(t, peer.ClusterOptions{Brokers: l.brokers, Keeper: l.keeper, ZooKeeper: l.zookeeper, LogDirs: 2}))
			c.createTopic(t, steady, rotated(1, all...))
			for _, s := range stories {
				t.Run(s.name, func(t *testing.T) {
					defer c.restore(t)
					s.tell(t, c)
				})
			}
		})
	}
}

// restore brings back what a story that failed left stopped, for the next one.
func (c *cluster) restore(t *testing.T) {
	t.Helper()
	for _, b := range c.Brokers {
		select {
		case <-b.Done():
			c.registered(t, b, false)
			b.Launch(c.scope)
		default:
			b.Resume(t)
		}
	}
	for _, b := range c.Brokers {
		c.registered(t, b, true)
	}
}

// ids of the brokers of every layout.
var all = []int32{0, 1, 2}

// others returns the ids of all brokers but one.
func others(b *peer.Broker) []int32 {
	return slices.DeleteFunc(slices.Clone(all), func(id int32) bool { return id == b.ID })
}
