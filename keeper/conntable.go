package keeper

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/gregor-mq/gregor/keeper/watch"
)

// watchConn numbers a connection.
type watchConn = watch.Conn

// connTable finds connections by number and counts them by address.
type connTable struct {
	mu      sync.Mutex
	m       map[watchConn]*conn
	perAddr map[string]int // network clients only
	next    watchConn
	closed  bool
}

var errClosing = errors.New("the keeper is shutting down")

// add takes in a connection unless its address has too many.
func (t *connTable) add(c *conn, limit int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosing
	}
	if !c.local {
		if limit > 0 && t.perAddr[c.host] >= limit {
			return fmt.Errorf("too many connections from %s: maxClientCnxns is %d", c.host, limit)
		}
		t.perAddr[c.host]++
	}
	for { // skips numbers in use, should they ever wrap
		t.next++
		if _, taken := t.m[t.next]; !taken && t.next != 0 {
			break
		}
	}
	c.id = t.next
	t.m[c.id] = c
	return nil
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.m, c.id)
	if c.local {
		return
	}
	if t.perAddr[c.host]--; t.perAddr[c.host] == 0 {
		delete(t.perAddr, c.host)
	}
}

func (t *connTable) get(id watchConn) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[id]
}

// all lists the connections by number.
func (t *connTable) all() []*conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*conn, 0, len(t.m))
	for _, c := range t.m {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return list
}

func (t *connTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.m)
}

// closeTable refuses further connections and lists those there are.
func (t *connTable) closeTable() []*conn {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	return t.all()
}

// sessionName writes a session's id as ZooKeeper does.
func sessionName(id int64) string { return "0x" + strconv.FormatUint(uint64(id), 16) }
