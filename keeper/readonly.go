package keeper

import (
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/gregor-mq/gregor/zk"
)

// A member that hears no leader may show what it last knew to clients that say they
// can live with that (readonlymode.enabled). Their sessions are known to nobody else
// and end when there is a leader again: the connection does, and the client comes as
// one that has never been here, or with the session that it had before.

// showsOnly reports whether a client gets a connection that can only read.
func (k *Keeper) showsOnly(hello *zk.ConnectRequest) bool {
	if !k.cfg.ReadOnlyMode || !hello.ReadOnly || k.quorum == nil {
		return false
	}
	k.state.RLock()
	defer k.state.RUnlock()
	return k.state.tree != nil && k.ensembleID.Load() != 0
}

// greetReadOnly answers a client that can only read.
func (c *conn) greetReadOnly(hello *zk.ConnectRequest) error {
	k := c.k
	k.state.RLock()
	last := k.state.tree.LastZxid()
	_, known := k.state.tree.Session(hello.SessionID)
	k.state.RUnlock()
	if hello.LastZxidSeen > last {
		return fmt.Errorf("client has seen zxid 0x%x, this member only 0x%x", hello.LastZxidSeen, last)
	}
	c.readOnly.Store(true)
	id := hello.SessionID
	if want := password(id); id != 0 && (!known || subtle.ConstantTimeCompare(want[:], hello.Password) != 1) {
		c.welcome(&zk.ConnectResponse{Password: make([]byte, zk.PasswordSize), Old: hello.Old, ReadOnly: true}, nil)
		c.closeAfterReplies()
		return nil
	}
	if id == 0 {
		id = int64(k.cfg.Member)<<56 | int64(k.env.Rand.Uint64()>>8)
	}
	s := &session{id: id}
	s.timeout.Store(k.negotiate(hello.Timeout))
	pw := password(id)
	c.welcome(&zk.ConnectResponse{
		Timeout: int32(s.timeout.Load()), SessionID: id, Password: slices.Clone(pw[:]), Old: hello.Old, ReadOnly: true,
	}, s)
	return nil
}

// onlyReads answers what a connection that can only read cannot do.
func (c *conn) onlyReads(cl *call) error {
	closes := cl.kind == callClose
	cl.kind, cl.read.fail = callRead, zk.ErrNotReadOnly
	if closes {
		cl.read.fail, cl.read.body = zk.OK, zk.PingRequest{} // an answer without a body
	}
	err := c.submit(cl)
	if closes {
		c.closeAfterReplies()
	}
	return err
}

// endReadOnly ends the connections that can only read, once there is a leader.
func (k *Keeper) endReadOnly() {
	for _, c := range k.conns.all() {
		if c.readOnly.Load() {
			c.close()
		}
	}
}

// negotiate bounds a session's timeout, in ms.
func (k *Keeper) negotiate(timeout int32) int64 {
	return min(max(int64(timeout), k.cfg.MinSessionTimeout.Milliseconds()), k.cfg.MaxSessionTimeout.Milliseconds())
}
