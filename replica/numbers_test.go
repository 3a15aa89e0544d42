package replica

import (
	"syscall"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env/memfs"
	"github.com/gregor-mq/gregor/wire"
)

func TestNumbers(t *testing.T) {
	after(t, func(t *testing.T) {
		s := started(t)
		expectNumbers := func(what string, want Numbers) {
			t.Helper()
			if got := s.Numbers(); got != want {
				t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
			}
		}
		expectNumbers("nothing", Numbers{})
		s.replicated(2, []int32{me, 2, 3}, []int32{me, 2})
		expectNumbers("min.insync.replicas is 1", Numbers{Partitions: 2, Leaders: 2, UnderReplicated: 2})
		s.lookup("t", 0).setMinISR(2)
		s.lookup("t", 1).setMinISR(3)
		expectNumbers("then 2 and 3", Numbers{Partitions: 2, Leaders: 2, UnderReplicated: 2, UnderMinISR: 1, AtMinISR: 1})
		s.fetchBy(3, want("t", 0, 0))
		s.asks().say(wire.CodeFencedLeaderEpoch)
		expectNumbers("a change was refused", Numbers{Partitions: 2, Leaders: 2, UnderReplicated: 2, UnderMinISR: 1, AtMinISR: 1, ISRFailures: 1})

		// Four replicas of which one is added: two of three are in sync.
		s.replicated(1, []int32{me, 2, 3, 4}, []int32{me, 2})
		s.epoch++
		st := state("t", 0, s.epoch)
		st.Replicas, st.Isr, st.AddingReplicas = []int32{me, 2, 3, 4}, []int32{me, 2, 3}, []int32{4}
		s.tell(topicID(1), st)
		expectNumbers("reassigning", Numbers{Partitions: 2, Leaders: 2, UnderReplicated: 1, UnderMinISR: 1, Reassigning: 1, ISRFailures: 1})
		s.fetchBy(4, want("t", 0, 0))
		s.asks().grant()
		pass(46 * time.Second)
		s.asks().grant()
		expect(t, "one in, one out", s.isr(0)+s.isr(1), "[1 3 4] v=2[1] v=1")
		expectNumbers("one in, one out", Numbers{Partitions: 2, Leaders: 2, UnderReplicated: 1, UnderMinISR: 1, Reassigning: 1,
			ISRFailures: 1, ISRExpands: 1, ISRShrinks: 2})

		st = state("t", 1, s.epoch+1)
		st.Leader, st.Replicas, st.Isr = 2, []int32{me, 2}, []int32{me, 2}
		s.tell(topicID(1), st)
		expectNumbers("one follows", Numbers{Partitions: 2, Leaders: 1, Reassigning: 1,
			ISRFailures: 1, ISRExpands: 1, ISRShrinks: 2})
		s.fs.SetInjector(func(op memfs.Op, name string) error {
			if op == memfs.OpWrite {
				return syscall.EIO
			}
			return nil
		})
		s.append("t", 0, 1, 1)
		expectNumbers("the disk broke", Numbers{Partitions: 2, Offline: 2, OfflineDirs: 1, ISRFailures: 1, ISRExpands: 1, ISRShrinks: 2})
	})
}
