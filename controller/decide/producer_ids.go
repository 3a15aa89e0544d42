package decide

import (
	"math"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
)

// producerIDBlock is how many producer ids a broker gets at a time.
const producerIDBlock = 1000

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
	s.znodes([]Op{{Kind: OpRead, Path: pathProducerIDs}}, func(results []Result) {
		r := results[0]
		if r.Err != zk.OK {
			s.note("read %s: %v", pathProducerIDs, r.Err)
			s.answer(Failed{wire.CodeUnknownServerError})
			return
		}
		first := int64(0)
		if len(r.Data) > 0 {
			end, err := decodeProducerIDs(r.Data)
			if err != nil || end > math.MaxInt64-producerIDBlock-1 {
				s.note("no producer ids after %q: %v", r.Data, err)
				s.answer(Failed{wire.CodeUnknownServerError})
				return
			}
			first = end + 1
		}
		s.znodes([]Op{{
			Kind: OpWrite, Path: pathProducerIDs, Version: r.Stat.Version,
			Data: encodeProducerIDs(broker, first, first+producerIDBlock-1),
		}}, func(results []Result) {
			switch err := results[0].Err; {
			case err == zk.OK:
				s.answer(ProducerIDs{First: first, Count: producerIDBlock})
			case err == zk.ErrBadVersion && round < maxConflicts:
				s.nextBlock(broker, round+1)
			default:
				s.note("write %s: %v", pathProducerIDs, err)
				s.answer(Failed{wire.CodeUnknownServerError})
			}
		})
	})
}
