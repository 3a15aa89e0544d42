package decide

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkBrokerDies moves the leaders of a broker's share of 10,000 partitions
// on 10 brokers, every write confirmed at once.
func BenchmarkBrokerDies(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := New(Config{BrokerID: 1, NewTopicID: func() TopicID { return TopicID{1} }})
		s.controller, s.epoch, s.fence = 1, 1, 1
		for id := range int32(10) {
			s.brokers[id] = &Broker{ID: id}
		}
		for i := range int32(100) {
			t := s.addTopic(fmt.Sprintf("t%d", i), TopicID{2, byte(i)})
			for j := range int32(100) {
				p := t.ensure(j)
				p.assignment.Replicas = []int32{(i + j) % 10, (i + j + 1) % 10, (i + j + 2) % 10}
				p.lead, p.state = &Leadership{Leader: p.assignment.Replicas[0], ISR: p.assignment.Replicas}, OnlinePartition
				for _, id := range p.assignment.Replicas {
					replicaOf{p, id}.enter(OnlineReplica)
				}
			}
		}
		b.StartTimer()
		s.now = time.UnixMilli(1)
		s.removeBrokers([]int32{3})
		settle(s)
	}
}
