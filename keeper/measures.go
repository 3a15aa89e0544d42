package keeper

import (
	"time"

	"github.com/gregor-mq/gregor/keeper/metrics"
	"github.com/gregor-mq/gregor/zk"
)

// measures are what the keeper counts, under the names of ZooKeeper's
// ServerMetrics. Those for which it has no quantity are left out: it has no
// chain of request processors with a queue before each. Times are in ms.
type measures struct {
	set metrics.Set

	fsync, batch                            *metrics.Summary
	snapshot, restore, dbInit, snapLoad     *metrics.Summary
	read, update, election                  *metrics.Summary
	nodeWatches                             map[zk.EventType]*metrics.Summary
	looking, commits, proposals, snapsSent  *metrics.Counter
	connects, rejected, dropped, reattached *metrics.Counter
	notServing, handshakes, expired, silent *metrics.Counter
	received, responses, watchBytes         *metrics.Counter
	snapErrors, snapLimited                 *metrics.Counter
	restoreErrors, restoreLimited           *metrics.Counter
	ensembleGood, ensembleBad, ensembleSkip *metrics.Counter
}

func newMeasures() *measures {
	m := &measures{}
	s := &m.set
	m.fsync = s.Summary("fsynctime", "Time of an append to the log with its fsync, in ms.")
	m.batch = s.Summary("sync_processor_batch_size", "Messages that share one fsync of the log.")
	m.snapshot = s.Summary("snapshottime", "Time of writing a snapshot, in ms.")
	m.restore = s.Summary("restore_time", "Time of restoring a snapshot by the command restore, in ms.")
	m.dbInit = s.Summary("dbinittime", "Time of reading snapshot and log at the start, in ms.")
	m.snapLoad = s.Summary("startup_snap_load_time", "Time of reading the snapshot at the start, in ms.")
	m.read = s.Detailed("readlatency", "Time from a read's arrival to its reply, in ms.")
	m.update = s.Detailed("updatelatency", "Time from a write's arrival to its reply, in ms.")
	m.election = s.Summary("election_time", "Time without a known leader, in ms.")
	m.nodeWatches = map[zk.EventType]*metrics.Summary{
		zk.EventCreated:         s.Summary("node_created_watch_count", "Watchers told of a created node."),
		zk.EventDeleted:         s.Summary("node_deleted_watch_count", "Watchers told of a deleted node."),
		zk.EventDataChanged:     s.Summary("node_changed_watch_count", "Watchers told of a node's new data."),
		zk.EventChildrenChanged: s.Summary("node_children_watch_count", "Watchers told of a node's new children."),
	}
	m.looking = s.Counter("looking_count", "Times that this member had no leader.")
	m.commits = s.Counter("commit_count", "Transactions applied.")
	m.proposals = s.Counter("proposal_count", "Log entries proposed by this member as leader.")
	m.snapsSent = s.Counter("snap_count", "Snapshots sent to other members.")
	m.connects = s.Counter("connection_request_count", "Sessions begun or taken up again by clients of this member.")
	m.reattached = s.Counter("connection_revalidate_count", "Sessions taken up again by clients of this member.")
	m.rejected = s.Counter("connection_rejected", "Connections refused, such as those above maxClientCnxns.")
	m.dropped = s.Counter("connection_drop_count", "Connections that ended.")
	m.notServing = s.Counter("cnxn_closed_without_zk_server_running", "Clients sent away because no leader was heard.")
	m.handshakes = s.Counter("unsuccessful_handshake", "TLS handshakes that failed.")
	m.expired = s.Counter("stale_sessions_expired", "Sessions that expired, as this member saw it as leader.")
	m.silent = s.Counter("sessionless_connections_expired", "Connections that said nothing in time.")
	m.received = s.Counter("bytes_received_count", "Bytes received from clients.")
	m.responses = s.Counter("response_bytes", "Bytes of replies.")
	m.watchBytes = s.Counter("watch_bytes", "Bytes of watch events.")
	m.snapErrors = s.Counter("snapshot_error_count", "Snapshots that failed.")
	m.snapLimited = s.Counter("snapshot_rate_limited_count", "Commands snapshot that came too soon after another.")
	m.restoreErrors = s.Counter("restore_error_count", "Commands restore that failed.")
	m.restoreLimited = s.Counter("restore_rate_limited_count", "Commands restore that came too soon after another.")
	m.ensembleGood = s.Counter("ensemble_auth_success", "Clients that expected this ensemble.")
	m.ensembleBad = s.Counter("ensemble_auth_fail", "Clients that expected another ensemble.")
	m.ensembleSkip = s.Counter("ensemble_auth_skip", "Clients that said nothing of an ensemble.")
	return m
}

// reply counts one reply.
func (m *measures) reply(read bool, ms int64, size int) {
	if read {
		m.read.Observe(ms)
	} else {
		m.update.Observe(ms)
	}
	m.responses.Add(int64(size))
}

// told counts those who were told of an event.
func (m *measures) told(t zk.EventType, watchers int) {
	if watchers > 0 {
		m.nodeWatches[t].Observe(int64(watchers))
	}
}

// proposed counts a log entry that this member proposes.
func (k *Keeper) proposed(size int) {
	k.measures.proposals.Add(1)
	k.stats.proposals.note(size)
}

// elected counts the loss of a leader and the finding of one.
func (m *measures) elected(old, now *role) {
	lost := old == nil || old.leader == 0
	switch {
	case now.leader == 0 && (old == nil || !lost):
		m.looking.Add(1)
	case now.leader != 0 && lost:
		m.election.Observe(now.at - now.lost)
	}
}

// took notes how long something took that began then.
func (k *Keeper) took(s *metrics.Summary, begin time.Time) {
	s.Observe(k.env.Clock.Now().Sub(begin).Milliseconds())
}

// gauges are what is read when somebody asks.
func (k *Keeper) gauges() []metrics.Gauge {
	g := gaugeList{}
	k.serverGauges(&g)
	if k.quorum != nil {
		if r := k.role.Load(); r != nil {
			k.memberGauges(&g, r)
		}
	}
	return g.list
}

type gaugeList struct{ list []metrics.Gauge }

func (g *gaugeList) add(name, help string, v any) {
	g.list = append(g.list, metrics.Gauge{Value: metrics.Value{Name: name, Number: v}, Help: help})
}

func (k *Keeper) serverGauges(g *gaugeList) {
	var nodes, ephemerals, size, sessions int64
	k.state.RLock()
	if t := k.state.tree; t != nil {
		nodes, ephemerals, size, sessions = int64(t.NodeCount()), int64(t.EphemeralCount()), t.ApproximateSize(), int64(t.SessionCount())
	}
	k.state.RUnlock()
	open, limit := k.fileDescriptors()
	least, avg, most := k.stats.latencies()
	last, smallest, largest := k.stats.responses.values()
	g.add("ephemerals_count", "Nodes that end with a session.", ephemerals)
	g.add("num_alive_connections", "Connections of clients.", int64(k.conns.count()))
	g.add("avg_latency", "Mean time from a request to its reply, in ms.", avg)
	g.add("outstanding_requests", "Writes that wait for their reply.", k.stats.outstanding.Load())
	g.add("znode_count", "Nodes.", nodes)
	g.add("global_sessions", "Sessions.", sessions)
	g.add("local_sessions", "Always 0: there are no local sessions.", int64(0))
	g.add("non_mtls_remote_conn_count", "Always 0: only one that lets any client in counts them.", int64(0))
	g.add("non_mtls_local_conn_count", "Always 0: only one that lets any client in counts them.", int64(0))
	g.add("last_client_response_size", "Size of the last reply in bytes, -1 before the first.", last)
	g.add("max_client_response_size", "Size of the largest reply in bytes, -1 before the first.", largest)
	g.add("min_client_response_size", "Size of the smallest reply in bytes, -1 before the first.", smallest)
	g.add("watch_count", "Watches.", int64(k.watches.Counts().All))
	g.add("approximate_data_size", "Bytes of all paths and data.", size)
	g.add("open_file_descriptor_count", "Open files, -1 where it is not known.", open)
	g.add("max_file_descriptor_count", "Files that may be open, -1 where it is not known.", limit)
	g.add("connection_drop_probability", "Always 0: connections are not dropped at random.", float64(0))
	g.add("outstanding_tls_handshake", "Always 0: handshakes are not limited.", int64(0))
	g.add("auth_failed_count", "Clients that failed to prove themselves.", k.stats.authFailed.Load())
	g.add("packets_sent", "Replies and events sent.", k.stats.sent.Load())
	g.add("packets_received", "Requests received.", k.stats.received.Load())
	g.add("min_latency", "Shortest time from a request to its reply, in ms.", least)
	g.add("max_latency", "Longest time from a request to its reply, in ms.", most)
	g.add("uptime", "Time since the start, in ms.", k.elapsed())
}

// memberGauges are those of an ensemble's member, and those of a leader.
func (k *Keeper) memberGauges(g *gaugeList, r *role) {
	g.add("quorum_size", "Members that vote.", int64(len(r.config.Voters())))
	observers := r.count(func(n *learner) bool { return n.synced && n.observer })
	if !r.leading {
		if k.mode() == "follower" {
			g.add("synced_observers", "Observers that are in step.", observers)
		}
		return
	}
	last, smallest, largest := k.stats.proposals.values()
	g.add("learners", "Members that follow this one.", r.count(func(n *learner) bool { return n.active }))
	g.add("followers", "Followers that are connected.", r.count(func(n *learner) bool { return n.active && !n.observer }))
	g.add("synced_followers", "Followers that are in step.", r.count(func(n *learner) bool { return n.synced && !n.observer }))
	g.add("synced_non_voting_followers", "Always 0: who does not vote is an observer.", int64(0))
	g.add("synced_observers", "Observers that are in step.", observers)
	g.add("pending_syncs", "Calls of sync that wait.", int64(r.syncs))
	g.add("leader_uptime", "Time since this member began to lead, in ms.", k.elapsed()-r.since)
	g.add("last_proposal_size", "Size of the last log entry in bytes, -1 before the first.", last)
	g.add("max_proposal_size", "Size of the largest log entry in bytes, -1 before the first.", largest)
	g.add("min_proposal_size", "Size of the smallest log entry in bytes, -1 before the first.", smallest)
}
