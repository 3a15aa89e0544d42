package decide

import (
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// readNotifications reads and then deletes the children of a notification
// node. next does the work between the two; it may push steps.
func (s *State) readNotifications(parent string, next func(data [][]byte)) {
	s.znodes([]Op{{Kind: OpList, Path: parent, Watch: true}}, func(results []Result) {
		if err := results[0].Err; err != zk.OK {
			s.note("list %s: %v", parent, err)
			return
		}
		names := sorted(results[0].Children)
		var ops []Op
		for _, name := range names {
			ops = append(ops, Op{Kind: OpRead, Path: parent + "/" + name})
		}
		s.znodes(ops, func(results []Result) {
			var data [][]byte
			for _, r := range results {
				if r.Err == zk.OK {
					data = append(data, r.Data)
				}
			}
			s.then(
				func() { next(data) },
				func() { s.removeAll(parent, names) },
			)
		})
	})
}

// isrChange handles notifications of leaders older than 2.7, which write their
// state nodes themselves.
func (s *State) isrChange() {
	s.readNotifications(znode.ISRChangesPath, func(data [][]byte) {
		set := map[*partition]bool{}
		for _, d := range data {
			tps, err := znode.DecodePartitions(znode.ISRChangesPath, d)
			if err != nil {
				s.note("ignoring an ISR notification: %v", err)
				continue
			}
			for _, tp := range tps {
				if p := s.partition(TopicPartition(tp)); p != nil {
					set[p] = true
				}
			}
		}
		if len(set) == 0 {
			return
		}
		ps := sortedParts(set)
		s.readStates(ps, func(map[*partition]string) {
			s.then(
				func() { s.announce(s.registered(), ps...) },
				func() { each(s, ps, s.completeReassignment) },
			)
		})
	})
}

// logDirChange asks brokers that lost a log directory for all their replicas;
// the answers tell which are offline.
func (s *State) logDirChange() {
	s.readNotifications(znode.LogDirEventsPath, func(data [][]byte) {
		set := map[int32]bool{}
		for _, d := range data {
			id, err := znode.DecodeLogDirEvent(znode.LogDirEventsPath, d)
			if err != nil {
				s.note("ignoring a log dir notification: %v", err)
				continue
			}
			set[id] = true
		}
		var brokers []int32
		for _, id := range s.registered() {
			if set[id] {
				brokers = append(brokers, id)
			}
		}
		s.moveReplicas(s.replicasOn(brokers...), OnlineReplica)
	})
}
