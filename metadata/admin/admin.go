package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/wire"
	"github.com/gregor-mq/gregor/zk"
	"github.com/gregor-mq/gregor/zk/session"
	"github.com/gregor-mq/gregor/znode"
)

// Admin writes over one session. It is safe for concurrent use.
type Admin struct {
	calls session.Calls
	acl   func(path string) []zk.ACL
	rand  env.Rand
	limit int
}

// Config says how to write.
type Config struct {
	// ACL returns the ACL of a node that is made; nil for world:anyone.
	ACL func(path string) []zk.ACL
	// Rand spreads first replicas and draws topic ids.
	Rand env.Rand
	// MaxPartitions bounds the partitions of one topic; zero is
	// DefaultMaxPartitions.
	MaxPartitions int
}

// DefaultMaxPartitions is about what fits into one znode of 1 MiB: a bound
// against requests that would only cost memory.
const DefaultMaxPartitions = 100_000

// New returns an Admin over a session's calls; those of Session.Retrying keep
// trying over a lost connection.
func New(calls session.Calls, cfg Config) *Admin {
	a := &Admin{calls: calls, acl: cfg.ACL, rand: cfg.Rand, limit: cfg.MaxPartitions}
	if a.acl == nil {
		a.acl = func(string) []zk.ACL { return zk.OpenACL() }
	}
	if a.limit == 0 {
		a.limit = DefaultMaxPartitions
	}
	return a
}

// Error is a refusal with the code and message that the client gets.
type Error struct {
	Code    wire.Code
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Code.Name() + ": " + e.Message }

func refuse(code wire.Code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// CodeOf returns the code and message to answer an error with.
func CodeOf(err error) (wire.Code, string) {
	if err == nil {
		return wire.CodeNone, ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code, e.Message
	}
	return wire.CodeUnknownServerError, err.Error()
}

// NewTopicID draws a topic id as Kafka does: a random UUID that is none of the
// reserved ones and does not begin with a dash, which command lines dislike.
func NewTopicID(r env.Rand) wire.UUID {
	for {
		if id := wire.UUID(env.RandomUUID(r)); id.String()[0] != '-' {
			return id
		}
	}
}

// create makes a persistent node and its missing parents.
func (a *Admin) create(ctx context.Context, path string, data []byte) error {
	_, _, err := a.calls.CreateRecursive(ctx, path, data, a.acl, zk.Persistent)
	return err
}

// readTopic returns a topic's node; found is false when there is none.
func (a *Admin) readTopic(ctx context.Context, topic string) (n znode.Topic, stat zk.Stat, found bool, err error) {
	data, stat, err := a.calls.Get(ctx, znode.TopicPath(topic), false)
	if errors.Is(err, zk.ErrNoNode) {
		return n, stat, false, nil
	}
	if err != nil {
		return n, stat, false, err
	}
	n, err = znode.DecodeTopic(znode.TopicPath(topic), data)
	return n, stat, err == nil, err
}
