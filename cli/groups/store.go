package groups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/cli/reach"
	"github.com/gregor-mq/gregor/cli/term"
)

// The kinds of groups, by where their offsets are.
const (
	inZooKeeper = "zookeeper"
	inKafka     = "kafka"
)

// store keeps the groups of one kind.
type store interface {
	kind() string
	// list returns all groups with their states, those that could be read also when
	// there is an error.
	list(ctx context.Context) ([]listed, error)
	// read returns a group, nil when there is none of that name.
	read(ctx context.Context, name string) (*group, error)
	// commit sets offsets of a group without members; g is what read returned, nil
	// for a group to make. The error wraps errActive when it has members.
	commit(ctx context.Context, name string, g *group, to map[part]int64) error
	// remove deletes a group without members. The error wraps errActive when it
	// has some.
	remove(ctx context.Context, g *group) error
}

// errActive refuses changes to groups that are at work.
var errActive = errors.New("the group is active: stop its members first")

// listed is a line of `groups list`.
type listed struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	State string `json:"state"`
}

// part is a partition of a topic. broker is -1 but for the partitions of Kafka
// 0.7, which counted on each broker anew.
type part struct {
	topic     string
	broker    int32
	partition int32
}

func partition(topic string, n int32) part { return part{topic, -1, n} }

// number is the partition's name in its topic: "0", or "3-0" of Kafka 0.7.
func (p part) number() string {
	if p.broker >= 0 {
		return fmt.Sprintf("%d-%d", p.broker, p.partition)
	}
	return fmt.Sprint(p.partition)
}

// String is the topic alone for partition -1, which stands for all of them.
func (p part) String() string {
	if p.partition < 0 {
		return p.topic
	}
	return p.topic + "-" + p.number()
}

func (p part) compare(q part) int {
	return cmp.Or(strings.Compare(p.topic, q.topic), cmp.Compare(p.broker, q.broker), cmp.Compare(p.partition, q.partition))
}

// sortedParts returns the keys of m in order.
func sortedParts[V any](m map[part]V) []part {
	return slices.SortedFunc(maps.Keys(m), part.compare)
}

// group is what a store knows of a group.
type group struct {
	name, kind, state string
	// assignor is how partitions are shared out; empty when it is not known.
	assignor string
	members  []member
	offsets  map[part]int64
	owners   map[part]string // the id of the member, or its stream
	// faults are what could not be understood.
	faults []error
	// litter are nodes of members and owners in ZooKeeper that are persistent: no
	// member made them so, and none takes them away.
	litter []string
	// notes are what else is worth telling.
	notes []string
	// denied are nodes in ZooKeeper that may not be read.
	denied []string
	// versions are those of the offset nodes in ZooKeeper.
	versions map[part]int32
}

// member is a consumer of a group.
type member struct {
	ID     string `json:"id"`
	Client string `json:"client,omitempty"`
	Host   string `json:"host,omitempty"`
	// Wants is what it subscribed to, in words.
	Wants string `json:"wants,omitempty"`
}

// idle returns an error that names who is at work in the group, or what hides
// whether anybody is.
func (g *group) idle() error {
	var who []string
	for _, m := range g.members {
		who = append(who, term.Text(m.ID))
	}
	switch {
	case len(who) > 0:
	case len(g.litter) > 0:
		return fmt.Errorf("group %s in %s is not as members leave it: %s", g.name, g.kind, g.rubbish(0))
	case len(g.denied) > 0:
		return fmt.Errorf("group %s in %s: %w", g.name, g.kind, reach.Unreadable(g.denied))
	}
	for _, p := range sortedParts(g.owners) {
		if len(who) == 0 {
			who = append(who, fmt.Sprintf("%s, the owner of %s", term.Text(g.owners[p]), p))
		}
	}
	if len(who) == 0 {
		return nil
	}
	return fmt.Errorf("group %s in %s: %w (%s: %s)", g.name, g.kind, errActive, term.Count(len(who), "member"), who[0])
}

// rubbish tells what a node of litter is, and how to be rid of it.
func (g *group) rubbish(i int) string {
	return fmt.Sprintf("%s is persistent, and so no member's; `gregor zk delete %[1]s` removes it", term.Printable(g.litter[i]))
}
