package client

import "errors"

// Errors of this package. Brokers' refusals are the errors of franz-go's package
// kerr, to be asked for with errors.Is.
var (
	// ErrClosed is what a closed Producer or GroupConsumer answers.
	ErrClosed = errors.New("client is closed")
	// ErrNoChroot says that the path at the end of the connect string does not
	// exist: most likely it is misspelt, for brokers create theirs.
	ErrNoChroot = errors.New("the chroot does not exist in zookeeper")
	// ErrNoTopic says that a topic does not exist. Nobody creates topics here.
	ErrNoTopic = errors.New("topic does not exist")
	// ErrNoPartition says that a topic has no partition of that number.
	ErrNoPartition = errors.New("no such partition")
	// ErrNotLed says that the one broker of a LayerFour producer does not lead the
	// partition that a record is for, or none of its topic.
	ErrNotLed = errors.New("the producer's broker does not lead the partition")
	// ErrTopicName says that a topic's name breaks Kafka's rules: up to 249 letters,
	// digits, dots, underscores and hyphens, not "." or "..".
	ErrTopicName = errors.New("illegal topic name")
	// ErrTimeout says that a record was not acknowledged within the delivery
	// timeout. It may be in the log all the same.
	ErrTimeout = errors.New("delivery timeout")
)
