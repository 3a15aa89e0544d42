package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/gregor-mq/gregor/client/internal/lane"
)

// topicQueue is what a producer has for a topic. It is guarded by Producer.mu.
type topicQueue struct {
	name   string
	picker picker
	// view is the guide's, once known.
	view  view
	known bool
	// unplaced are records for which there is no view yet.
	unplaced   []item
	partitions map[int32]*partitionQueue
}

// partitionQueue is what a producer has for a partition. It is guarded by
// Producer.mu.
type partitionQueue struct {
	topic  *topicQueue
	number int32
	lane   *lane.Lane[item]
	// given is the identity that the lane was given last.
	given lane.Identity
	// calling says that records are being told their outcome: those behind them
	// have to wait, or theirs might come first.
	calling bool
}

// placeLocked puts a record into a partition; look says whether that needs the
// producer's goroutine.
func (p *Producer) placeLocked(now time.Time, t *topicQueue, it item) (look bool, err error) {
	if t.view.err != nil {
		p.guide.look(t.name, -1)
		return false, fmt.Errorf("topic %s: %w", t.name, t.view.err)
	}
	n := len(t.view.numbers)
	i := t.picker.pick(it.rec, n, t.view.led, it.size)
	if _, ok := t.picker.(manual); ok {
		i = t.view.place(it.rec.Partition)
	}
	if i < 0 || i >= n {
		return false, p.nowhereLocked(t, it.rec.Partition, i)
	}
	number := t.view.numbers[i]
	it.rec.Partition = number
	q := t.partitions[number]
	if q == nil {
		q = &partitionQueue{topic: t, number: number, lane: lane.New[item](&p.lanes), given: lane.Nobody}
		if t.partitions == nil {
			t.partitions = map[int32]*partitionQueue{}
		}
		t.partitions[number] = q
	}
	p.mu.busy[q] = true
	return q.lane.Put(now, it, it.size), nil
}

// nowhereLocked says why a record has no partition: place is what its picker said.
func (p *Producer) nowhereLocked(t *topicQueue, asked int32, place int) error {
	if _, ok := t.picker.(manual); ok && p.opts.layerFour {
		p.guide.look(t.name, asked)
		return fmt.Errorf("topic %s, partition %d: %w", t.name, asked, ErrNotLed)
	} else if ok {
		return fmt.Errorf("topic %s, partition %d: %w", t.name, asked, ErrNoPartition)
	}
	return fmt.Errorf("topic %s: the partitioner says %d, of 0 to %d: %w", t.name, place, len(t.view.numbers)-1, ErrNoPartition)
}

// outcome is what records are to be told.
type outcome struct {
	items []item
	err   error
	// queue is held until they are told; nil for records that had none.
	queue *partitionQueue
}

// tell calls back, lets go of what the records held, and lets those behind them
// pass.
func (p *Producer) tell(outcomes []outcome) {
	for _, o := range outcomes {
		for _, it := range o.items {
			it.done(it.rec, o.err)
			p.room.Give(int64(it.size))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range outcomes {
		for _, it := range o.items {
			p.mu.flush.doneLocked(it.era)
		}
		if o.queue != nil {
			o.queue.calling = false
		}
	}
}

// itemsOf returns the records of batches.
func itemsOf(batches []*lane.Batch[item]) []item {
	var out []item
	for _, b := range batches {
		out = append(out, b.Records...)
	}
	return out
}

// placeAllLocked places the records whose topic is known now, and gives up those
// that have waited for that too long. It returns the time of the next to give up.
func (p *Producer) placeAllLocked(now time.Time) (failed []outcome, next time.Time) {
	for t := range p.mu.unplaced {
		for len(t.unplaced) > 0 {
			it := t.unplaced[0]
			expiry := it.born.Add(p.opts.delivery)
			var err error
			switch {
			case t.known:
				_, err = p.placeLocked(now, t, it)
			case now.Before(expiry):
				next = sooner(next, expiry)
			default:
				err = because(fmt.Errorf("topic %s is not known yet: %w", t.name, ErrTimeout), p.guide.why(t.name, -1))
			}
			if err != nil {
				failed = append(failed, outcome{items: []item{it}, err: err})
			} else if !t.known {
				break
			}
			t.unplaced[0] = item{}
			t.unplaced = t.unplaced[1:]
		}
		if len(t.unplaced) == 0 {
			t.unplaced = nil
			delete(p.mu.unplaced, t)
		}
	}
	return failed, next
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// giveUpLocked takes what is too old, or for a topic that is gone, out of a queue.
// A broker that does not lead anything may do so again.
func (p *Producer) giveUpLocked(now time.Time, q *partitionQueue) (outcome, bool) {
	nameless := q.lane.NeedsIdentity()
	batches, why := q.lane.Expire(now)
	var err error
	switch {
	case len(batches) > 0:
		if obstacle := p.guide.why(q.topic.name, q.number); obstacle != nil {
			why = obstacle
		} else if why == nil && nameless {
			why = p.mu.identity.trouble
		}
		err = because(fmt.Errorf("topic %s, partition %d: not acknowledged within %v: %w", q.topic.name, q.number, p.opts.delivery, ErrTimeout), why)
	case q.topic.view.err != nil && !errors.Is(q.topic.view.err, ErrNotLed) && !q.lane.Away(): // those away are told first
		batches, err = q.lane.Abandon(), fmt.Errorf("topic %s: %w", q.topic.name, q.topic.view.err)
	}
	if len(batches) == 0 {
		return outcome{}, false
	}
	q.calling = true
	return outcome{items: itemsOf(batches), err: err, queue: q}, true
}

// because adds a reason to an error, if there is one.
func because(err, why error) error {
	if why == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, why)
}

// abandon gives up everything; nothing is on its way any more.
func (p *Producer) abandon(err error) {
	p.mu.Lock()
	var out []outcome
	for q := range p.mu.busy {
		out = append(out, outcome{items: itemsOf(q.lane.Abandon()), err: err, queue: q})
	}
	for t := range p.mu.unplaced {
		out = append(out, outcome{items: t.unplaced, err: err})
		t.unplaced = nil
	}
	clear(p.mu.busy)
	clear(p.mu.unplaced)
	p.mu.Unlock()
	p.tell(out)
}
