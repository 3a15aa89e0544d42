package coordinator

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/gregor-mq/gregor/coordinator/group"
	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/run"
	"github.com/gregor-mq/gregor/wire"
)

// ticket numbers a request.
func (c *Coordinator) ticket() group.Ticket { return group.Ticket(c.tickets.Add(1)) }

// submit sends a request to the shard of its group. needName refuses the empty
// group id, which is allowed only where offsets are kept without membership
// and where such groups are looked at.
func submit[B group.Body](c *Coordinator, name string, needName bool, t group.Ticket, e group.Event, done func(B)) {
	if needName && name == "" {
		done(group.Refuse(e, wire.CodeInvalidGroupID).(B))
		return
	}
	p := c.PartitionFor(name)
	r := request{p, t, e, func(b group.Body) { done(b.(B)) }}
	if code := c.loopOf(p).box.offer(r); code != wire.CodeNone {
		done(group.Refuse(e, code).(B))
	}
}

// Join handles JoinGroup. Byte slices are copied; Ticket and UUID are filled
// in. The reply may take as long as a rebalance.
func (c *Coordinator) Join(r group.Join, done func(group.JoinReply)) {
	r.Ticket, r.UUID = c.ticket(), c.uuid()
	r.Protocols = slices.Clone(r.Protocols)
	for i := range r.Protocols {
		r.Protocols[i].Metadata = slices.Clone(r.Protocols[i].Metadata)
	}
	submit(c, r.Group, true, r.Ticket, r, done)
}

// Sync handles SyncGroup. Byte slices are copied.
func (c *Coordinator) Sync(r group.Sync, done func(group.SyncReply)) {
	r.Ticket = c.ticket()
	r.Assignments = slices.Clone(r.Assignments)
	for i := range r.Assignments {
		r.Assignments[i].Data = slices.Clone(r.Assignments[i].Data)
	}
	submit(c, r.Group, true, r.Ticket, r, done)
}

// Heartbeat handles Heartbeat.
func (c *Coordinator) Heartbeat(r group.Heartbeat, done func(group.CodeReply)) {
	r.Ticket = c.ticket()
	submit(c, r.Group, true, r.Ticket, r, done)
}

// Leave handles LeaveGroup.
func (c *Coordinator) Leave(r group.Leave, done func(group.LeaveReply)) {
	r.Ticket = c.ticket()
	submit(c, r.Group, true, r.Ticket, r, done)
}

// Commit handles OffsetCommit from version 1 on.
func (c *Coordinator) Commit(r group.Commit, done func(group.CommitReply)) {
	r.Ticket = c.ticket()
	submit(c, r.Group, false, r.Ticket, r, done)
}

// TxnCommit handles TxnOffsetCommit once the transaction is verified.
func (c *Coordinator) TxnCommit(r group.TxnCommit, done func(group.CommitReply)) {
	r.Ticket = c.ticket()
	submit(c, r.Group, true, r.Ticket, r, done)
}

// EndTxn applies a transaction marker that is committed in a partition of
// __consumer_offsets (WriteTxnMarkers). A partition that this broker does not
// lead is no error: its leader finds the marker in the log.
func (c *Coordinator) EndTxn(partition int32, producerID int64, commit bool, done func(group.CodeReply)) {
	t := c.ticket()
	e := group.TxnEnd{Ticket: t, ProducerID: producerID, Commit: commit}
	r := request{partition, t, e, func(b group.Body) { done(b.(group.CodeReply)) }}
	if !c.loopOf(partition).box.post(r) {
		done(group.CodeReply{Code: wire.CodeCoordinatorNotAvailable})
	}
}

// Fetch handles OffsetFetch for any number of groups; replies come in the
// order of the requests.
func (c *Coordinator) Fetch(groups []group.Fetch, done func([]group.FetchReply)) {
	run.Gather(groups, func(r group.Fetch, done func(group.FetchReply)) {
		r.Ticket = c.ticket()
		submit(c, r.Group, false, r.Ticket, r, done)
	}, done)
}

// DeleteOffsets handles OffsetDelete.
func (c *Coordinator) DeleteOffsets(r group.DeleteOffsets, done func(group.DeleteOffsetsReply)) {
	r.Ticket = c.ticket()
	submit(c, r.Group, true, r.Ticket, r, done)
}

// Describe handles DescribeGroups; replies come in the order of the names.
func (c *Coordinator) Describe(names []string, done func([]group.DescribeReply)) {
	run.Gather(names, func(name string, done func(group.DescribeReply)) {
		t := c.ticket()
		submit(c, name, false, t, group.Describe{Ticket: t, Group: name}, done)
	}, done)
}

// Deleted is the result of DeleteGroups for one group.
type Deleted struct {
	Group string
	Code  wire.Code
}

// Delete handles DeleteGroups; a name given twice is answered once.
func (c *Coordinator) Delete(names []string, done func([]Deleted)) {
	var once []string
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	run.Gather(once, func(name string, done func(Deleted)) {
		t := c.ticket()
		submit(c, name, false, t, group.Delete{Ticket: t, Group: name}, func(r group.CodeReply) {
			done(Deleted{name, r.Code})
		})
	}, done)
}

// List handles ListGroups: the groups of all loaded partitions in name order,
// with COORDINATOR_LOAD_IN_PROGRESS while others load. Filters that are empty
// let everything pass.
func (c *Coordinator) List(states, types []string, done func(group.ListReply)) {
	e := group.List{States: states, Types: types}
	run.Gather(c.loops, func(l *loop, done func(group.ListReply)) {
		if code := l.box.offer(listing{e, done}); code != wire.CodeNone {
			done(group.ListReply{Code: code})
		}
	}, func(parts []group.ListReply) {
		var all group.ListReply
		for _, p := range parts {
			if all.Code != wire.CodeCoordinatorNotAvailable && p.Code != wire.CodeNone {
				all.Code = p.Code
			}
			all.Groups = append(all.Groups, p.Groups...)
		}
		if all.Code == wire.CodeCoordinatorNotAvailable {
			all.Groups = nil
		}
		slices.SortFunc(all.Groups, func(a, b group.Listed) int { return strings.Compare(a.Group, b.Group) })
		done(all)
	})
}

// uuid returns a random UUID in the text form of java.util.UUID.
func (c *Coordinator) uuid() string {
	b := env.RandomUUID(c.rand)
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
