package decide

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/test/story"
)

// TestTransitionEffects tells what each transition of both machines writes and
// sends in a cluster of three, and that the illegal ones do nothing.
func TestTransitionEffects(t *testing.T) {
	var b strings.Builder
	states := []PartitionState{NewPartition, OnlinePartition, OfflinePartition, NonExistentPartition}
	for _, from := range states {
		for _, to := range states {
			for _, how := range strategiesFor(from, to) {
				b.WriteString(partitionEffects(t, from, to, how))
			}
		}
	}
	for from := NewReplica; from <= NonExistentReplica; from++ {
		for to := NewReplica; to <= NonExistentReplica; to++ {
			for broker := int32(1); broker <= 3; broker++ {
				b.WriteString(replicaEffects(t, from, to, broker))
			}
		}
	}
	story.Golden(t, "testdata/effects.golden", b.String())
}

func strategiesFor(from, to PartitionState) []strategy {
	if to != OnlinePartition || from == NewPartition || from == NonExistentPartition {
		return []strategy{electOffline{}}
	}
	return []strategy{electOffline{}, electOffline{unclean: true}, electReassigned{}, electPreferred{}, electShutdown{}}
}

// trio is a controller of brokers 1 to 3 with t-0 on them: broker 1 leads, 3 is
// not in sync.
func trio(t *testing.T) (*world, *partition) {
	t.Helper()
	w := &world{t: t, nodes: map[string]*node{}, watches: map[string]bool{}, quiet: true}
	for _, c := range []string{"broker 1", "broker 2", "broker 3", "controller", "startup", "topic t 0=1,2,3", "alter-partition 1 t-0 isr=1,2 epoch=0 v=0"} {
		w.command(strings.Fields(c))
	}
	w.quiet = false
	return w, w.s.partition(TopicPartition{"t", 0})
}

// apply runs a part of the machine as an event would.
func (w *world) apply(part func()) string {
	w.s.out, w.s.prog = nil, program{}
	part()
	w.s.run()
	w.carryOut(w.s.out)
	return w.take()
}

func partitionEffects(t *testing.T, from, to PartitionState, how strategy) string {
	w, p := trio(t)
	p.state = from
	switch from {
	case NewPartition:
		p.lead = nil
		for _, path := range []string{"/brokers/topics/t/partitions/0/state", "/brokers/topics/t/partitions/0", "/brokers/topics/t/partitions"} {
			delete(w.nodes, path)
		}
	case OfflinePartition:
		// Its leader is dead; for an unclean election so is the ISR.
		delete(w.s.brokers, 1)
		if how == (electOffline{unclean: true}) {
			delete(w.s.brokers, 2)
		}
	}
	if how == (electShutdown{}) {
		w.s.shuttingDown[1] = true
	}
	if how == (electReassigned{}) {
		p.assignment = p.assignment.ReassignTo([]int32{2, 3})
	}
	title := fmt.Sprintf("partition %s -> %s", from, to)
	if to == OnlinePartition && from != NewPartition && from != NonExistentPartition {
		title += fmt.Sprintf(" by %s unclean=%t", how, how == (electOffline{unclean: true}))
	}
	before := fmt.Sprintf("%+v", p.lead)
	told := w.apply(func() { w.s.movePartitions([]*partition{p}, to, how, nil) })
	switch legal := to.CanFollow(from); {
	case !legal && (strings.Count(told, "\n") != 1 || !strings.HasPrefix(told, "refused") || p.state != from || fmt.Sprintf("%+v", p.lead) != before):
		t.Errorf("%s: illegal, yet\n%s", title, told)
	case legal && p.state != to && !strings.Contains(told, "refused"):
		t.Errorf("%s: ended in %s without a word", title, p.state)
	}
	return title + "\n" + told + fmt.Sprintf("is     %s\n\n", p.state)
}

func replicaEffects(t *testing.T, from, to ReplicaState, broker int32) string {
	w, p := trio(t)
	r := replicaOf{p, broker}
	r.enter(from)
	title := fmt.Sprintf("replica %d %s -> %s", broker, from, to)
	before := fmt.Sprintf("%+v %+v", p.lead, p.assignment)
	told := w.apply(func() { w.s.moveReplicas([]replicaOf{r}, to) })
	if !to.CanFollow(from) {
		if strings.Count(told, "\n") != 1 || !strings.HasPrefix(told, "refused") || r.state() != from || fmt.Sprintf("%+v %+v", p.lead, p.assignment) != before {
			t.Errorf("%s: illegal, yet\n%s", title, told)
		}
		return ""
	}
	if r.state() != to && !strings.Contains(told, "refused") {
		t.Errorf("%s: ended in %s without a word", title, r.state())
	}
	if to == NonExistentReplica && slices.Contains(p.assignment.Replicas, broker) {
		t.Errorf("%s: still assigned", title)
	}
	return title + "\n" + told + fmt.Sprintf("is     %s\n\n", r.state())
}
