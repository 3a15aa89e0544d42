package decide

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/test/story"
)

// TestTransitions draws both machines as tables: rows are where one comes from,
// columns where it may go.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	partitions := []PartitionState{NewPartition, OnlinePartition, OfflinePartition, NonExistentPartition}
	fmt.Fprintf(&b, "%-28s", "partition")
	for _, to := range partitions {
		fmt.Fprintf(&b, "%-28s", to)
	}
	for _, from := range partitions {
		fmt.Fprintf(&b, "\n%-28s", from)
		for _, to := range partitions {
			fmt.Fprintf(&b, "%-28s", partitionMove(t, from, to))
		}
	}
	states := []ReplicaState{NewReplica, OnlineReplica, OfflineReplica, ReplicaDeletionStarted, ReplicaDeletionSuccessful, ReplicaDeletionIneligible, NonExistentReplica}
	fmt.Fprintf(&b, "\n\n%-28s", "replica")
	for _, to := range states {
		fmt.Fprintf(&b, "%-28s", to)
	}
	for _, from := range states {
		fmt.Fprintf(&b, "\n%-28s", from)
		for _, to := range states {
			fmt.Fprintf(&b, "%-28s", replicaMove(t, from, to))
		}
	}
	var got strings.Builder
	for line := range strings.Lines(b.String()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	story.Golden(t, "testdata/transitions.golden", got.String())
}

// lone returns an active controller of one topic with one partition on broker 1.
func lone() (*State, *partition) {
	s := New(Config{BrokerID: 1, NewTopicID: func() TopicID { return TopicID{1} }})
	s.controller, s.epoch, s.fence = 1, 1, 1
	s.brokers[1] = &Broker{ID: 1}
	p := s.addTopic("t", TopicID{2}).ensure(0)
	p.assignment = Assignment{Replicas: []int32{1}}
	p.lead = &Leadership{Leader: 1, ISR: []int32{1}}
	return s, p
}

// settle runs what was begun, saying yes to every operation.
func settle(s *State) (refused int) {
	for {
		s.run()
		for _, e := range s.out {
			if _, ok := e.(Refused); ok {
				refused++
			}
		}
		s.out = nil
		if !s.Busy() {
			return refused
		}
		asked, next := s.prog.asked, s.prog.resume
		s.prog.asked, s.prog.resume = nil, nil
		results := make([]Result, len(asked))
		for i := range results {
			results[i].Stat.Version = asked[i].Version + 1
		}
		next(results)
	}
}

func partitionMove(t *testing.T, from, to PartitionState) string {
	s, p := lone()
	p.state = from
	if from == NewPartition {
		p.lead = nil
	}
	s.movePartitions([]*partition{p}, to, electOffline{}, nil)
	refused := settle(s)
	return verdict(t, to.CanFollow(from), refused, p.state == to, from == to && p.state == from)
}

func replicaMove(t *testing.T, from, to ReplicaState) string {
	s, p := lone()
	r := replicaOf{p, 1}
	r.enter(from)
	if to == NewReplica {
		p.lead.Leader = 2 // a new replica cannot be the leader
	}
	s.moveReplicas([]replicaOf{r}, to)
	refused := settle(s)
	return verdict(t, to.CanFollow(from), refused, r.state() == to, from == to && r.state() == from)
}

// verdict checks that legal moves arrive and illegal ones are refused, reported
// and change nothing.
func verdict(t *testing.T, legal bool, refused int, arrived, same bool) string {
	t.Helper()
	switch {
	case legal && refused == 0 && arrived:
		return "yes"
	case !legal && refused == 1 && (!arrived || same):
		return "-"
	}
	t.Errorf("legal %t, refused %d, arrived %t", legal, refused, arrived)
	return "?"
}
