package decide

import (
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// allocateProducerIDs hands the next block of ids to a broker. The node is
// guarded by its own version, not by the controller epoch, for before IBP 3.0
// every broker writes it.
func (s *State) allocateProducerIDs(ev AllocateProducerIDs) {
	switch b := s.brokers[ev.Broker]; {
	case b == nil:
		s.answer(Failed{wire.CodeBrokerIDNotRegistered})
	case b.Epoch != ev.BrokerEpoch:
		s.answer(Failed{wire.CodeStaleBrokerEpoch})
	default:
		s.nextBlock(ev.Broker, 0)
	}
}

func (s *State) nextBlock(broker int32, round int) {
	s.znodes([]Op{{Kind: OpRead, Path: znode.ProducerIDBlockPath}}, func(results []Result) {
		r := results[0]
		if r.Err != zk.OK {
			s.note("read %s: %v", znode.ProducerIDBlockPath, r.Err)
			s.answer(Failed{wire.CodeUnknownServerError})
			return
		}
		block := znode.FirstProducerIDs(broker)
		if len(r.Data) > 0 {
			last, err := znode.DecodeProducerIDs(znode.ProducerIDBlockPath, r.Data)
			next, ok := last.Next(broker)
			if err != nil || !ok {
				s.note("no producer ids after %q: %v", r.Data, err)
				s.answer(Failed{wire.CodeUnknownServerError})
				return
			}
			block = next
		}
		s.znodes([]Op{{
			Kind: OpWrite, Path: znode.ProducerIDBlockPath, Version: r.Stat.Version, Data: block.Encode(),
		}}, func(results []Result) {
			switch err := results[0].Err; {
			case err == zk.OK:
				s.answer(ProducerIDs{First: block.Start, Count: znode.ProducerIDBlockSize})
			case err == zk.ErrBadVersion && round < maxConflicts:
				s.nextBlock(broker, round+1)
			default:
				s.note("write %s: %v", znode.ProducerIDBlockPath, err)
				s.answer(Failed{wire.CodeUnknownServerError})
			}
		})
	})
}
