package sim

import (
	"strings"
	"sync"
	"time"
)

// ghosts knows which topics a broker may still believe in after they are gone.
// A controller tells of a deletion once. What was queued for a broker is lost
// when its session expires, or with the controller; nobody says it again, and the
// broker believes in the topic until it is started anew, as Apache Kafka's does in
// ZooKeeper mode.
type ghosts struct {
	mu struct {
		sync.Mutex
		elections int
		topics    map[string]ghost
	}
}

// ghost is a topic that was to be deleted.
type ghost struct {
	elections int       // of controllers, when it was asked for
	deleted   time.Time // zero while no controller has said so
}

func newGhosts() *ghosts {
	g := &ghosts{}
	g.mu.topics = map[string]ghost{}
	return g
}

// deleting says that somebody asks for a topic's deletion.
func (g *ghosts) deleting(topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.topics[topic] = ghost{elections: g.mu.elections}
}

// note hears what a broker logs.
func (g *ghosts) note(line string, now time.Time) {
	if !strings.Contains(line, "subsystem=controller") {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.Contains(line, `msg="elected as controller"`) {
		g.mu.elections++
	}
	_, topic, _ := strings.Cut(line, `msg="topic `)
	topic, _, done := strings.Cut(topic, ` is deleted"`)
	if t, known := g.mu.topics[topic]; done && known {
		t.deleted = now
		g.mu.topics[topic] = t
	}
}

// mayHaunt reports whether a broker that is up since then may believe in a topic
// that is gone. expired says that its session expired meanwhile.
func (g *ghosts) mayHaunt(topic string, since time.Time, expired bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.mu.topics[topic]
	return since.Before(t.deleted) && (expired || g.mu.elections > t.elections)
}
