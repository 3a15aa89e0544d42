package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gregor-mq/gregor/test/check"
	"github.com/gregor-mq/gregor/test/virtual"
)

const loadTopic = "load"

// load is the clients at work.
type load struct {
	w          *world
	send, read context.Context
	stopSend   context.CancelFunc
	stopRead   context.CancelFunc
	senders    sync.WaitGroup
	readers    sync.WaitGroup
	reading    []*consumer
	commits    *committer
}

func (w *world) startLoad() *load {
	l := &load{w: w, commits: &committer{client: w.newClient("committer")}}
	l.send, l.stopSend = context.WithCancel(context.Background())
	l.read, l.stopRead = context.WithCancel(context.Background())
	a := &admin{client: w.newClient("admin"), topics: map[string]*topic{}}
	configs := map[string]string{"segment.bytes": virtual.Pick(w.rng, "2000", "20000", "1000000")}
	w.topics.Creating(loadTopic, int(w.setup.partitions), configs)
	a.ensureTopic(context.Background(), loadTopic, w.setup.partitions, int16(w.setup.copies), configs)
	begin := func(wg *sync.WaitGroup, run func()) {
		w.sleep(time.Millisecond) // what begins together has no order
		wg.Go(run)
	}
	begin(&l.senders, func() { a.run(l.send) })
	begin(&l.senders, func() { l.commits.run(l.send) })
	if w.setup.moves {
		m := &mover{w.newClient("mover")}
		begin(&l.senders, func() { m.run(l.send) })
	}
	for i := range w.setup.producers {
		to := check.Partition{Topic: loadTopic, Index: int32(i) % w.setup.partitions}
		p := &producer{client: w.newClient(fmt.Sprintf("producer-%d", i)), number: i, to: to}
		begin(&l.senders, func() { p.run(l.send, l.read) })
	}
	for i := range w.setup.partitions {
		c := &consumer{client: w.newClient(fmt.Sprintf("consumer-%d", i)), of: check.Partition{Topic: loadTopic, Index: i}, rack: w.setup.rack(int(i))}
		l.reading = append(l.reading, c)
		begin(&l.readers, func() { c.run(l.read) })
	}
	return l
}

// patience is how long a healed cluster may take to be whole again.
const patience = 2 * time.Minute

// drain lets the producers end what they began, and the consumers read it all.
func (l *load) drain() {
	l.stopSend()
	done := make(chan struct{})
	go func() { l.senders.Wait(); close(done) }()
	limit := l.w.sched.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C():
		l.w.problem(fmt.Errorf("producers have records without an answer, %v after all was healed", patience))
	}
	l.w.awaitThat("consumers read everything", func() error {
		for _, c := range l.reading {
			if end := l.w.history.AckedEnd(c.of); c.at() < end {
				return fmt.Errorf("%s: at offset %d, acknowledged are all below %d", c.of, c.at(), end)
			}
		}
		return nil
	})
	l.stopRead()
	l.senders.Wait()
	l.readers.Wait()
}
