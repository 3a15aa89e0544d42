package session

import "time"

// AliveUntil returns the moment, by this process's clock, before which the
// server that answered last cannot have let the session expire: when the newest
// answered request was sent, plus the session timeout. It moves on with every
// reply, those to pings included, stands still without a connection, and is the
// zero time once the session is dead. A caller that does nothing in the session's name after it, less what its clock
// may differ in speed, does nothing after the session's end.
//
// A follower that has lost its leader answers pings until it notices, for up to
// the ensemble's syncLimit; only an answered Sync or write proves more.
func (s *Session) AliveUntil() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.phase == dead || s.mu.heardOf.IsZero() {
		return time.Time{}
	}
	return s.mu.heardOf.Add(s.mu.timeout)
}

// heardOfLocked notes that the server had a request that was sent at t or later.
func (s *Session) heardOfLocked(t time.Time) {
	if t.After(s.mu.heardOf) {
		s.mu.heardOf = t
	}
}

// pinged notes that a ping is about to leave.
func (s *Session) pinged(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.pings = append(s.mu.pings, now)
}

// pingAnswered notes that the server had the oldest ping: pings are answered in
// their order.
func (s *Session) pingAnswered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.pings) > 0 {
		s.heardOfLocked(s.mu.pings[0])
		s.mu.pings = s.mu.pings[1:]
	}
}
