package coordinator

import (
	"sync"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// message is what a loop gets; one queue keeps them in order.
type message interface{ isMessage() }

type (
	// request is an event of a client with the one to answer.
	request struct {
		partition int32
		ticket    group.Ticket
		event     group.Event
		done      func(group.Body)
	}
	// listing asks all shards of a loop.
	listing struct {
		event group.List
		done  func(group.ListReply)
	}
	// lead and resign begin and end the leadership of a partition; a resign
	// with epoch -1 holds for any.
	lead   struct{ partition, epoch int32 }
	resign struct{ partition, epoch int32 }
	// appended is the result of an append.
	appended struct {
		partition int32
		life      uint64
		result    group.WriteDone
	}
	// loadEnd hands a loaded machine over.
	loadEnd struct {
		partition int32
		life      uint64
		machine   *group.Machine
		err       error
	}
	// deletion is for every shard.
	deletion struct{ event group.PartitionsDeleted }
)

func (request) isMessage()  {}
func (listing) isMessage()  {}
func (lead) isMessage()     {}
func (resign) isMessage()   {}
func (appended) isMessage() {}
func (loadEnd) isMessage()  {}
func (deletion) isMessage() {}

// mailbox is a loop's queue. Requests are bounded and may be refused. All
// other messages are accepted, for they must not be lost, and are bounded by
// what causes them: writes under way, partitions, requests that wait elsewhere.
type mailbox struct {
	mu struct {
		sync.Mutex
		items    []message
		requests int
		closed   bool
	}
	ready chan struct{} // holds at most one token
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

// offer queues a request, or returns why not.
func (b *mailbox) offer(m message) wire.Code {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.mu.closed:
		return wire.CodeCoordinatorNotAvailable
	case b.mu.requests >= maxRequests:
		return wire.CodeCoordinatorLoadInProgress // come again, to the same broker
	}
	b.mu.requests++
	b.put(m)
	return wire.CodeNone
}

// post queues any other message; it reports false after close.
func (b *mailbox) post(m message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return false
	}
	b.put(m)
	return true
}

func (b *mailbox) put(m message) {
	b.mu.items = append(b.mu.items, m)
	run.Hint(b.ready)
}

// drain moves what is there to buf.
func (b *mailbox) drain(buf []message) []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf = append(buf, b.mu.items...)
	clear(b.mu.items)
	b.mu.items, b.mu.requests = b.mu.items[:0], 0
	return buf
}

// close refuses all further messages and returns those inside.
func (b *mailbox) close() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.closed = true
	return b.mu.items
}
