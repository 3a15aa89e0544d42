package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/wire"
)

// checkOnline compares what brokers say with what ZooKeeper has.
func (w *world) checkOnline(look *observer) {
	c := w.newClient("asker")
	defer c.close()
	var controller int32 = -1
	for i, address := range c.addresses() {
		w.awaitThat(fmt.Sprintf("broker %d says what ZooKeeper says", i), func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			m, err := c.metadata(ctx, address)
			if err != nil {
				return err
			}
			found, err := look.partitions(ctx)
			if err != nil {
				return err
			}
			if controller < 0 {
				controller = m.ControllerID
			}
			if m.ControllerID != controller || controller < 0 || len(m.Brokers) != len(w.brokers) {
				return fmt.Errorf("controller %d (%d), %d brokers", m.ControllerID, controller, len(m.Brokers))
			}
			return errors.Join(agree(m, found, w.brokers[i].mayBelieveIn), sane(found))
		})
	}
}

// sane looks for states that must not be.
func sane(found []partition) error {
	for _, p := range found {
		for _, id := range p.state.ISR {
			if !slices.Contains(p.replicas, id) {
				return fmt.Errorf("%v: %d in the ISR is no replica", p, id)
			}
		}
		if !slices.Contains(p.state.ISR, p.state.Leader) {
			return fmt.Errorf("%v: the leader is not in the ISR", p)
		}
	}
	return nil
}

// agree compares one broker's picture with the znodes; of topics that are gone it
// may still know those that believes says.
func agree(m *wire.MetadataResponse, found []partition, believes func(topic string) bool) error {
	n := 0
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			i := slices.IndexFunc(found, func(x partition) bool { return t.Name != nil && x.topic == *t.Name && x.index == p.PartitionIndex })
			if i < 0 && t.Name != nil && believes(*t.Name) {
				continue
			}
			if i < 0 {
				return fmt.Errorf("%s-%d is not in ZooKeeper", *t.Name, p.PartitionIndex)
			}
			n++
			s := found[i].state
			if p.LeaderID != s.Leader || p.LeaderEpoch != s.LeaderEpoch || !slices.Equal(sorted(p.IsrNodes), sorted(s.ISR)) || !slices.Equal(p.ReplicaNodes, found[i].replicas) {
				return fmt.Errorf("leader %d, epoch %d, isr %v, replicas %v; in ZooKeeper %v", p.LeaderID, p.LeaderEpoch, p.IsrNodes, p.ReplicaNodes, found[i])
			}
		}
	}
	if n != len(found) {
		return fmt.Errorf("%d partitions, %d in ZooKeeper", n, len(found))
	}
	return nil
}

func sorted(ids []int32) []int32 { return slices.Sorted(slices.Values(ids)) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// checkDisks compares the replicas with each other and with what was promised.
func (w *world) checkDisks(found []partition) {
	for _, p := range found {
		log, err := sameLogs(p, w.brokers)
		if err != nil {
			w.problem(err)
			continue
		}
		if p.topic != loadTopic {
			continue
		}
		name := check.Partition{Topic: p.topic, Index: p.index}
		all, err := records(log)
		if err != nil {
			w.problem(fmt.Errorf("%s: %w", name, err))
		}
		for _, err := range w.history.Log(name, all, w.history.AckedEnd(name)) {
			w.problem(err)
		}
	}
	for _, err := range w.history.Problems() {
		w.problem(err)
	}
	for id, b := range w.brokers {
		stray, err := w.strays(int32(id), b.machine, found)
		if err != nil || len(stray) > 0 {
			w.problem(fmt.Errorf("broker %d has directories of others: %v, %v", id, stray, err))
		}
	}
}

// checkTopics compares the topics in ZooKeeper with what the admin asked for.
func (w *world) checkTopics(look *observer) {
	var found []check.Topic
	w.awaitThat("no topic is being deleted", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var err error
		found, err = look.topics(ctx)
		return err
	})
	for _, err := range w.topics.Check(found) {
		w.problem(err)
	}
}

// checkLeft looks for what nobody has closed or deleted.
func (w *world) checkLeft() {
	for _, p := range append([]*process{w.zookeeper}, w.brokers...) {
		for _, what := range p.Left() {
			w.problem(fmt.Errorf("%s left open: %s", p.Name(), what))
		}
	}
}

// strays names the directories on a broker's disk that belong to no replica of
// its own. What was about to be deleted when it stopped goes at the next start.
func (w *world) strays(id int32, m *machine, found []partition) ([]string, error) {
	var out []string
	for _, dir := range logDirs {
		files, err := m.disk.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			own := slices.ContainsFunc(found, func(p partition) bool {
				return slices.Contains(p.replicas, id) && f.Name() == fmt.Sprintf("%s-%d", p.topic, p.index)
			})
			moved := w.setup.moves && strings.HasPrefix(f.Name(), loadTopic+"-")
			if f.IsDir() && !own && !moved && !strings.HasSuffix(f.Name(), "-delete") {
				out = append(out, dir+"/"+f.Name())
			}
		}
	}
	return out, nil
}
