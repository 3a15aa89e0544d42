package lane

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/gregor-mq/gregor/internal/must"
	"github.com/gregor-mq/gregor/record"
)

// Verdict is what an answer means for the batch.
type Verdict uint8

// The verdicts. After Acked and Failed the batch has left the lane.
const (
	Acked Verdict = iota + 1
	Failed
	Again
	// AgainAfterLook is Again, and the leader is to be looked up once more: what
	// is known of it keeps leading nowhere.
	AgainAfterLook
)

// Answer takes in what came of the batch on its way: nil, a *kerr.Error from the
// broker, or any other error when there was no answer. For Failed the error is
// the reason.
func (l *Lane[R]) Answer(now time.Time, err error) (Verdict, error) {
	if !l.away {
		must.Bug("an answer to nothing")
	}
	b := l.queue[0]
	l.away = false
	var refusal *kerr.Error
	switch {
	case err == nil, errors.Is(err, kerr.DuplicateSequenceNumber):
		return l.acked(b), nil
	case !errors.As(err, &refusal):
		b.doubt = true
		return l.again(now, err, true), nil
	}
	b.doubt = b.doubt || mayBeWritten(refusal)
	switch {
	case l.cfg.Idempotent && lostTrack(refusal):
		// The broker lacks batches from before this one: they were acknowledged by a
		// leader that is gone with them. Whoever lacks those cannot have this one.
		b.doubt = false
		l.startOver()
		return l.again(now, err, false), nil
	case refusal.Retriable:
		return l.again(now, err, wrongLeader(refusal)), nil
	}
	l.drop(1)
	return Failed, err
}

func (l *Lane[R]) acked(b *Batch[R]) Verdict {
	l.queue = l.queue[1:]
	l.failures, l.retryAt, l.trouble = 0, time.Time{}, nil
	if l.cfg.Idempotent {
		l.next = record.AddSequence(b.Sequence, int32(len(b.Records)))
	}
	return Acked
}

// again schedules another attempt.
func (l *Lane[R]) again(now time.Time, err error, leader bool) Verdict {
	l.trouble = err
	l.retryAt = now.Add(min(backoffMin<<min(l.failures, 10), backoffMax))
	l.failures++
	if leader && l.failures > 1 {
		return AgainAfterLook
	}
	return Again
}

// mayBeWritten says of which errors the batch may be in the log all the same, or
// still get there.
func mayBeWritten(e *kerr.Error) bool {
	switch e.Code {
	case kerr.RequestTimedOut.Code, kerr.NotEnoughReplicasAfterAppend.Code, kerr.KafkaStorageError.Code, kerr.NetworkException.Code,
		kerr.UnknownServerError.Code:
		return true
	}
	return false
}

// lostTrack says which errors mean that the broker misses numbers before those of
// the batch.
func lostTrack(e *kerr.Error) bool {
	return e.Code == kerr.OutOfOrderSequenceNumber.Code || e.Code == kerr.UnknownProducerID.Code
}

// wrongLeader says which errors mean that somebody else may be asked.
func wrongLeader(e *kerr.Error) bool {
	switch e.Code {
	case kerr.NotLeaderForPartition.Code, kerr.UnknownTopicOrPartition.Code, kerr.LeaderNotAvailable.Code, kerr.FencedLeaderEpoch.Code,
		kerr.UnknownLeaderEpoch.Code, kerr.BrokerNotAvailable.Code, kerr.ReplicaNotAvailable.Code, kerr.KafkaStorageError.Code:
		return true
	}
	return false
}
