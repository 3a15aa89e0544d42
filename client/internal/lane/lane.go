package lane

import (
	"time"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/record"
)

const (
	// backoffMin and backoffMax bound the wait before a batch goes to the same
	// leader again: Kafka's retry.backoff.ms and retry.backoff.max.ms.
	backoffMin = 100 * time.Millisecond
	backoffMax = time.Second
)

// Config is the same for all lanes of a producer.
type Config struct {
	// Idempotent numbers batches, so that a broker takes each once.
	Idempotent bool
	// BatchBytes is how much a batch holds, by the sizes that Put is given; a
	// larger record has one alone.
	BatchBytes int
	// Linger is how long a batch that is not full waits for more records.
	Linger time.Duration
	// Timeout is how long after its first record a batch is given up.
	Timeout time.Duration
}

// Leader is who leads a partition, and in which epoch; ID is -1 for nobody.
type Leader struct{ ID, Epoch int32 }

// Identity is what an idempotent producer is to brokers; ID is -1 for none.
type Identity struct {
	ID    int64
	Epoch int16
}

// Nobody is no identity.
var Nobody = Identity{ID: record.NoProducerID, Epoch: record.NoProducerEpoch}

// maxEpoch is the last epoch of an identity.
const maxEpoch = 1<<15 - 1

// Batch is records that travel together.
type Batch[R any] struct {
	Records []R
	// Size is the sum of the sizes that Put was given.
	Size int
	// Identity and Sequence are the batch's number, Nobody and -1 without one. They
	// change when the lane has to start over under another identity.
	Identity Identity
	Sequence int32
	// Wire is the caller's: the encoded batch, kept from attempt to attempt.
	Wire []byte

	born     time.Time
	attempts int
	// doubt says that some attempt may have been written without an answer.
	doubt bool
}

// Attempts is how often the batch was sent.
func (b *Batch[R]) Attempts() int { return b.attempts }

// Lane is the records for one partition.
type Lane[R any] struct {
	cfg *Config
	// queue is the batches, oldest first; only the last takes in records.
	queue []*Batch[R]
	// away says that the first batch is on its way.
	away bool
	// identity is under which batches are numbered, next the first free number.
	identity Identity
	next     int32
	// tried is whom the first batch was sent to last; failures counts the answers
	// of that leader which asked for another attempt, from retryAt on.
	tried    Leader
	failures int
	retryAt  time.Time
	// trouble is why the first batch is not done yet.
	trouble error
}

// New returns an empty lane.
func New[R any](cfg *Config) *Lane[R] {
	return &Lane[R]{cfg: cfg, identity: Nobody, tried: Leader{ID: -1, Epoch: -1}}
}

// Empty reports whether there is nothing to do.
func (l *Lane[R]) Empty() bool { return len(l.queue) == 0 }

// Away reports whether a batch is on its way.
func (l *Lane[R]) Away() bool { return l.away }

// Put adds a record of a size in bytes; it reports whether that calls for another
// look at Ready.
func (l *Lane[R]) Put(now time.Time, r R, size int) bool {
	if n := len(l.queue); n > 0 {
		if b := l.queue[n-1]; b.attempts == 0 && b.Size+size <= l.cfg.BatchBytes {
			b.Records = append(b.Records, r)
			b.Size += size
			return b.Size >= l.cfg.BatchBytes
		}
	}
	l.queue = append(l.queue, &Batch[R]{Records: []R{r}, Size: size, Identity: Nobody, Sequence: record.NoSequence, born: now})
	return true
}

// Ready reports whether a batch is to be sent now, or else when time alone will
// change something; the zero time is never. hurry overrides Linger.
func (l *Lane[R]) Ready(now time.Time, leader Leader, hurry bool) (ready bool, at time.Time) {
	if len(l.queue) == 0 || l.away {
		return false, time.Time{}
	}
	b := l.queue[0]
	expiry := b.born.Add(l.cfg.Timeout)
	switch {
	case leader.ID < 0:
		return false, expiry
	case b.attempts > 0:
		if leader != l.tried || !now.Before(l.retryAt) {
			return true, now
		}
		return false, earlier(l.retryAt, expiry)
	case hurry || len(l.queue) > 1 || b.Size >= l.cfg.BatchBytes:
		return true, now
	}
	if due := b.born.Add(l.cfg.Linger); now.Before(due) {
		return false, earlier(due, expiry)
	}
	return true, now
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// NeedsIdentity reports whether Send has to be given an identity, one that this
// lane has not had before.
func (l *Lane[R]) NeedsIdentity() bool { return l.cfg.Idempotent && l.identity == Nobody }

// Send returns the batch to be sent to a leader; Answer is called next, once. A
// batch that was encoded before and has another number than then comes without
// its Wire.
func (l *Lane[R]) Send(leader Leader, fresh Identity) *Batch[R] {
	if len(l.queue) == 0 || l.away {
		must.Bug("nothing to send")
	}
	b := l.queue[0]
	if leader != l.tried {
		l.tried, l.failures = leader, 0
	}
	if l.NeedsIdentity() {
		l.identity, l.next = fresh, 0
	}
	if l.cfg.Idempotent && b.Identity != l.identity {
		b.Identity, b.Sequence, b.Wire = l.identity, l.next, nil
	}
	l.away = true
	b.attempts++
	return b
}

// Expire gives up the batches that are too old and not on their way, and returns
// them, oldest first, and why.
func (l *Lane[R]) Expire(now time.Time) ([]*Batch[R], error) {
	n := 0
	for !l.away && n < len(l.queue) && !now.Before(l.queue[n].born.Add(l.cfg.Timeout)) {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	return l.drop(n), l.trouble
}

// Abandon gives up everything that is not on its way.
func (l *Lane[R]) Abandon() []*Batch[R] {
	if l.away {
		rest := l.queue[1:]
		l.queue = l.queue[:1:1]
		return rest
	}
	return l.drop(len(l.queue))
}

// drop takes the first n batches out, none of which is on its way.
func (l *Lane[R]) drop(n int) []*Batch[R] {
	out := l.queue[:n:n]
	if n > 0 && out[0].doubt {
		l.startOver()
	}
	l.queue = l.queue[n:]
	l.failures, l.retryAt = 0, time.Time{}
	return out
}

// startOver leaves the numbers behind that a broker may or may not have seen.
// Brokers take the next epoch of an identity at once, and nothing of an earlier
// one after it.
func (l *Lane[R]) startOver() {
	l.next = 0
	if !l.cfg.Idempotent || l.identity == Nobody {
		return
	}
	if l.identity.Epoch == maxEpoch {
		l.identity = Nobody
		return
	}
	l.identity.Epoch++
}
