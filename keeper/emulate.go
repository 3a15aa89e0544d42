package keeper

import (
	"fmt"

	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/keeper/watch"
	"github.com/gregor-mq/gregor/zk"
)

// quirks are all the ways in which the releases of ZooKeeper that the keeper can
// answer as differ for a client. The zero value is 3.9.
type quirks struct {
	// bareEvents leaves the zxid of the change out of watch events.
	bareEvents bool
	// threeWatchers knows no types of watches but children, data and any.
	threeWatchers bool
	// oneWatch keeps only the last of a connection's watches on a path.
	oneWatch bool
	// unreadableTakesZxid counts changes that could not be read.
	unreadableTakesZxid bool
	// noClientReaping refuses deleteContainer, noIPv6 such addresses in ACLs.
	noClientReaping, noIPv6 bool
}

// emulated are the releases, by what Config.Emulate calls them.
var emulated = map[string]quirks{
	"":    {},
	"3.9": {},
	"3.8": {
		bareEvents: true, threeWatchers: true, oneWatch: true, unreadableTakesZxid: true,
		noClientReaping: true, noIPv6: true,
	},
}

func checkEmulate(release string) error {
	if _, ok := emulated[release]; !ok {
		return fmt.Errorf("gregor.keeper.emulate=%s: must be 3.9 or 3.8", release)
	}
	return nil
}

// eventZxid is what the event of a change carries.
func (q quirks) eventZxid(zxid int64) int64 {
	const none = -1
	if q.bareEvents {
		return none
	}
	return zxid
}

// knows answers a type of watches that means nothing as ZooKeeper does, which
// cannot make an enum of it.
func (q quirks) knows(t zk.WatcherType) zk.Err {
	last := zk.WatcherPersistentRecursive
	if q.threeWatchers {
		last = zk.WatcherAny
	}
	if t < zk.WatcherChildren || t > last {
		return zk.ErrMarshalling
	}
	return zk.OK
}

func (q quirks) watches() *watch.Table {
	if q.oneWatch {
		return watch.NewSingle()
	}
	return watch.New()
}

func (q quirks) tree(o tree.Options) tree.Options {
	o.IPv4Only, o.NoClientReaping = q.noIPv6, q.noClientReaping
	return o
}

// unreadable returns what takes the place of a change that could not be read, or
// nil when it takes no zxid.
func (q quirks) unreadable(op zk.Op, multi bool) zk.Request {
	switch op {
	case zk.OpMulti:
		if multi {
			return refusedWrite
		}
	case zk.OpDeleteContainer:
		if q.noClientReaping {
			return &zk.DeleteContainerRequest{}
		}
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL, zk.OpDelete, zk.OpSetData, zk.OpSetACL:
		if q.unreadableTakesZxid {
			return refusedWrite
		}
	}
	return nil
}

// refusedWrite is a change that is refused as one that cannot be read.
var refusedWrite = &zk.DeleteRequest{Path: zk.Null}
