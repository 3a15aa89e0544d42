package client

// consumerOptions is what a GroupConsumer is made with.
type consumerOptions struct {
	connection
}
