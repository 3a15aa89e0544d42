package coord

import (
	"testing"

	"github.com/gregor-mq/gregor/zk/session"
)

// TestASessionThatNobodySaw began and ended between two looks: it is not told, and
// the next one is.
func TestASessionThatNobodySaw(t *testing.T) {
	c := &Conn{}
	c.mu.watchers, c.mu.session = map[string][]*Subscription{}, new(session.Session)
	s := c.Subscribe()
	if n, _, err := s.Take(); err != nil || !n.Renewed || n.Session == nil {
		t.Fatal(n, err)
	}
	c.adopt(new(session.Session))
	c.mu.Lock()
	c.mu.session = nil
	c.hintAllLocked() // as at the end of follow
	c.mu.Unlock()
	if n, ok, _ := s.Take(); !ok || n.Renewed || n.Session != nil {
		t.Errorf("told %+v", n)
	}
	next := new(session.Session)
	c.adopt(next)
	if n, ok, _ := s.Take(); !ok || !n.Renewed || n.Session != next {
		t.Errorf("told %+v", n)
	}
}
