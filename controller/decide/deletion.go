package decide

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// deletion is how far a topic queued for deletion is.
type deletion struct {
	// started is set once its partitions are NonExistentPartition.
	started bool
	// halted topics wait: a replica is offline, failed to delete, or a partition
	// is being reassigned. A broker's start or the reassignment's end goes on.
	halted bool
}

// topicDeletion takes over the children of /admin/delete_topics.
func (s *State) topicDeletion() {
	s.znodes([]Op{{Kind: OpList, Path: znode.DeleteTopicsPath, Watch: true}}, func(results []Result) {
		if err := results[0].Err; err != zk.OK {
			s.note("list %s: %v", znode.DeleteTopicsPath, err)
			return
		}
		var known, unknown []string
		for _, name := range sorted(results[0].Children) {
			if s.topics[name] == nil || !s.cfg.DeleteTopics {
				unknown = append(unknown, name)
			} else {
				known = append(known, name)
			}
		}
		for _, name := range known {
			s.queueDeletion(name, s.anyReassigning(name))
		}
		s.then(
			func() { s.dropDeletionNodes(unknown) },
			s.resumeDeletions,
		)
	})
}

// queueDeletion marks a topic; a second request for it changes nothing.
func (s *State) queueDeletion(name string, halted bool) {
	if s.deleting[name] == nil {
		s.deleting[name] = &deletion{}
	}
	if halted {
		s.deleting[name].halted = true
		s.note("deletion of topic %s waits for its reassignment", name)
	}
}

// dropDeletionNodes refuses deletions: of topics that do not exist, or of all
// where delete.topic.enable is off.
func (s *State) dropDeletionNodes(names []string) {
	if len(names) > 0 {
		s.note("not deleting topics %v", names)
	}
	s.removeAll(znode.DeleteTopicsPath, names)
}

// loadDeletions is what a new controller makes of /admin/delete_topics.
func (s *State) loadDeletions(children []string) {
	if !s.cfg.DeleteTopics {
		s.dropDeletionNodes(children)
		return
	}
	for _, name := range sorted(children) {
		t := s.topics[name]
		if t == nil {
			s.deleting[name] = &deletion{} // its nodes are to be cleared away
			continue
		}
		halted := s.anyReassigning(name)
		for _, r := range replicas(t.parts) {
			halted = halted || !s.online(r.p, r.broker)
		}
		s.deleting[name] = &deletion{halted: halted}
	}
}

func (s *State) anyReassigning(name string) bool {
	t := s.topics[name]
	return t != nil && slices.ContainsFunc(t.parts, func(p *partition) bool { return p.reassigning })
}

// haltDeletion makes a queued topic wait.
func (s *State) haltDeletion(name, why string) {
	if d := s.deleting[name]; d != nil && !d.halted {
		d.halted = true
		s.note("deletion of topic %s waits: %s", name, why)
	}
}

// retryDeletions goes on with topics that were halted.
func (s *State) retryDeletions(topics []string) {
	any := false
	for _, name := range topics {
		if d := s.deleting[name]; d != nil {
			d.halted, any = false, true
		}
	}
	if any {
		s.resumeDeletions()
	}
}

// failDeletion halts topics whose replicas could not be deleted.
func (s *State) failDeletion(rs []replicaOf) {
	rs = slices.DeleteFunc(rs, func(r replicaOf) bool { return !s.queued(r.p.topic.name) })
	if len(rs) == 0 {
		return
	}
	s.then(
		func() { s.moveReplicas(rs, ReplicaDeletionIneligible) },
		func() {
			for _, name := range topicsOf(rs) {
				s.haltDeletion(name, "a replica could not be deleted")
			}
			s.resumeDeletions()
		},
	)
}

// stopReplicaDone learns which replicas are deleted. One that was asked before
// its broker came back has failed with that broker, and was asked again.
func (s *State) stopReplicaDone(ev StopReplicaDone) {
	if !s.current(ev.Channel) {
		return
	}
	var bad, good []replicaOf
	for _, e := range ev.Partitions {
		p, d := s.partition(e.TopicPartition), s.deleting[e.Topic]
		if p == nil || d == nil || !d.started || !p.holds(ev.Broker) {
			continue
		}
		r := replicaOf{p, ev.Broker}
		if ev.Err != 0 || e.Err != 0 {
			bad = append(bad, r)
		} else {
			good = append(good, r)
		}
	}
	s.then(
		func() { s.failDeletion(bad) },
		func() {
			if len(good) > 0 {
				s.then(func() { s.moveReplicas(good, ReplicaDeletionSuccessful) }, s.resumeDeletions)
			}
		},
	)
}

// allIn and anyIn look at the replicas of a topic.
func allIn(t *topic, st ReplicaState) bool {
	return !slices.ContainsFunc(replicas(t.parts), func(r replicaOf) bool { return r.state() != st })
}

func anyIn(t *topic, st ReplicaState) bool {
	return slices.ContainsFunc(replicas(t.parts), func(r replicaOf) bool { return r.state() == st })
}

// resumeDeletions does for every queued topic what can be done now.
func (s *State) resumeDeletions() {
	var done []string
	var retry []replicaOf
	var begin []string
	for _, name := range sortedKeys(s.deleting) {
		t, d := s.topics[name], s.deleting[name]
		switch {
		case t == nil || allIn(t, ReplicaDeletionSuccessful):
			done = append(done, name)
			continue
		case anyIn(t, ReplicaDeletionStarted):
			continue // answers are due
		}
		for _, r := range replicas(t.parts) {
			if r.state() == ReplicaDeletionIneligible {
				retry = append(retry, r)
			}
		}
		if !d.halted {
			begin = append(begin, name)
		}
	}
	s.then(
		func() { s.finishDeletions(done) },
		func() { s.moveReplicas(retry, OfflineReplica) },
		func() { s.beginDeletions(begin) },
	)
}

// beginDeletions takes partitions out of being and tells brokers to delete
// their logs. Replicas that cannot be told halt their topic.
func (s *State) beginDeletions(topics []string) {
	var parts, unseen []*partition
	for _, name := range topics {
		parts = append(parts, s.topics[name].parts...)
		if !s.deleting[name].started {
			unseen = append(unseen, s.topics[name].parts...)
		}
	}
	if len(parts) == 0 {
		return
	}
	var dead, alive []replicaOf
	for _, r := range replicas(parts) {
		switch {
		case !s.online(r.p, r.broker):
			dead = append(dead, r)
		case r.state() != ReplicaDeletionSuccessful:
			alive = append(alive, r)
		}
	}
	s.then(
		func() { s.movePartitions(unseen, OfflinePartition, nil, nil) },
		func() { s.movePartitions(unseen, NonExistentPartition, nil, nil) },
		func() {
			for _, name := range topics {
				s.deleting[name].started = true
			}
			s.announce(s.registered(), parts...)
		},
		func() { s.moveReplicas(dead, ReplicaDeletionIneligible) },
		func() { s.moveReplicas(alive, OfflineReplica) },
		func() { s.moveReplicas(alive, ReplicaDeletionStarted) },
		func() {
			for _, name := range topicsOf(dead) {
				s.haltDeletion(name, "a replica is offline")
			}
		},
	)
}

// finishDeletions clears away the znodes of topics whose replicas are gone.
func (s *State) finishDeletions(topics []string) {
	var steps []func()
	for _, name := range topics {
		var rs []replicaOf
		if t := s.topics[name]; t != nil {
			rs = replicas(t.parts)
		}
		steps = append(steps,
			func() { s.moveReplicas(rs, NonExistentReplica) },
			func() { s.removeTree([]string{znode.TopicPath(name)}, nil, 0) },
			func() {
				s.znodes([]Op{
					{Kind: OpRemove, Path: pathTopicConfig(name), Version: anyVersion, Fence: true},
					{Kind: OpRemove, Path: znode.DeleteTopicPath(name), Version: anyVersion, Fence: true},
				}, func([]Result) {
					s.dropTopic(name)
					s.note("topic %s is deleted", name)
				})
			},
		)
	}
	s.then(steps...)
}

// maxTreeDepth bounds removeTree; a topic's own tree is four levels deep.
const maxTreeDepth = 16

// removeTree deletes a node and all below it, finding level after level, then
// deleting from the deepest up. found holds the levels above.
func (s *State) removeTree(level, found []string, depth int) {
	if len(level) == 0 || depth == maxTreeDepth {
		s.removeTreeNodes(found)
		return
	}
	var ops []Op
	for _, path := range level {
		ops = append(ops, Op{Kind: OpList, Path: path})
	}
	s.znodes(ops, func(results []Result) {
		var below []string
		for i, r := range results {
			for _, child := range sorted(r.Children) {
				below = append(below, level[i]+"/"+child)
			}
		}
		s.removeTree(below, append(found, level...), depth+1)
	})
}

func (s *State) removeTreeNodes(paths []string) {
	var ops []Op
	for _, path := range slices.Backward(paths) {
		ops = append(ops, Op{Kind: OpRemove, Path: path, Version: anyVersion, Fence: true})
	}
	s.znodes(ops, func(results []Result) {
		var bad []string
		for i, r := range results {
			if r.Err != zk.OK && r.Err != zk.ErrNoNode {
				bad = append(bad, fmt.Sprintf("%s: %v", ops[i].Path, r.Err))
			}
		}
		if len(bad) > 0 {
			s.note("could not delete %s", strings.Join(bad, ", "))
		}
	})
}
