package follow

import (
	"errors"

	"github.com/gregor-mq/gregor/wire"
)

var (
	// ErrRevoked is a Replica's word that this broker does not follow the
	// partition in that leader epoch any more. The fetcher forgets it.
	ErrRevoked = errors.New("partition is not followed any more")
	// ErrRetry marks errors that may pass: the fetcher tries again after a pause.
	// After any other error the partition is parked until it is assigned anew.
	ErrRetry = errors.New("will be tried again")
)

// Replica is the local log of a partition that is followed in one leader epoch.
// One goroutine at a time calls it. Its methods fail with ErrRevoked as soon as
// the partition has another role or epoch.
type Replica interface {
	// Position tells where the log is.
	Position() (Position, error)
	// Append takes what the leader sent: batches to append as they are, its high
	// watermark and log start. It returns the new position.
	Append(from Fetched) (Position, error)
	// EpochEnd returns the largest leader epoch of the log that is not above one,
	// and where it ends; -1, -1 when that is not known.
	EpochEnd(epoch int32) (found int32, end int64, err error)
	// Truncate cuts the log so that it ends at or below an offset.
	Truncate(to int64) (Position, error)
	// Restart drops all records and lets the log go on at an offset.
	Restart(at int64) (Position, error)
	// Fail hears of an error after which the partition is parked.
	Fail(err error)
}

// Position is where a log is.
type Position struct {
	// Start is the log start offset, End the end offset.
	Start, End int64
	// HighWatermark lies within both.
	HighWatermark int64
	// Epoch is the latest leader epoch, -1 when the log knows none.
	Epoch int32
}

// Fetched is what a leader sent of a partition.
type Fetched struct {
	// Offset is what was asked for: the end of the log.
	Offset int64
	// Records are whole batches, and maybe a part of one behind them. They are
	// only valid during the call.
	Records []byte
	// HighWatermark and LogStart are the leader's; LogStart is -1 in versions that
	// do not tell it.
	HighWatermark, LogStart int64
}

// Partition names a partition.
type Partition struct {
	Topic string
	Index int32
}

// Assignment tells where to copy a partition from, and where to.
type Assignment struct {
	Partition
	// TopicID is zero while the topic has none.
	TopicID wire.UUID
	// Leader is the broker to copy from, in a leader epoch.
	Leader, LeaderEpoch int32
	Replica             Replica
}
