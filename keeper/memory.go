package keeper

import "github.com/gregor-mq/gregor/internal/run"

// requestMemory bounds what the requests in work take, in two pots: clients that
// fill the one with large requests, as slowly as they like, do not keep the
// small requests of others waiting.
type requestMemory struct{ small, large *run.Budget }

const (
	// smallMemory bounds small requests, which wait behind writes of their
	// connection for the most part.
	smallMemory = 64 << 20
	// callMemory is about what a request takes besides its bytes.
	callMemory = 512
)

func newRequestMemory(large int64) requestMemory {
	return requestMemory{small: run.NewBudget(smallMemory), large: run.NewBudget(large)}
}

// bufferCost is what a buffer of n bytes to read into takes of the large pot;
// an idle connection's is free.
func bufferCost(n int) int64 {
	if n <= keptBuffer {
		return 0
	}
	return int64(n)
}

// reserve takes what a buffer of n bytes costs, or gives back what the present
// one costs above that. It waits where too much is in work.
func (c *conn) reserve(n int) error {
	if c.local {
		return nil
	}
	more := bufferCost(n) - c.reserved
	switch {
	case more > 0:
		if err := c.take(c.k.memory.large, more); err != nil {
			return err
		}
	case more < 0:
		c.k.memory.large.Give(-more)
	}
	c.reserved += more
	return nil
}

// charge takes what a request of n bytes costs until it is done.
func (c *conn) charge(cl *call, n int) error {
	if c.local {
		return nil
	}
	pot := c.k.memory.small
	if n > idleBuffer {
		pot = c.k.memory.large
	}
	cost := int64(callMemory + n)
	if err := c.take(pot, cost); err != nil {
		return err
	}
	cl.pot, cl.cost = pot, cost
	return nil
}

// take waits for n bytes. Replies are sent before, and the end of the connection
// ends it. The session of who waits does not expire: its pings wait too.
func (c *conn) take(pot *run.Budget, n int64) error {
	if pot.TryTake(n) {
		return nil
	}
	c.flush()
	c.waits.Store(true)
	defer c.waits.Store(false)
	return pot.Take(c.ctx, n, c.reserved)
}

// release gives back what a request cost, once.
func (cl *call) release() {
	if cl.cost > 0 {
		cl.pot.Give(cl.cost)
		cl.cost = 0
	}
}
