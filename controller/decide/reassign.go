package decide

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// alterReassignments begins, replaces or cancels reassignments (KIP-455). What
// the API asks for wins over what /admin/reassign_partitions asks for.
func (s *State) alterReassignments(ev AlterReassignments) {
	out := make([]ReassignmentResult, len(ev.Items))
	var begin []int
	for i, item := range ev.Items {
		out[i] = ReassignmentResult{TopicPartition: item.TopicPartition}
		if out[i].Err, out[i].Message = s.checkReassignment(item); out[i].Err == 0 {
			begin = append(begin, i)
		}
	}
	steps := []func(){func() {
		s.leaveReassignNode(func(tp TopicPartition, _ []int32) bool {
			return slices.ContainsFunc(begin, func(i int) bool { return out[i].TopicPartition == tp })
		})
	}}
	for _, i := range begin {
		steps = append(steps, func() {
			item := ev.Items[i]
			p := s.partition(item.TopicPartition)
			target := item.Target
			if target == nil {
				target = p.assignment.Origin()
			}
			s.reassign(p, p.assignment.ReassignTo(target), func(err wire.Code) {
				if out[i].Err = err; err != 0 {
					out[i].Message = "The server experienced an unexpected error when processing the request."
				}
			})
		})
	}
	s.then(append(steps, func() { s.answer(ReassignmentResults{Items: out}) })...)
}

// checkReassignment validates one item of the API. As in Kafka the target is
// looked at first: what is wrong with it is wrong with any partition.
func (s *State) checkReassignment(item Reassignment) (wire.Code, string) {
	p := s.partition(item.TopicPartition)
	var is Assignment
	if p != nil {
		is = p.assignment
	}
	if item.Target == nil {
		if !is.Reassigning() {
			return wire.CodeNoReassignmentInProgress, "No partition reassignment is in progress."
		}
	} else if code, why := s.checkTarget(is, item.Target); code != 0 {
		return code, why
	}
	if len(is.Replicas) == 0 || s.queued(item.Topic) {
		return wire.CodeUnknownTopicOrPartition, "The partition does not exist."
	}
	return 0, ""
}

func (s *State) checkTarget(is Assignment, target []int32) (wire.Code, string) {
	seen := slices.Sorted(slices.Values(target))
	adding := is.ReassignTo(target).Adding
	switch {
	case len(target) == 0:
		return wire.CodeInvalidReplicaAssignment, "Empty replica list specified in partition reassignment."
	case len(slices.Compact(seen)) != len(target):
		return wire.CodeInvalidReplicaAssignment, "Duplicate replica ids in partition reassignment replica list: " + scalaList("ArrayBuffer", target)
	case slices.Min(target) < 0:
		return wire.CodeInvalidReplicaAssignment, "Invalid broker id in replica list: " + scalaList("ArrayBuffer", target)
	case slices.ContainsFunc(adding, func(id int32) bool { return !s.live(id) }):
		live := slices.DeleteFunc(s.registered(), func(id int32) bool { return !s.live(id) })
		return wire.CodeInvalidReplicaAssignment, fmt.Sprintf("Replica assignment has brokers that are not alive. Replica list: %s, live broker list: %s",
			scalaList("ArrayBuffer", adding), scalaList("Set", live))
	}
	return 0, ""
}

// scalaList prints ids as Kafka's messages do.
func scalaList(kind string, ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	return kind + "(" + strings.Join(words, ", ") + ")"
}

// listReassignments is the ListPartitionReassignments API.
func (s *State) listReassignments(ev ListReassignments) {
	ps := s.partitions(func(p *partition) bool { return p.reassigning && p.assignment.Reassigning() })
	if ev.Partitions != nil {
		ps = nil
		for _, tp := range ev.Partitions {
			if p := s.partition(tp); p != nil && p.assignment.Reassigning() {
				ps = append(ps, p)
			}
		}
		sortParts(ps)
		ps = slices.Compact(ps)
	}
	var items []OngoingReassignment
	for _, p := range ps {
		items = append(items, OngoingReassignment{p.tp(), p.assignment})
	}
	s.answer(Reassignments{Items: items})
}

// reassignmentNode does what /admin/reassign_partitions asks for. done gets the
// partitions it took on; it may be nil.
func (s *State) reassignmentNode(done map[*partition]bool) {
	s.readReassignNode(func(items []Reassignment, _ int32) {
		failed := map[TopicPartition]bool{}
		var steps []func()
		for _, item := range items {
			p := s.partition(item.TopicPartition)
			if p == nil || len(p.assignment.Replicas) == 0 || s.queued(item.Topic) || len(item.Target) == 0 {
				s.warn("cannot reassign %s", item.TopicPartition)
				failed[item.TopicPartition] = true
				continue
			}
			if done == nil && p.reassigning && p.assignment.equal(p.assignment.ReassignTo(item.Target)) {
				continue // under way; the node changed for the sake of another
			}
			steps = append(steps, func() {
				s.reassign(p, p.assignment.ReassignTo(item.Target), func(err wire.Code) {
					switch {
					case err != 0:
						failed[item.TopicPartition] = true
					case done != nil:
						done[p] = true
					}
				})
			})
		}
		s.then(append(steps, func() {
			if len(failed) > 0 {
				s.leaveReassignNode(func(tp TopicPartition, _ []int32) bool { return failed[tp] })
			}
		})...)
	})
}

// readReassignNode reads the node and arms its watch; next runs only when there
// is one. A node that cannot be read stays, as its writer may want to see it.
func (s *State) readReassignNode(next func(items []Reassignment, version int32)) {
	s.znodes([]Op{
		{Kind: OpExists, Path: znode.ReassignPath, Watch: true},
		{Kind: OpRead, Path: znode.ReassignPath},
	}, func(results []Result) {
		switch r := results[1]; r.Err {
		case zk.OK:
			items, err := decodeReassignments(r.Data)
			if err != nil {
				s.warn("ignoring %s: %v", znode.ReassignPath, err)
				return
			}
			next(items, r.Stat.Version)
		case zk.ErrNoNode:
		default:
			s.note("read %s: %v", znode.ReassignPath, r.Err)
		}
	})
}

// leaveReassignNode takes partitions out of /admin/reassign_partitions, and
// deletes it when none is left. The watch that was armed by reading it fires for
// that, and the event it becomes looks for the next node.
func (s *State) leaveReassignNode(out func(TopicPartition, []int32) bool) {
	s.leaveReassignRound(out, 0)
}

func (s *State) leaveReassignRound(out func(TopicPartition, []int32) bool, round int) {
	s.readReassignNode(func(items []Reassignment, version int32) {
		left := slices.DeleteFunc(slices.Clone(items), func(r Reassignment) bool { return out(r.TopicPartition, r.Target) })
		op := Op{Kind: OpWrite, Path: znode.ReassignPath, Data: encodeReassignments(left), Version: version, Fence: true}
		switch {
		case len(left) == len(items) && len(left) > 0:
			return
		case len(left) == 0:
			op.Kind, op.Data = OpRemove, nil
		}
		s.znodes([]Op{op}, func(results []Result) {
			switch err := results[0].Err; {
			case err == zk.ErrBadVersion && round < maxConflicts:
				s.leaveReassignRound(out, round+1) // a tool wrote to it meanwhile
			case err != zk.OK && err != zk.ErrNoNode:
				s.note("write %s: %v", znode.ReassignPath, err)
			}
		})
	})
}

// resumeReassignments is what a new controller does: the node first, then those
// that the topics' nodes say are under way.
func (s *State) resumeReassignments() {
	taken := map[*partition]bool{}
	s.then(
		func() { s.reassignmentNode(taken) },
		func() { s.resumeReassigning(func(p *partition) bool { return !taken[p] }) },
	)
}

// resumeReassigning goes on with reassignments that keep says yes to.
func (s *State) resumeReassigning(keep func(*partition) bool) {
	var steps []func()
	for _, p := range s.partitions(func(p *partition) bool { return p.reassigning && keep(p) }) {
		steps = append(steps, func() { s.reassign(p, p.assignment, nil) })
	}
	s.then(steps...)
}

// completeReassignment goes on with a partition whose ISR changed, when all its
// target replicas are in it.
func (s *State) completeReassignment(p *partition) {
	if p != nil && p.reassigning && caughtUp(p, p.assignment) {
		s.reassign(p, p.assignment, nil)
	}
}

func caughtUp(p *partition, a Assignment) bool {
	return !a.Reassigning() || p.lead != nil && subset(a.Target(), p.lead.ISR)
}

// reassign takes a partition as far towards assignment a as it can go now. The
// letters are those of Kafka's phases. done hears whether it was taken on; it
// may be nil.
func (s *State) reassign(p *partition, a Assignment, done func(wire.Code)) {
	s.haltDeletion(p.topic.name, "a partition is being reassigned")
	ok := true
	s.then(
		func() { // U: the goal is durable before anything is done for it
			if a.equal(p.assignment) {
				p.reassigning = true
				return
			}
			unneeded := without(p.assignment.Replicas, a.Replicas)
			s.writeAssignment(p, a, func(good bool) {
				if ok = good; !ok {
					return
				}
				p.assignment, p.reassigning = a, true
				s.dropReplicas(p, unneeded)
			})
		},
		func() {
			switch {
			case !ok:
			case !caughtUp(p, a):
				s.then(
					func() { s.bumpEpoch(p) },                              // A1
					func() { s.moveReplicas(on(p, a.Adding), NewReplica) }, // A2
				)
			default:
				s.finishReassignment(p, a)
			}
		},
		func() {
			switch {
			case done == nil:
			case ok:
				done(0)
			default:
				done(wire.CodeUnknownServerError)
			}
		},
	)
}

// finishReassignment is phase B: all target replicas are in sync.
func (s *State) finishReassignment(p *partition, a Assignment) {
	final := Assignment{Replicas: a.Target()}
	s.then(
		func() { s.moveReplicas(on(p, a.Adding), OnlineReplica) },
		func() {
			p.assignment = final
			if slices.Contains(final.Replicas, p.leader()) && s.online(p, p.leader()) {
				s.bumpEpoch(p)
			} else {
				s.movePartitions([]*partition{p}, OnlinePartition, electReassigned{}, nil)
			}
		},
		func() { s.dropReplicas(p, a.Removing) },
		func() {
			s.writeAssignment(p, final, func(good bool) {
				if !good {
					s.note("reassignment of %s is done, but its topic's node says otherwise", p.tp())
				}
			})
		},
		func() {
			s.leaveReassignNode(func(tp TopicPartition, target []int32) bool {
				return tp == p.tp() && slices.Equal(target, final.Replicas)
			})
		},
		func() {
			p.reassigning = false
			s.announce(s.registered(), p)
			s.retryDeletions([]string{p.topic.name})
		},
	)
}

// dropReplicas stops and deletes replicas that leave a partition for good. The
// brokers' answers are not awaited; one that is away keeps its log, as in Kafka.
func (s *State) dropReplicas(p *partition, brokers []int32) {
	rs := on(p, brokers)
	s.then(
		func() { s.moveReplicas(rs, OfflineReplica) },
		func() { s.moveReplicas(rs, ReplicaDeletionStarted) },
		func() { s.moveReplicas(rs, ReplicaDeletionSuccessful) },
		func() { s.moveReplicas(rs, NonExistentReplica) },
	)
}

func on(p *partition, brokers []int32) []replicaOf {
	var out []replicaOf
	for _, id := range brokers {
		out = append(out, replicaOf{p, id})
	}
	return out
}

// bumpEpoch raises the leader epoch without another change, so that replicas
// take over a changed assignment, and tells them.
func (s *State) bumpEpoch(p *partition) {
	if p.lead == nil {
		s.refuse(p.tp(), p.state, p.state, "it has no leader epoch to raise")
		return
	}
	s.newBatch()
	s.then(func() { s.writeBumped(p, 0) }, s.flush)
}

func (s *State) writeBumped(p *partition, round int) {
	l := p.lead.next(p.lead.Leader, p.lead.ISR)
	l.ControllerEpoch = s.epoch
	s.znodes([]Op{s.writeState(p, l)}, func(results []Result) {
		switch err := results[0].Err; {
		case err == zk.OK:
			l.PartitionEpoch = results[0].Stat.Version
			p.lead = &l
			s.tellLeader(p, p.assignment.Origin(), false)
			// A replica that is added may be put on any good disk.
			s.tellLeader(p, p.assignment.Adding, true)
		case err == zk.ErrBadVersion && round < maxConflicts:
			s.readStates([]*partition{p}, func(failed map[*partition]string) {
				if why, bad := failed[p]; bad {
					s.refuse(p.tp(), p.state, p.state, "%s", why)
					return
				}
				s.writeBumped(p, round+1)
			})
		default:
			s.refuse(p.tp(), p.state, p.state, "raising the leader epoch: %v", err)
		}
	})
}

// writeAssignment puts one partition's assignment into its topic's node, read
// just before: partitions may be added to it at any time.
func (s *State) writeAssignment(p *partition, a Assignment, next func(bool)) {
	s.rewriteTopic(p, a, next, 0)
}

func (s *State) rewriteTopic(p *partition, a Assignment, next func(bool), round int) {
	name := p.topic.name
	s.znodes([]Op{{Kind: OpRead, Path: znode.TopicPath(name), Watch: true}}, func(results []Result) {
		n := s.takeTopic(name, results[0])
		if n == nil {
			next(false)
			return
		}
		n.ID, n.Version, n.Partitions[p.id] = p.topic.id, 0, znode.Replicas(a)
		s.znodes([]Op{{Kind: OpWrite, Path: znode.TopicPath(name), Data: n.Encode(), Version: n.version, Fence: true}}, func(results []Result) {
			switch err := results[0].Err; {
			case err == zk.OK:
				next(true)
			case err == zk.ErrBadVersion && round < maxConflicts:
				s.rewriteTopic(p, a, next, round+1)
			default:
				s.note("write %s: %v", znode.TopicPath(name), err)
				next(false)
			}
		})
	})
}
