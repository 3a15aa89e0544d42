package keeper

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/keeper/admin"
	"github.com/gregor-mq/gregor/keeper/ensemble"
	"github.com/gregor-mq/gregor/keeper/tree"
	"github.com/gregor-mq/gregor/zk"
)

// commands are those of ZooKeeper 3.9 over HTTP.
func (k *Keeper) commands() []admin.Command {
	get := func(fields func() admin.Object, names ...string) admin.Command {
		return admin.Command{Names: names, Get: func(context.Context, url.Values) admin.Answer { return admin.Answer{Fields: fields()} }}
	}
	does := func(do func(), names ...string) admin.Command {
		return get(func() admin.Object { do(); return nil }, names...)
	}
	idle := func(c admin.Command) admin.Command { c.Idle = true; return c }
	return append([]admin.Command{
		does(k.resetConns, "connection_stat_reset", "crst"),
		get(k.tellConfiguration, "configuration", "conf", "config"),
		get(func() admin.Object { return k.tellConns(false) }, "connections", "cons"),
		get(func() admin.Object { return admin.Object{{Name: "digests", Value: []string{}}} }, "hash"),
		get(k.tellSizes, "dirs"),
		get(k.tellDump, "dump"),
		idle(get(k.tellEnvironment, "environment", "env", "envi")),
		idle(get(k.tellTraceMask, "get_trace_mask", "gtmk")),
		get(k.tellSource, "initial_configuration", "icfg"),
		get(func() admin.Object { return admin.Object{{Name: "read_only", Value: false}} }, "is_read_only", "isro"),
		get(k.tellLastSnapshot, "last_snapshot", "lsnp"),
		get(k.tellLeader, "leader", "lead"),
		get(k.tellMonitor, "monitor", "mntr"),
		does(func() {}, "observer_connection_stat_reset", "orst"), // nothing is counted per observer
		does(func() {}, "ruok"),
		idle(admin.Command{Names: []string{"set_trace_mask", "stmk"}, Get: k.setTraceMask}),
		get(k.tellServer, "server_stats", "srvr"),
		get(func() admin.Object { return append(k.tellServer(), k.tellConns(true)...) }, "stats", "stat"),
		does(k.resetStats, "stat_reset", "srst"),
		get(k.tellObservers, "observers", "obsr"),
		idle(get(k.tellProperties, "system_properties", "sysp")),
		get(k.tellVoters, "voting_view"),
		get(k.tellWatches, "watches", "wchc"),
		get(k.tellWatchesByPath, "watches_by_path", "wchp"),
		get(k.tellWatchCounts, "watch_summary", "wchs"),
		get(k.tellZab, "zabstate"),
	}, k.dataCommands()...)
}

func (k *Keeper) tellConfiguration() admin.Object {
	return admin.Of(
		"client_port", portOf(k.listen[:k.guard.plain]), "data_dir", k.dir.snaps, "data_log_dir", k.dir.logs,
		"tick_time", k.tickMillis(), "max_client_cnxns", max(k.cfg.MaxClientCnxns, 0),
		"min_session_timeout", k.cfg.MinSessionTimeout.Milliseconds(), "max_session_timeout", k.cfg.MaxSessionTimeout.Milliseconds(),
		"server_id", k.serverID(), "client_port_listen_backlog", -1,
	)
}

// tellConns lists connections to the plain and to the secure ports.
func (k *Keeper) tellConns(brief bool) admin.Object {
	plain, secured := []admin.Object{}, []admin.Object{}
	port := portOf(k.listen[k.guard.plain:])
	for _, c := range k.conns.all() {
		if a, ok := c.nc.LocalAddr().(*net.TCPAddr); ok && a.Port == port {
			secured = append(secured, c.tell(brief))
		} else {
			plain = append(plain, c.tell(brief))
		}
	}
	return admin.Of("connections", plain, "secure_connections", secured)
}

// tell describes a connection as ServerCnxn does.
func (c *conn) tell(brief bool) admin.Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, st := c.session.Load(), &c.mu.stats
	id, interest, timeout := int64(0), 0, int64(0)
	if s != nil {
		id, interest, timeout = s.id, 1, s.timeout.Load()
	}
	o := admin.Of(
		"remote_socket_address", c.addr, "interest_ops", interest, "outstanding_requests", len(c.mu.queue),
		"packets_received", st.received, "packets_sent", st.sent,
	)
	if brief {
		return o
	}
	return append(o, admin.Of(
		"session_id", id, "last_operation", st.lastOp, "established", c.opened.UnixMilli(), "session_timeout", timeout,
		"last_cxid", st.lastCxid, "last_zxid", st.lastZxid, "last_response_time", st.lastReply, "last_latency", st.last,
		"min_latency", st.least(), "avg_latency", st.average(), "max_latency", st.max,
	)...)
}

func (k *Keeper) tellSizes() admin.Object {
	return admin.Of("datadir_size", k.disk.snaps.Load(), "logdir_size", k.disk.logs.Load())
}

func (k *Keeper) tellDump() admin.Object {
	expiry, owned := admin.Object{}, admin.Object{}
	if mode := k.mode(); mode == "standalone" || mode == "leader" { // others watch over no session
		ticks, sets := k.sessions.byDeadline()
		for _, t := range ticks {
			expiry = append(expiry, admin.Field{Name: strconv.FormatInt(t, 10), Value: sets[t]})
		}
	}
	k.state.RLock()
	defer k.state.RUnlock()
	for _, id := range k.state.tree.Owners() {
		owned = append(owned, admin.Field{Name: strconv.FormatInt(id, 10), Value: k.state.tree.Ephemerals(id, "")})
	}
	return admin.Of("expiry_time_to_session_ids", expiry, "session_id_to_ephemeral_paths", owned)
}

func (k *Keeper) tellEnvironment() admin.Object {
	var o admin.Object
	for _, e := range k.environment() {
		o = append(o, admin.Field{Name: e[0], Value: e[1]})
	}
	return o
}

func (k *Keeper) tellTraceMask() admin.Object {
	return admin.Of("tracemask", k.traceMask.Load())
}

func (k *Keeper) setTraceMask(_ context.Context, args url.Values) admin.Answer {
	const rule = "setTraceMask requires long traceMask argument"
	if !args.Has("traceMask") {
		return admin.Answer{Fields: admin.Of("error", rule)}
	}
	mask, err := strconv.ParseInt(args.Get("traceMask"), 10, 64)
	if err != nil {
		return admin.Answer{Fields: admin.Of("error", rule+", got "+args.Get("traceMask"))}
	}
	k.traceMask.Store(mask)
	return admin.Answer{Fields: k.tellTraceMask()}
}

func (k *Keeper) tellSource() admin.Object {
	var text any
	if k.cfg.Operate.Source != "" {
		text = k.cfg.Operate.Source
	}
	return admin.Of("initial_configuration", text)
}

func (k *Keeper) tellLastSnapshot() admin.Object {
	s := k.disk.last.Load()
	if s == nil {
		return admin.Of("zxid", "ffffffffffffffff", "timestamp", -1)
	}
	return admin.Of("zxid", strconv.FormatUint(uint64(s.zxid), 16), "timestamp", s.at.Unix())
}

func (k *Keeper) tellLeader() admin.Object {
	r := k.role.Load()
	if r == nil {
		return admin.Of("error", "server is not initialized")
	}
	leader, _ := r.config.Find(r.leader)
	return admin.Of("is_leader", r.leading, "leader_id", r.leader, "leader_ip", leader.Host)
}

func (k *Keeper) tellMonitor() admin.Object {
	var o admin.Object
	for _, v := range k.monitored() {
		o = append(o, admin.Field{Name: v.Name, Value: v.Number})
	}
	return o
}

// tellServer has ZooKeeper's two ways to write mTLS.
func (k *Keeper) tellServer() admin.Object {
	least, avg, most := k.stats.latencies()
	k.state.RLock()
	zxid, nodes := k.state.tree.LastZxid(), k.state.tree.NodeCount()
	k.state.RUnlock()
	responses := tellBuffers(&k.stats.responses)
	o := admin.Of(
		"version", Version, "read_only", false,
		"server_stats", admin.Of(
			"packets_sent", k.stats.sent.Load(), "packets_received", k.stats.received.Load(), "fsync_threshold_exceed_count", 0,
			"client_response_stats", responses, "uptime", k.elapsed(), "provider_null", false,
			"data_dir_size", k.disk.snaps.Load(), "log_dir_size", k.disk.logs.Load(), "last_processed_zxid", zxid,
			"outstanding_requests", k.stats.outstanding.Load(), "server_state", k.mode(),
			"avg_latency", avg, "max_latency", most, "min_latency", least, "num_alive_client_connections", k.conns.count(),
			"auth_failed_count", k.stats.authFailed.Load(), "non_mtlsremote_conn_count", 0, "non_mtlslocal_conn_count", 0,
		),
		"client_response", responses,
	)
	if k.mode() == "leader" {
		o = append(o, admin.Field{Name: "proposal_stats", Value: tellBuffers(&k.stats.proposals)})
	}
	return append(o, admin.Field{Name: "node_count", Value: nodes})
}

func tellBuffers(s *sizes) admin.Object {
	last, least, most := s.values()
	return admin.Of("last_buffer_size", last, "min_buffer_size", least, "max_buffer_size", most)
}

func (k *Keeper) tellObservers() admin.Object {
	list := []admin.Object{}
	if r := k.role.Load(); r != nil && r.leading {
		for _, n := range r.learners {
			if s, ok := r.config.Find(n.number); ok && n.observer && n.synced {
				list = append(list, admin.Of("remote_socket_address", s.Peer(), "sid", n.number))
			}
		}
	}
	return admin.Of("synced_observers", len(list), "observers", list)
}

// tellProperties shows what ZooKeeper keeps among the properties of its JVM.
func (k *Keeper) tellProperties() admin.Object {
	all := map[string]string{"os.arch": runtime.GOARCH, "os.name": osName()}
	for _, p := range k.cfg.Operate.sourceLines() {
		all["zookeeper."+strings.TrimPrefix(p[0], "zookeeper.")] = p[1]
	}
	var o admin.Object
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o = append(o, admin.Field{Name: name, Value: all[name]})
	}
	return o
}

func (k *Keeper) tellVoters() admin.Object {
	voters := admin.Object{}
	if r := k.role.Load(); r != nil {
		for _, s := range r.config.Servers {
			if !s.Observer {
				voters = append(voters, admin.Field{Name: strconv.FormatUint(s.Number, 10), Value: admin.Of(
					"server_addresses", []string{s.Peer()}, "election_addresses", []string{electionAddr(s)},
					"client_address", k.clientAddr(s), "learner_type", "participant",
				)})
			}
		}
	}
	return admin.Of("current_config", voters)
}

func electionAddr(s ensemble.Server) string {
	return net.JoinHostPort(s.Host, strconv.Itoa(s.ElectionPort))
}

// clientAddr is where a server listens for clients, as far as it is known here.
func (k *Keeper) clientAddr(s ensemble.Server) string {
	if s.Client == "" && s.Number == k.cfg.Member && len(k.cfg.Listen) > 0 {
		host, port, _ := net.SplitHostPort(k.cfg.Listen[0])
		return net.JoinHostPort(cmp.Or(host, "0.0.0.0"), port)
	}
	return s.Client
}

func (k *Keeper) tellWatches() admin.Object {
	o := admin.Object{}
	all := k.watches.ByConn()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		o = append(o, admin.Field{Name: strconv.FormatInt(k.watcher(id), 10), Value: all[id]})
	}
	return admin.Of("session_id_to_watched_paths", o)
}

func (k *Keeper) tellWatchesByPath() admin.Object {
	o := admin.Object{}
	all := k.watches.ByPath()
	for _, path := range slices.Sorted(maps.Keys(all)) {
		var ids []int64
		for _, c := range all[path] {
			ids = append(ids, k.watcher(c))
		}
		o = append(o, admin.Field{Name: path, Value: ids})
	}
	return admin.Of("path_to_session_ids", o)
}

func (k *Keeper) tellWatchCounts() admin.Object {
	n := k.watches.Counts()
	return admin.Of("num_connections", n.Conns, "num_paths", n.Paths, "num_total_watches", n.Data)
}

func (k *Keeper) tellZab() admin.Object {
	r := k.role.Load()
	if r == nil {
		return admin.Of("voting", false, "zabstate", "")
	}
	s := k.self()
	k.state.RLock()
	zxid := k.state.tree.LastZxid()
	k.state.RUnlock()
	return admin.Of(
		"myid", k.cfg.Member, "is_leader", r.leading,
		"quorum_address", tellAddress(s.Host, s.QuorumPort), "election_address", tellAddress(s.Host, s.ElectionPort),
		"client_address", k.clientAddr(s), "voting", !s.Observer,
		"last_zxid", fmt.Sprintf("0x%x", zxid), "zab_epoch", zxid>>32, "zab_counter", zxid&0xffffffff, "zabstate", "broadcast",
	)
}

// tellAddress has the entries of ZooKeeper's MultipleAddresses, of which gregor
// uses the first alone.
func tellAddress(host string, port int) admin.Object {
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	return admin.Of(
		"empty", false, "all_addresses", []string{addr}, "wildcard_addresses", []string{net.JoinHostPort("0.0.0.0", strconv.Itoa(port))},
		"all_ports", []int64{int64(port)}, "all_host_strings", []string{host}, "reachable_address", addr,
		"all_reachable_addresses", []string{addr}, "all_reachable_addresses_or_all", []string{addr}, "reachable_or_one", addr, "one", addr,
	)
}

// authorize lets those give a protected command who have every permission on the
// root node.
func (k *Keeper) authorize(from admin.Caller) (status int, fault string) {
	host, _, err := net.SplitHostPort(from.Addr)
	if err != nil {
		host = from.Addr
	}
	c := &conn{k: k, host: host}
	if len(from.Certificates) > 0 {
		c.proof.certificate = from.Certificates[0]
	}
	request := &zk.AuthRequest{Scheme: from.Scheme}
	if from.Proof != "" {
		request.Auth = []byte(from.Proof)
	}
	ids, ok, err := k.prove(c, request)
	if err != nil || !ok || len(ids) == 0 {
		return http.StatusUnauthorized, "Not authenticated"
	}
	k.state.RLock()
	root, found := k.state.tree.Find("/")
	var acl []zk.ACL
	if found {
		acl = root.ACL()
	}
	k.state.RUnlock()
	for perm := int32(1); perm <= zk.PermAll; perm <<= 1 {
		if !tree.Allowed(acl, perm, ids) {
			return http.StatusForbidden, "Not authorized"
		}
	}
	return http.StatusOK, ""
}
