package client

import "errors"

// Errors of this package. Brokers' refusals are the errors of franz-go's package
// kerr, to be asked for with errors.Is.
var (
	// ErrClosed is what a closed Producer or GroupConsumer answers.
	ErrClosed = errors.New("client is closed")
	// ErrNoTopic says that a topic does not exist. Nobody creates topics here.
	ErrNoTopic = errors.New("topic does not exist")
	// ErrNoPartition says that a topic has no partition of that number.
	ErrNoPartition = errors.New("no such partition")
	// ErrTimeout says that a record was not acknowledged within the delivery
	// timeout. It may be in the log all the same.
	ErrTimeout = errors.New("delivery timeout")
)
