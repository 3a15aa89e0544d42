package member

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/client/internal/assign"
)

// changed begins a rebalance, or folds the change into one that is under way: if
// its Read is still to come, that will see; if not, one more follows.
func (m *Machine) changed() {
	if m.phase == steady {
		m.read()
		return
	}
	m.again = true
}

// freed ends a rest early when nothing stands in the way any more. The news can
// overtake the answer that says that something does.
func (m *Machine) freed(p assign.TopicPartition) {
	if m.phase == claiming {
		m.early[p] = true
		return
	}
	if !m.barred[p] {
		if slices.ContainsFunc(m.owned, func(c assign.Claim) bool { return c.TopicPartition == p }) {
			m.changed() // somebody deleted the node, which is to be made again
		}
		return
	}
	delete(m.barred, p)
	if m.cleared() && m.phase == resting {
		m.next()
	}
}

// cleared reports whether something stood in the way and does no more.
func (m *Machine) cleared() bool { return m.barred != nil && len(m.barred) == 0 }

func (m *Machine) read() {
	m.again, m.barred = false, nil
	m.ask(reading, Read{m.owned})
}

func (m *Machine) onRegistered(err error) {
	switch {
	case errors.Is(err, ErrTaken):
		m.emit(Report{fmt.Errorf("register %s: %w", m.cfg.ID, err)})
		m.phase, m.rest = resting, m.now.Add(m.cfg.Expiry)
	case err != nil:
		m.fail(fmt.Errorf("register %s: %w", m.cfg.ID, err))
	default:
		m.registered, m.attempt = true, 0
		m.read()
	}
}

// onSeen compares what the member should own with what it owns. Where they
// differ it first gives up all, as every member does, then looks once more and
// takes; so it does to make an owner node again that somebody deleted.
func (m *Machine) onSeen(ev Seen) {
	if ev.Err != nil {
		m.fail(ev.Err)
		return
	}
	m.complain(ev.Faults)
	if !slices.ContainsFunc(ev.Group.Members, func(o assign.Member) bool { return o.ID == m.cfg.ID }) {
		m.registered = false // somebody deleted the node
		m.ask(registering, Register{})
		return
	}
	if ev.Brokers == 0 {
		m.settle() // nothing to read from; when one comes all begin anew
		return
	}
	plan, err := m.cfg.Strategy(m.cfg.ID, ev.Group)
	switch {
	case err != nil:
		m.fail(err)
	case m.running && len(ev.Gone) == 0 && slices.Equal(plan, m.owned):
		m.settle()
	case len(m.owned) > 0:
		m.giveUp()
	case len(plan) == 0:
		m.settle()
	default:
		m.plan, m.early = plan, make(map[assign.TopicPartition]bool)
		m.ask(claiming, Claim{plan})
	}
}

// giveUp stops reading and lets go of all that is owned.
func (m *Machine) giveUp() {
	if !m.started {
		m.ask(releasing, Release{m.owned})
		return
	}
	m.stop()
	m.ask(committing, Commit{m.owned})
}

// onCommitted goes on after a failure too: whoever reads next begins where the
// last commit was.
func (m *Machine) onCommitted(err error) {
	if err != nil {
		m.emit(Report{fmt.Errorf("commit before partitions are given up: %w", err)})
	}
	m.ask(releasing, Release{m.owned})
}

func (m *Machine) onReleased(err error) {
	switch {
	case err != nil && !m.leaving:
		m.fail(fmt.Errorf("give up partitions: %w", err))
	case m.leaving: // owner nodes end with the session at the latest
		m.disown()
		m.ask(unregistering, Unregister{})
	default:
		m.disown()
		m.read()
	}
}

// onClaimed takes all or nothing. Only then are the offsets read: 0.8.2 reads them
// before, and may so read one that the partition's last reader is about to
// replace.
func (m *Machine) onClaimed(ev Claimed) {
	m.cause = ev.Err
	m.barred = nil
	if ev.Err == nil && len(ev.Taken) > 0 {
		m.barred = make(map[assign.TopicPartition]bool)
		for _, t := range ev.Taken {
			if !m.early[t.TopicPartition] {
				m.barred[t.TopicPartition] = true
			}
		}
		m.cause = contested(ev.Taken)
	}
	if m.cause == nil && !m.leaving {
		m.owned, m.plan = m.plan, nil
		m.ask(finding, Find{m.owned})
		return
	}
	if len(ev.Made) > 0 {
		m.ask(dropping, Drop{ev.Made})
		return
	}
	m.onDropped()
}

// contested says why a claim failed.
func contested(taken []Taken) error {
	if len(taken) == 1 {
		return errors.New(taken[0].Why)
	}
	return fmt.Errorf("%s, and there are %d more that others own", taken[0].Why, len(taken)-1)
}

// onFound begins to read, or gives up again what it cannot read.
func (m *Machine) onFound(ev Found) {
	if ev.Err != nil {
		m.cause = ev.Err
		made := make([]assign.TopicPartition, len(m.owned))
		for i, c := range m.owned {
			made[i] = c.TopicPartition
		}
		m.disown()
		m.ask(dropping, Drop{made})
		return
	}
	shares := make([]Share, len(m.owned))
	for i, c := range m.owned {
		shares[i] = Share{c, ev.Offsets[c.TopicPartition]}
	}
	m.started, m.running, m.paused = true, true, false
	m.emit(Start{shares})
	m.settle()
}

// onDropped ends an attempt; a node that could not be deleted is this session's
// and will do as made at the next.
func (m *Machine) onDropped() {
	if m.leaving {
		m.phase = waiting
		m.next()
		return
	}
	m.fail(m.cause)
}

// fail stands back for a while. What was in the way and has gone since is no reason
// to, nor a failure to be counted: others are giving up their share as they should.
// What is owned and read stays so: only a member that knows what it should own gives
// up anything.
func (m *Machine) fail(err error) {
	if m.cleared() {
		m.phase = resting
		m.next()
		return
	}
	m.attempt++
	if m.attempt >= m.cfg.Retries {
		m.emit(Report{fmt.Errorf("%w %d times, last: %w", ErrFailed, m.attempt, err)})
		m.attempt = 0
	} else {
		m.emit(Failed{Err: err, Contested: len(m.barred) > 0})
	}
	m.phase, m.rest = resting, m.now.Add(m.cfg.Backoff)
	if m.leaving {
		m.next()
	}
}

// complain tells of topics that cannot be read, of each once. Nothing tells when
// they can: there is another look after a while.
func (m *Machine) complain(faults []error) {
	known := m.faults
	m.faults, m.look = make(map[string]bool, len(faults)), m.now.Add(m.cfg.Expiry)
	for _, err := range faults {
		if m.faults[err.Error()] = true; !known[err.Error()] {
			m.emit(Report{err})
		}
	}
}

// settle ends a rebalance.
func (m *Machine) settle() {
	m.attempt, m.phase = 0, steady
	switch {
	case m.leaving:
		m.next()
	case m.again:
		m.read()
	}
}
