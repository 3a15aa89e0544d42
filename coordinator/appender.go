package coordinator

import "github.com/gregor-mq/gregor/wire"

// Appender is what a coordinator needs of the partitions of its topic.
type Appender interface {
	// Append appends one v2 batch as the leader of partition in leader epoch,
	// with acks=all: all or nothing, in the order of the calls. done is called
	// exactly once, from any goroutine, possibly before Append returns, with
	// the offset of the batch's first record:
	//   - CodeNone once the high watermark has passed it;
	//   - CodeRequestTimedOut or CodeNotEnoughReplicasAfterAppend when it is
	//     in the log but was not committed (in time);
	//   - CodeNotLeaderOrFollower when this broker does not lead the partition
	//     in that epoch, or no longer does;
	//   - any other code when it was not appended.
	// The batch belongs to the callee, which may change it in place. Append
	// does not wait.
	Append(partition, epoch int32, batch []byte, done func(base int64, code wire.Code))
	// Read returns whole entries of the log from the one that holds offset on,
	// or from the log's start where offset lies before it, up to the log's end
	// and not only to the high watermark. It fills buf, or a larger buffer
	// when the first entry does not fit; an empty result is the end.
	Read(partition int32, offset int64, buf []byte) ([]byte, error)
}
