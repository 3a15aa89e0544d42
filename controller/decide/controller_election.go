package decide

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// handle starts the program of an event. Most duties are the active
// controller's only; of others it is enough that requests are answered.
func (s *State) handle(ev Event) {
	switch ev := ev.(type) {
	case Startup:
		s.then(s.learnController, s.campaign)
		return
	case ControllerChange:
		s.then(s.maybeResign)
		return
	case Reelect:
		s.then(s.maybeResign, s.campaign)
		return
	case Expire, Shutdown:
		s.setController(-1)
		s.resign()
		return
	case UncleanDefault:
		s.cfg.UncleanElection = ev.Enabled
	}
	if !s.Active() {
		s.answer(Failed{wire.CodeNotController})
		return
	}
	s.handleActive(ev)
}

// setController notes who is controller.
func (s *State) setController(id int32) {
	if id != s.controller {
		s.controller = id
		s.emit(Leader{ID: id})
	}
}

// learnController reads /controller, and keeps it watched whether it exists or
// not.
func (s *State) learnController() {
	s.znodes([]Op{
		{Kind: OpExists, Path: znode.ControllerPath, Watch: true},
		{Kind: OpRead, Path: znode.ControllerPath},
	}, func(results []Result) {
		r := results[1]
		s.vacant = r.Err == zk.ErrNoNode
		if r.Err != zk.OK {
			s.setController(-1)
			return
		}
		n, err := znode.DecodeController(znode.ControllerPath, r.Data)
		if err != nil {
			// An abnormal value names nobody, but the node is there: nothing can be
			// done until it goes.
			s.note("%v", err)
			n.BrokerID = -1
		}
		s.setController(n.BrokerID)
	})
}

// maybeResign learns who is controller, and resigns if that was this broker and
// is no more.
func (s *State) maybeResign() {
	was := s.Active()
	s.then(s.learnController, func() {
		if was && !s.Active() {
			s.resign()
		}
	})
}

// resign gives up what the active controller has.
func (s *State) resign() {
	if s.epoch != 0 {
		s.emit(Resigned{})
	}
	s.reset()
}

// campaign tries to become controller unless there is one.
func (s *State) campaign() {
	if !s.vacant {
		return
	}
	s.prog.rescue = s.giveUp
	s.readEpoch(func(epoch, version int32) {
		s.znodes([]Op{{
			Kind: OpElect, Path: znode.ControllerPath, Version: version, Epoch: epoch + 1,
			Data: encodeController(s.cfg.BrokerID, s.now),
		}}, func(results []Result) { s.campaigned(results[0], epoch+1) })
	})
}

// readEpoch reads /controller_epoch, making it when this is the cluster's first
// controller.
func (s *State) readEpoch(next func(epoch, version int32)) {
	s.znodes([]Op{{Kind: OpRead, Path: znode.ControllerEpochPath}}, func(results []Result) {
		r := results[0]
		switch r.Err {
		case zk.OK:
			epoch, err := znode.DecodeControllerEpoch(znode.ControllerEpochPath, r.Data)
			if err != nil {
				s.abort(err)
				return
			}
			next(epoch, r.Stat.Version)
		case zk.ErrNoNode:
			s.znodes([]Op{{Kind: OpCreate, Path: znode.ControllerEpochPath, Data: znode.EncodeNumber(0)}}, func(results []Result) {
				if err := results[0].Err; err != zk.OK && err != zk.ErrNodeExists {
					s.abort(fmt.Errorf("create %s: %w", znode.ControllerEpochPath, err))
					return
				}
				s.readEpoch(next)
			})
		default:
			s.abort(fmt.Errorf("read %s: %w", znode.ControllerEpochPath, r.Err))
		}
	})
}

// campaigned takes the result of the election. A refusal may be the trace of
// this broker's own success, sent twice over a lost connection.
func (s *State) campaigned(r Result, epoch int32) {
	switch r.Err {
	case zk.OK:
		s.won(epoch, r.Stat.Version)
	case zk.ErrNodeExists, zk.ErrBadVersion:
		s.then(s.learnController, func() {
			if !s.Active() {
				s.note("broker %d was elected instead", s.controller)
				if s.vacant { // already gone again: its watch fired for the creation
					s.emit(Enqueue{Reelect{}})
				}
				return
			}
			s.readEpoch(func(now, version int32) {
				if now != epoch {
					s.setController(-1)
					s.note("/controller names this broker, but in epoch %d instead of %d", now, epoch)
					return
				}
				s.won(epoch, version)
			})
		})
	default:
		s.abort(fmt.Errorf("election: %w", r.Err))
	}
}

// won begins the reign.
func (s *State) won(epoch, version int32) {
	s.reset()
	s.epoch, s.fence = epoch, version
	s.setController(s.cfg.BrokerID)
	s.emit(Elected{Epoch: epoch})
	s.then(s.failover()...)
}

// giveUp leaves the office that an error kept this broker from filling, so that
// another can try.
func (s *State) giveUp(error) {
	if !s.Active() {
		return
	}
	fence := s.fence
	s.setController(-1)
	s.resign()
	s.then(func() {
		s.znodes([]Op{{
			Kind: OpRemove, Path: znode.ControllerPath, Version: anyVersion, Fence: true, FenceVersion: fence,
		}}, func([]Result) {})
	})
}

// readBrokers reads all registered brokers and keeps them watched. A node that
// vanished in between, or is not filled yet, is not there.
func (s *State) readBrokers(names []string, next func([]*Broker)) {
	var ids []int32
	for _, name := range names {
		if id, err := strconv.ParseInt(name, 10, 32); err == nil {
			ids = append(ids, int32(id))
		}
	}
	slices.Sort(ids)
	var ops []Op
	for _, id := range ids {
		ops = append(ops, Op{Kind: OpRead, Path: znode.BrokerPath(id), Watch: true})
	}
	s.znodes(ops, func(results []Result) {
		var out []*Broker
		for i, r := range results {
			if r.Err != zk.OK {
				continue
			}
			b, err := decodeBroker(ids[i], r.Data, r.Stat)
			if err != nil {
				s.note("ignoring the registration of broker %d: %v", ids[i], err)
				continue
			}
			if why := s.incompatible(b); why != "" {
				s.note("ignoring the registration of broker %d: %s", ids[i], why)
				continue
			}
			out = append(out, b)
		}
		next(out)
	})
}

// incompatible says which finalized feature a broker does not support, if any.
func (s *State) incompatible(b *Broker) string {
	for _, name := range sortedKeys(s.features) {
		if level := s.features[name]; b.Features[name].Max < level {
			return fmt.Sprintf("feature %s is finalized at %d and it supports %d", name, level, b.Features[name].Max)
		}
	}
	return ""
}
