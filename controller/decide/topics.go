package decide

import (
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// topicChange finds out which topics came and which went.
func (s *State) topicChange() {
	s.znodes([]Op{{Kind: OpList, Path: znode.TopicsPath, Watch: true}}, func(results []Result) {
		if err := results[0].Err; err != zk.OK {
			s.note("list %s: %v", znode.TopicsPath, err)
			return
		}
		var fresh []string
		gone := map[string]bool{}
		for name := range s.topics {
			gone[name] = true
		}
		for _, name := range results[0].Children {
			if !gone[name] {
				fresh = append(fresh, name)
			}
			delete(gone, name)
		}
		for _, name := range sortedKeys(gone) {
			s.note("topic %s vanished", name)
			s.dropTopic(name)
		}
		var created []*partition
		s.then(
			func() { s.readTopics(fresh, &created) },
			func() { s.createPartitions(created) },
		)
	})
}

// readTopics takes topics into the context and keeps their nodes watched. A
// topic without an id, made by a tool older than 2.8, gets one first. Its
// partitions are appended to added, which may be nil.
func (s *State) readTopics(names []string, added *[]*partition) {
	names = sorted(names)
	var ops []Op
	for _, name := range names {
		ops = append(ops, Op{Kind: OpRead, Path: znode.TopicPath(name), Watch: true})
	}
	nodes := make([]*topicNode, len(names))
	s.then(
		func() {
			s.znodes(ops, func(results []Result) {
				for i, r := range results {
					nodes[i] = s.takeTopic(names[i], r)
				}
			})
		},
		func() { s.giveIDs(names, nodes, 0) },
		func() {
			for i, n := range nodes {
				if n == nil {
					continue
				}
				t := s.addTopic(names[i], n.ID)
				for _, id := range n.order() {
					p := t.ensure(id)
					p.assignment = Assignment(n.Partitions[id])
					if added != nil {
						*added = append(*added, p)
					}
				}
			}
		},
	)
}

// takeTopic decodes a topic node; nil for one that is gone or cannot be read.
func (s *State) takeTopic(name string, r Result) *topicNode {
	if r.Err != zk.OK {
		if r.Err != zk.ErrNoNode {
			s.note("read %s: %v", znode.TopicPath(name), r.Err)
		}
		return nil
	}
	n, err := znode.DecodeTopic(znode.TopicPath(name), r.Data)
	if err != nil {
		s.note("ignoring topic %s: %v", name, err)
		return nil
	}
	return &topicNode{n, r.Stat.Version}
}

// giveIDs writes ids for topics that have none. A refused compare-and-set means
// that somebody adds partitions right now: read again.
func (s *State) giveIDs(names []string, nodes []*topicNode, round int) {
	var ops []Op
	var at []int
	for i, n := range nodes {
		if n != nil && n.ID == (TopicID{}) {
			n.ID, n.Version = s.cfg.NewTopicID(), 0
			at = append(at, i)
			ops = append(ops, Op{Kind: OpWrite, Path: znode.TopicPath(names[i]), Data: n.Encode(), Version: n.version, Fence: true})
		}
	}
	s.znodes(ops, func(results []Result) {
		var again []string
		var where []int
		for k, r := range results {
			switch i := at[k]; {
			case r.Err == zk.OK:
			case r.Err == zk.ErrBadVersion && round < maxConflicts:
				again, where = append(again, names[i]), append(where, i)
			default:
				s.note("no id for topic %s: %v", names[i], r.Err)
				nodes[i] = nil
			}
		}
		var reads []Op
		for _, name := range again {
			reads = append(reads, Op{Kind: OpRead, Path: znode.TopicPath(name), Watch: true})
		}
		s.then(
			func() {
				s.znodes(reads, func(results []Result) {
					for k, r := range results {
						nodes[where[k]] = s.takeTopic(again[k], r)
					}
				})
			},
			func() {
				if len(again) > 0 {
					s.giveIDs(names, nodes, round+1)
				}
			},
		)
	})
}

// createPartitions brings partitions into being that have an assignment only.
func (s *State) createPartitions(ps []*partition) {
	if len(ps) == 0 {
		return
	}
	s.then(
		func() { s.movePartitions(ps, NewPartition, nil, nil) },
		func() { s.moveReplicas(replicas(ps), NewReplica) },
		func() { s.movePartitions(ps, OnlinePartition, electOffline{}, nil) },
		func() { s.moveReplicas(replicas(ps), OnlineReplica) },
	)
}

// partitionModified creates partitions that were added to a topic's node. Other
// edits are ignored; a topic about to be deleted gets its old node back.
func (s *State) partitionModified(name string) {
	s.znodes([]Op{{Kind: OpRead, Path: znode.TopicPath(name), Watch: true}}, func(results []Result) {
		t := s.topics[name]
		n := s.takeTopic(name, results[0])
		if n == nil || t == nil {
			return
		}
		var added []int32
		for _, id := range n.order() {
			if p := t.find(id); p == nil || len(p.assignment.Replicas) == 0 {
				added = append(added, id)
			}
		}
		switch {
		case len(added) == 0:
			s.keepID(t, n)
		case s.queued(name):
			s.note("topic %s is being deleted: no partitions are added to it", name)
			s.znodes([]Op{{
				Kind: OpWrite, Path: znode.TopicPath(name), Data: nodeOf(t).Encode(), Version: n.version, Fence: true,
			}}, func([]Result) {})
		default:
			var ps []*partition
			for _, id := range added {
				p := t.ensure(id)
				p.assignment = Assignment(n.Partitions[id])
				ps = append(ps, p)
			}
			s.then(
				func() { s.keepID(t, n) },
				func() { s.createPartitions(ps) },
			)
		}
	})
}

// keepID puts a topic's id back into its node when a tool older than 2.8 wrote
// the node without: the next controller would give it another one, which no
// replica would take. A refused compare-and-set means that the node changed
// again, and its watch has fired.
func (s *State) keepID(t *topic, n *topicNode) {
	if n.ID != (TopicID{}) || t.id == (TopicID{}) {
		return
	}
	n.ID, n.Version = t.id, 0
	op := Op{Kind: OpWrite, Path: znode.TopicPath(t.name), Data: n.Encode(), Version: n.version, Fence: true}
	s.znodes([]Op{op}, func(results []Result) {
		if err := results[0].Err; err != zk.OK && err != zk.ErrBadVersion {
			s.note("the id of topic %s is not in its node: %v", t.name, err)
		}
	})
}

// nodeOf is the topic node that memory stands for.
func nodeOf(t *topic) znode.Topic {
	n := znode.Topic{ID: t.id, Partitions: map[int32]znode.Replicas{}}
	for _, p := range t.parts {
		if len(p.assignment.Replicas) > 0 {
			n.Partitions[p.id] = znode.Replicas(p.assignment)
		}
	}
	return n
}

func topicsOf(rs []replicaOf) []string {
	set := map[string]bool{}
	for _, r := range rs {
		set[r.p.topic.name] = true
	}
	return sortedKeys(set)
}
