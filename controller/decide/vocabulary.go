package decide

import "github.com/gregor-mq/gregor/wire"

type (
	// TopicID is a topic's id; zero stands for none.
	TopicID = wire.UUID
	// Code is a protocol error; 0 is none.
	Code = wire.Code
)
