//go:build interop

package consumers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/znode"
)

// troupe is a group whose members are processes.
type troupe struct {
	*stage
	running map[string]*actor
	// got has who read each record, by its value; sent has the round of each.
	got  map[string][]string
	sent struct {
		sync.Mutex
		round map[string]int
		next  [partitions]int
	}
	deliveries, oldRepeats int
}

// actor is one process of a member.
type actor struct {
	name string
	p    *peer.Process
	// heard is how much of its output was taken in.
	heard int
}

// casts start the members by their names.
var casts = map[string]func(*troupe, string) *peer.Process{
	"console": func(p *troupe, name string) *peer.Process {
		file := filepath.Join(p.t.TempDir(), "consumer.properties")
		text := "group.id=" + p.group + "\nconsumer.id=" + name + "\nzookeeper.session.timeout.ms=6000\nsocket.timeout.ms=5000\n" +
			"rebalance.backoff.ms=500\nrebalance.max.retries=100\nauto.commit.interval.ms=500\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
		return peer.StartOldTool(p.t, "0.8.2.2", "kafka-console-consumer", "--zookeeper", p.cluster.Ensemble.Addr, "--topic", topic, "--consumer.config", file)
	},
	"java": func(p *troupe, name string) *peer.Process {
		return peer.StartJavaSource(p.t, "kafka-0.8.2.2", "testdata/Member.java", []string{p.cluster.Ensemble.Addr, p.group, name, topic, "zookeeper", "false"}, "")
	},
	"golang": func(p *troupe, name string) *peer.Process { return p.gregor(name) },
	"oldnames": func(p *troupe, name string) *peer.Process {
		return p.gregor(name, "--legacy-partition-names")
	},
}

func (p *troupe) gregor(name string, more ...string) *peer.Process {
	return peer.StartGregor(p.t, append([]string{"consume", "--zookeeper", p.cluster.Ensemble.Addr, "--topic", topic, "--group", p.group,
		"--consumer-id", p.group + "_" + name, "--from-beginning"}, more...)...)
}

// old tells whether a member is of 0.8.2.2.
func old(name string) bool { return name == "console" || name == "java" }

// newTroupe sets the stage. All partitions have an offset from the start on: the
// console consumer would begin at the end of those that have none.
func newTroupe(t *testing.T, budget time.Duration) *troupe {
	t.Helper()
	p := &troupe{stage: newStage(t, budget), running: map[string]*actor{}, got: map[string][]string{}}
	p.sent.round = map[string]int{}
	for n := range int32(partitions) {
		_, _, err := p.zk.CreateRecursive(p.ctx, znode.OffsetPath(p.group, topic, n), []byte("0"), func(string) []zk.ACL { return zk.OpenACL() }, zk.Persistent)
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *troupe) join(name string) {
	p.t.Helper()
	p.running[name] = &actor{name: name, p: casts[name](p, name)}
}

// leave ends a member in order.
func (p *troupe) leave(name string) {
	p.t.Helper()
	p.running[name].p.Stop(p.t)
	p.end(name)
}

// end takes in the last words of a member that is gone.
func (p *troupe) end(name string) {
	p.hear(p.running[name])
	delete(p.running, name)
}

// hear takes in what a member wrote since: values, which the consumer in Member.java
// puts behind other words.
func (p *troupe) hear(a *actor) {
	text := a.p.Stdout()
	whole := strings.LastIndexByte(text, '\n') + 1
	for line := range strings.Lines(text[a.heard:whole]) {
		f := strings.Fields(line)
		if len(f) == 4 && f[0] == "record" {
			f = f[3:]
		}
		if len(f) != 1 || !strings.HasPrefix(f[0], "r") {
			continue
		}
		p.got[f[0]] = append(p.got[f[0]], a.name)
		p.deliveries++
	}
	a.heard = whole
}

// flow produces to all partitions, in the name of a round, until told to stop.
func (p *troupe) flow(round int) (stop func()) {
	const pause = 50 * time.Millisecond
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			if err := p.kafka.ProduceSync(p.ctx, p.records(round)...).FirstErr(); err != nil {
				p.t.Errorf("produce: %v", err)
				return
			}
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-done }
}

// records are the next of each partition.
func (p *troupe) records(round int) []*kgo.Record {
	p.sent.Lock()
	defer p.sent.Unlock()
	var out []*kgo.Record
	for n := range int32(partitions) {
		value := fmt.Sprintf("r%d-%d", n, p.sent.next[n])
		p.sent.next[n]++
		p.sent.round[value] = round
		out = append(out, &kgo.Record{Topic: topic, Partition: n, Value: []byte(value)})
	}
	return out
}

// delivered waits until every record was read by somebody. Nothing flows meanwhile.
func (p *troupe) delivered() {
	p.t.Helper()
	p.until("every record is read", func() (string, bool) {
		for _, a := range p.running {
			p.hear(a)
		}
		var missing []string
		for value := range p.sent.round {
			if p.got[value] == nil {
				missing = append(missing, value)
			}
		}
		slices.Sort(missing)
		return fmt.Sprintf("%d of %d are missing: %.10q", len(missing), len(p.sent.round), missing), len(missing) == 0
	})
}

// onceIn checks that the records of a round were read once, as far as it was in
// gregor's hands.
func (p *troupe) onceIn(round int) {
	p.t.Helper()
	for value, at := range p.sent.round {
		names := p.got[value]
		switch {
		case at != round || len(names) == 1:
		case slices.ContainsFunc(names, old):
			p.oldRepeats++
		default:
			p.t.Errorf("%s was read by %v", value, names)
		}
	}
}

// registered waits until a member's node is there, or is not.
func (p *troupe) registered(name string, want bool) {
	p.t.Helper()
	p.exists(znode.ConsumerIDPath(p.group, p.group+"_"+name), want)
}

// broker waits until a broker's registration is there, or is not.
func (p *troupe) broker(id int, want bool) {
	p.t.Helper()
	p.exists(znode.BrokerPath(int32(id)), want)
}

func (p *troupe) exists(path string, want bool) {
	p.t.Helper()
	p.until(fmt.Sprintf("%s is there: %t", path, want), func() (string, bool) {
		_, err := p.zk.Exists(p.ctx, path, false)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			p.t.Fatal(err)
		}
		return fmt.Sprint(err == nil), (err == nil) == want
	})
}

// inSync waits until all replicas are, so that the next broker can go.
func (p *troupe) inSync() {
	p.t.Helper()
	p.until("all replicas are in sync", func() (string, bool) {
		for n := range int32(partitions) {
			path := znode.StatePath(topic, n)
			data, _, err := p.zk.Get(p.ctx, path, false)
			if err != nil {
				p.t.Fatal(err)
			}
			state, err := znode.DecodePartitionState(path, data)
			if err != nil {
				p.t.Fatal(err)
			}
			if len(state.ISR) < len(p.cluster.Brokers) || state.Leader < 0 {
				return fmt.Sprintf("%d: %+v", n, state), false
			}
		}
		return "", true
	})
}
