package node

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal keeps what a broker logs.
type journal struct {
	mu struct {
		sync.Mutex
		bytes.Buffer
	}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mu.Write(p)
}

// has tells whether one line contains all of the texts.
func (j *journal) has(texts ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(strings.Split(j.mu.String(), "\n"), func(line string) bool {
		return !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) })
	})
}

// pair is a topic on two of three brokers, the controller being the third: it
// has to outlive them.
type pair struct {
	*brokers
	active     *Node
	last, lags int32 // who leads until it dies, and who dies before it
}

func newPair(t *testing.T, c *brokers) *pair {
	t.Helper()
	p := &pair{brokers: c}
	p.active, _ = c.split()
	p.last, p.lags = 2, 3
	switch p.active.Config().ID {
	case 2:
		p.last = 1
	case 3:
		p.lags = 1
	}
	c.create(p.active, "t", []int32{p.last, p.lags})
	p.led(p.last, p.last, p.lags)
	return p
}

// led waits until a broker leads with this ISR, and whoever does not run is
// offline.
func (p *pair) led(leader int32, isr ...int32) {
	p.t.Helper()
	slices.Sort(isr)
	want := fmt.Sprintf("leader %d of %v in sync %v", leader, []int32{p.last, p.lags}, isr)
	var offline []int32
	for _, id := range []int32{p.last, p.lags} {
		if p.nodes[id] == nil {
			offline = append(offline, id)
		}
	}
	if len(offline) > 0 {
		want += fmt.Sprintf(" offline %v", offline)
	}
	p.become("t", 0, want)
}

// leaveBehind writes what only one replica has, acknowledged because it was the
// whole ISR, and lets that one die while the other one comes back.
func (p *pair) leaveBehind(from, to int64) {
	p.t.Helper()
	p.stop(p.lags)
	p.led(p.last, p.last)
	for offset := from; offset < to; offset++ {
		p.wantProduced(p.nodes[p.last], "t", offset)
	}
	p.stop(p.last)
	p.led(-1, p.last)
	p.start(p.lags)
	p.led(-1, p.last)
}

// wantSame checks where the log of the leader ends, and that the other replica
// has the same bytes.
func (p *pair) wantSame(leader int32, end int64) {
	p.t.Helper()
	log, err := p.nodes[leader].replicas.Log("t", 0)
	if err != nil {
		p.t.Fatal(err)
	}
	if got := log.EndOffset(); got != end {
		p.t.Errorf("the log of broker %d ends at %d, want %d", leader, got, end)
	}
	if a, b := p.bytes(p.last), p.bytes(p.lags); len(a) == 0 || !bytes.Equal(a, b) {
		p.t.Errorf("broker %d has %d bytes, broker %d other %d", p.last, len(a), p.lags, len(b))
	}
}

func (p *pair) bytes(id int32) []byte {
	p.t.Helper()
	for _, dir := range []string{"a", "b"} {
		raw, err := p.fs.ReadFile(fmt.Sprintf("/broker%d/%s/t-0/00000000000000000000.log", id, dir))
		if err == nil {
			return raw
		}
	}
	return nil
}

// Who lacks acknowledged records does not lead, however long those who have
// them are away.
func TestCleanElectionLosesNothing(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		p := newPair(t, c)
		p.wantProduced(p.nodes[p.last], "t", 0)
		p.leaveBehind(1, 4)
		for range 60 {
			<-c.env.Clock.NewTimer(time.Second).C()
			p.led(-1, p.last)
		}
		p.start(p.last)
		p.led(p.last, p.last, p.lags)
		p.wantProduced(p.nodes[p.last], "t", 4)
		p.wantSame(p.last, 5)
		for _, id := range []int32{p.last, p.lags} {
			if c.told[id].has("log truncated") {
				t.Errorf("broker %d truncated", id)
			}
		}
		if n := p.active.controller.Snapshot().UncleanElections; n != 0 {
			t.Errorf("%d unclean elections", n)
		}
	})
}

// With unclean elections on, the one that lags leads at once, and the other one
// says what it had to give up when it is back.
func TestUncleanElectionSaysWhatIsLost(t *testing.T) {
	onBrokers(t, func(t *testing.T, c *brokers) {
		p := newPair(t, c)
		p.wantProduced(p.nodes[p.last], "t", 0)
		p.leaveBehind(1, 4)
		c.alter(p.active, resourceTopic, "t", "unclean.leader.election.enable", "true")
		p.led(p.lags, p.lags)
		if !c.told[p.active.Config().ID].has("level=WARN", "unclean election: t-0", fmt.Sprintf("on [%d]", p.last), fmt.Sprintf("led by broker %d now", p.lags)) {
			t.Error("the controller does not say it")
		}
		c.eventually("it is counted", func() bool { return p.active.controller.Snapshot().UncleanElections == 1 })
		p.wantProduced(p.nodes[p.lags], "t", 1)
		p.start(p.last)
		p.led(p.lags, p.last, p.lags)
		p.wantProduced(p.nodes[p.lags], "t", 2)
		p.wantSame(p.lags, 3)
		if want := []string{"level=WARN", "log truncated", "partition=t-0", "from=4", "to=1", fmt.Sprint("leader=", p.lags)}; !c.told[p.last].has(want...) {
			t.Errorf("broker %d does not say %v", p.last, want)
		}
		if c.told[p.lags].has("log truncated") {
			t.Errorf("broker %d truncated", p.lags)
		}

		// Nor has anybody to ask for the next one.
		p.stop(p.last)
		p.led(p.lags, p.lags)
		p.wantProduced(p.nodes[p.lags], "t", 3)
		p.stop(p.lags)
		p.led(-1, p.lags)
		p.start(p.last)
		p.led(p.last, p.last)
		p.start(p.lags)
		p.led(p.last, p.last, p.lags)
		if want := []string{"log truncated", "partition=t-0", "from=4", "to=3", fmt.Sprint("leader=", p.last)}; !c.told[p.lags].has(want...) {
			t.Errorf("broker %d does not say %v", p.lags, want)
		}
	})
}
