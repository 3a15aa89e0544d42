package follow

import (
	"errors"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/wire"
)

// part is one partition in a fetcher's work.
type part struct {
	*assigned
	// at is where the local log is; only valid when known.
	at    Position
	known bool
	stage stage
	// truncate says that the log must be cut before it is fetched: decided when
	// its position is first known (begun).
	truncate, begun bool
	until           time.Time // of the pause
	listed          int       // index in parts.list
	behind          int       // index in parts.behind, -1 when in sync
	member          member
}

// stage is what a fetcher does about a partition.
type stage uint8

const (
	stageNew        stage = iota // nothing yet
	stageFetching                // named to the leader
	stageTruncating              // its log is to be cut first
	stagePaused                  // after an error
	stageHeld                    // over the quota
	stageGone                    // another fetcher's, or nobody's
)

// parts are a fetcher's partitions. Lists instead of maps where they are walked,
// so that the order is always the same.
type parts struct {
	byName map[Partition]*part
	byID   map[idPartition]*part
	list   []*part
	// behind are those that are not in sync, as far as known.
	behind []*part
	// fetching counts those in stageFetching, nameless those without a topic id.
	fetching, nameless int
}

// idPartition names a partition as the leader does in versions with topic ids.
type idPartition struct {
	topic wire.UUID
	index int32
}

func newParts() parts {
	return parts{byName: map[Partition]*part{}, byID: map[idPartition]*part{}}
}

func (ps *parts) add(p *part) {
	p.listed = len(ps.list)
	ps.list = append(ps.list, p)
	ps.byName[p.Partition] = p
	if p.TopicID == (wire.UUID{}) {
		ps.nameless++
	} else {
		ps.byID[idPartition{p.TopicID, p.Index}] = p
	}
	p.behind = -1
	ps.markBehind(p, true)
}

func (ps *parts) remove(p *part) {
	ps.enter(p, stageGone)
	last := ps.list[len(ps.list)-1]
	ps.list[p.listed], last.listed = last, p.listed
	ps.list[len(ps.list)-1] = nil
	ps.list = ps.list[:len(ps.list)-1]
	delete(ps.byName, p.Partition)
	if p.TopicID == (wire.UUID{}) {
		ps.nameless--
	} else {
		delete(ps.byID, idPartition{p.TopicID, p.Index})
	}
	ps.markBehind(p, false)
}

func (ps *parts) enter(p *part, s stage) {
	if p.stage == stageFetching {
		ps.fetching--
	}
	if p.stage = s; s == stageFetching {
		ps.fetching++
	}
}

// markBehind notes whether a partition is in sync.
func (ps *parts) markBehind(p *part, behind bool) {
	switch {
	case behind && p.behind < 0:
		p.behind = len(ps.behind)
		ps.behind = append(ps.behind, p)
	case !behind && p.behind >= 0:
		last := ps.behind[len(ps.behind)-1]
		ps.behind[p.behind], last.behind = last, p.behind
		ps.behind[len(ps.behind)-1] = nil
		ps.behind = ps.behind[:len(ps.behind)-1]
		p.behind = -1
	}
}

// admit takes a partition in. Where the fetcher has it already, in an older
// leader epoch or with another topic id, the session goes on with the new one.
func (t *fetcher) admit(a *assigned, old *part) {
	p := &part{assigned: a}
	if old != nil {
		if !t.session.byID || old.TopicID == p.TopicID {
			t.session.inherit(old, p)
		}
		t.remove(old)
	}
	t.parts.add(p)
	t.begin(p)
}

// begin fetches a partition, or has its log cut first.
func (t *fetcher) begin(p *part) {
	if !p.known {
		at, err := p.Replica.Position()
		if t.refused(p, err) {
			return
		}
		p.at, p.known = at, true
		if !p.begun {
			p.begun, p.truncate = true, !t.set.versions.diverging || at.Epoch < 0
		}
	}
	if p.truncate {
		t.session.leave(p)
		t.parts.enter(p, stageTruncating)
		t.truncating = append(t.truncating, p)
		return
	}
	t.parts.enter(p, stageFetching)
	t.session.join(p)
}

// remove forgets a partition.
func (t *fetcher) remove(p *part) {
	t.leave(p)
	t.parts.remove(p)
}

// leave ends fetching a partition for now.
func (t *fetcher) leave(p *part) {
	if p.stage == stageHeld {
		t.held--
	}
	t.session.leave(p)
}

// pause leaves a partition alone for the back-off.
func (t *fetcher) pause(p *part) {
	if p.stage == stagePaused || p.stage == stageGone {
		return
	}
	t.leave(p)
	t.parts.enter(p, stagePaused)
	p.until = t.clock.Now().Add(t.set.cfg.Backoff)
	t.paused = append(t.paused, p)
}

// resume goes on with partitions whose pause is over.
func (t *fetcher) resume() {
	n := 0
	for _, p := range t.paused {
		if p.stage == stagePaused {
			if p.until.After(t.clock.Now()) {
				break
			}
			t.begin(p)
		}
		n++
	}
	t.paused = slices.Delete(t.paused, 0, n)
}

// park gives a partition up until it is assigned anew.
func (t *fetcher) park(p *part) {
	p.parked.Store(true)
	t.remove(p)
}

// refused handles an error of a Replica, and reports whether there was one.
func (t *fetcher) refused(p *part, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrRevoked):
		t.remove(p)
	case errors.Is(err, ErrRetry):
		t.log.Error("cannot copy a partition, trying again", "partition", p.String(), "offset", p.at.End, "error", err)
		p.known = false
		t.pause(p)
	default:
		t.log.Error("cannot copy a partition: it waits for the controller", "partition", p.String(), "offset", p.at.End, "error", err)
		t.park(p)
		p.Replica.Fail(err)
	}
	return true
}

// throttle holds partitions back that are over the quota, and lets those go on
// that no longer are.
func (t *fetcher) throttle() {
	quota := t.set.cfg.Throttle
	if quota == nil {
		return
	}
	exceeded := quota.Exceeded(t.clock.Now())
	if t.held == 0 && !exceeded {
		return
	}
	for _, p := range t.parts.behind {
		switch hold := exceeded && quota.Throttled(p.Topic, p.Index); {
		case hold && p.stage == stageFetching:
			t.leave(p)
			t.parts.enter(p, stageHeld)
			t.held++
		case !hold && p.stage == stageHeld:
			t.leave(p)
			t.parts.enter(p, stageFetching)
			t.session.join(p)
		}
	}
}
