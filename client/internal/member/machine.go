package member

import (
	"errors"
	"time"

	"github.com/gregor-mq/gregor/client/internal/assign"
)

var (
	// ErrTaken is why a member cannot register: another session holds a node of
	// its id, most likely its own last one, which has not expired yet.
	ErrTaken = errors.New("a member of this id is registered by another session")
	// ErrFailed is in what Report tells when a rebalance failed as often as is
	// allowed in a row.
	ErrFailed = errors.New("rebalance failed")
)

// Config is what a member was told. All fields are needed.
type Config struct {
	// ID is the member's id as its registration is called.
	ID string
	// Strategy deals the partitions; all members of a group use the same.
	Strategy assign.Strategy
	// Retries is how often a rebalance is tried before it is reported
	// (rebalance.max.retries), Backoff the pause in between (rebalance.backoff.ms).
	Retries int
	Backoff time.Duration
	// Expiry is the session timeout: how long to wait for another session's node
	// of the same id.
	Expiry time.Duration
	// Margin is how long before the session could expire delivery stops.
	Margin time.Duration
}

// recheck is the pause between two looks whether a silent ZooKeeper has spoken.
const recheck = 100 * time.Millisecond

// phase is where the member stands; in those of the first group an answer is
// awaited.
type phase uint8

const (
	registering phase = iota
	reading
	committing
	releasing
	finding
	claiming
	dropping
	unregistering

	waiting // for a session
	resting // until Machine.rest
	steady
	gone
)

// Machine is one member of a group.
type Machine struct {
	cfg   Config
	phase phase
	// session says that there is one, registered that it holds the member's node.
	session, registered bool
	// void says that the answer that is awaited belongs to a session that ended or
	// to a plan that was dropped.
	void    bool
	leaving bool
	// again says that something changed since the last Read began.
	again bool
	// attempt counts the failures in a row.
	attempt int
	rest    time.Time

	// owned are the partitions whose owner nodes this session made and did not
	// delete, started whether they were read since, running whether they still
	// are, paused whether nothing is delivered.
	owned                    []assign.Claim
	started, running, paused bool
	// plan are the partitions to own next.
	plan []assign.Claim
	// barred are the owner nodes of others that stood in the way, nil when none
	// did; early are those that went before it was known that they did.
	barred, early map[assign.TopicPartition]bool
	// cause is why an attempt failed whose nodes are being dropped.
	cause error
	// faults are the topics that could not be read at the last look, by what was
	// said of them; look is when to look again.
	faults map[string]bool
	look   time.Time

	now, until time.Time
	wake       time.Time
	out        []Effect
}

// New returns the machine of a member that has no session yet.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, phase: waiting} }

// Step takes in an event. until is the moment before which the session cannot
// have expired, whatever the server thinks; the zero time when there is none.
func (m *Machine) Step(now, until time.Time, ev Event) []Effect {
	m.now, m.until, m.out = now, until, nil
	if m.phase == gone {
		return nil
	}
	m.handle(ev)
	m.fence()
	m.alarm()
	return m.out
}

func (m *Machine) handle(ev Event) {
	switch ev := ev.(type) {
	case SessionStarted:
		m.lose()
		m.session = true
		m.next()
	case SessionEnded:
		m.lose()
	case Changed:
		m.changed()
	case Freed:
		m.freed(ev.Partition)
	case Tick:
		switch {
		case m.phase == resting && !m.now.Before(m.rest):
			m.next()
		case m.phase == steady && len(m.faults) > 0 && !m.now.Before(m.look):
			m.read()
		}
	case Leave:
		m.leave()
	default:
		m.answered(ev)
	}
}

// answered takes in the answer to the effect that was on its way.
func (m *Machine) answered(ev Event) {
	if m.void {
		m.void, m.phase = false, waiting
		m.next()
		return
	}
	switch ev := ev.(type) {
	case Registered:
		m.onRegistered(ev.Err)
	case Seen:
		m.onSeen(ev)
	case Committed:
		m.onCommitted(ev.Err)
	case Released:
		m.onReleased(ev.Err)
	case Found:
		m.onFound(ev)
	case Claimed:
		m.onClaimed(ev)
	case Dropped:
		m.onDropped()
	case Left:
		m.end()
	}
}

// awaiting reports whether an answer is on its way.
func (m *Machine) awaiting() bool { return m.phase <= unregistering }

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// ask emits an effect that is answered.
func (m *Machine) ask(p phase, e Effect) {
	m.phase = p
	m.emit(e)
}

// next begins what is due when nothing is on its way.
func (m *Machine) next() {
	switch {
	case m.awaiting():
	case m.leaving:
		m.depart()
	case !m.session:
		m.phase = waiting
	case !m.registered:
		m.ask(registering, Register{})
	default:
		m.read()
	}
}

// lose forgets what went with a session.
func (m *Machine) lose() {
	m.stop()
	if m.started {
		m.emit(Lost{m.owned})
	}
	m.disown()
	m.session, m.registered, m.attempt, m.barred = false, false, 0, nil
	m.drop()
	if !m.awaiting() {
		m.phase = waiting
		if m.leaving {
			m.end()
		}
	}
}

// drop makes the answer that is awaited, if one is, mean nothing.
func (m *Machine) drop() {
	if m.awaiting() && !m.void {
		m.void = true
		m.emit(Abort{})
	}
}

func (m *Machine) disown() { m.owned, m.started = nil, false }

func (m *Machine) stop() {
	if m.running {
		m.running, m.paused = false, false
		m.emit(Stop{})
	}
}

// fence stops delivery before the session can be over unnoticed, and starts it
// again when it turns out not to be.
func (m *Machine) fence() {
	if !m.running {
		return
	}
	if shut := !m.now.Before(m.until.Add(-m.cfg.Margin)); shut != m.paused {
		m.paused = shut
		if shut {
			m.emit(Pause{})
		} else {
			m.emit(Resume{})
		}
	}
}

// alarm asks to be woken when the fence, the end of a rest or another look is due.
func (m *Machine) alarm() {
	var at time.Time
	switch {
	case m.running && m.paused:
		at = m.now.Add(recheck)
	case m.running:
		at = m.until.Add(-m.cfg.Margin)
	}
	switch {
	case m.phase == resting && (at.IsZero() || m.rest.Before(at)):
		at = m.rest
	case m.phase == steady && len(m.faults) > 0 && (at.IsZero() || m.look.Before(at)):
		at = m.look
	}
	if !at.Equal(m.wake) {
		m.wake = at
		m.emit(Wake{at})
	}
}

// leave begins the end: what only looks is cut short, what changes nodes is
// awaited.
func (m *Machine) leave() {
	if m.leaving {
		return
	}
	m.leaving = true
	switch m.phase {
	case registering, reading, finding:
		m.drop()
	default:
		m.next()
	}
}

// depart gives up what is owned, then the membership.
func (m *Machine) depart() {
	switch {
	case !m.session:
		m.end()
	case len(m.owned) > 0:
		m.giveUp()
	default:
		m.ask(unregistering, Unregister{})
	}
}

func (m *Machine) end() {
	m.phase = gone
	m.emit(Gone{})
}
