package keeper

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/keeper/watch"
)

// Version is what the keeper says it is: the release whose behaviour it has.
const Version = "3.9.4-gregor, built on 2025-08-19 00:00 UTC"

// traceMask is ZooKeeper's default; gregor has no such tracing.
const traceMask = 306

// words are the four-letter words and what they print. Lines end as in Java,
// where some are printed without an end.
var words = map[string]func(k *Keeper, b *strings.Builder){
	"ruok": func(_ *Keeper, b *strings.Builder) { b.WriteString("imok") },
	"isro": func(_ *Keeper, b *strings.Builder) { b.WriteString("rw") },
	"gtmk": func(_ *Keeper, b *strings.Builder) { b.WriteString(strconv.Itoa(traceMask)) },
	"stmk": func(_ *Keeper, b *strings.Builder) { b.WriteString(strconv.Itoa(traceMask)) },
	"hash": func(*Keeper, *strings.Builder) {}, // digests of the tree are not kept
	"srvr": func(k *Keeper, b *strings.Builder) {
		fmt.Fprintf(b, "Zookeeper version: %s\n", Version)
		k.printServer(b)
	},
	"stat": (*Keeper).printStat, "mntr": (*Keeper).printMonitor, "conf": (*Keeper).printConf,
	"cons": (*Keeper).printConns, "dump": (*Keeper).printDump, "envi": (*Keeper).printEnvironment,
	"wchs": (*Keeper).printWatches, "wchp": (*Keeper).printWatchesByPath, "wchc": (*Keeper).printWatchesByConn,
	"dirs": func(k *Keeper, b *strings.Builder) {
		fmt.Fprintf(b, "datadir_size: %d\nlogdir_size: %d\n", k.disk.snaps.Load(), k.disk.logs.Load())
	},
	"srst": func(k *Keeper, b *strings.Builder) {
		k.stats.reset()
		b.WriteString("Server stats reset.\n")
	},
	"crst": func(k *Keeper, b *strings.Builder) {
		for _, c := range k.conns.all() {
			c.mu.Lock()
			c.mu.stats.reset()
			c.mu.Unlock()
		}
		b.WriteString("Connection stats reset.\n")
	},
}

func knownWord(w string) bool {
	_, ok := words[w]
	return ok
}

// fourLetterWord returns what is printed for a known word.
func (k *Keeper) fourLetterWord(w string) string {
	if !k.words[w] && !k.words["*"] {
		return w + " is not executed because it is not in the whitelist.\n"
	}
	var b strings.Builder
	words[w](k, &b)
	return b.String()
}

// javaDouble writes a number as Java does: never without a fraction.
func javaDouble(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func (k *Keeper) printServer(b *strings.Builder) {
	least, avg, most := k.stats.latencies()
	k.state.RLock()
	zxid, nodes := k.state.tree.LastZxid(), k.state.tree.NodeCount()
	k.state.RUnlock()
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", least, javaDouble(avg), most)
	fmt.Fprintf(b, "Received: %d\nSent: %d\nConnections: %d\n",
		k.stats.received.Load(), k.stats.sent.Load(), k.conns.count())
	fmt.Fprintf(b, "Outstanding: %d\nZxid: 0x%x\nMode: standalone\nNode count: %d\n",
		k.stats.outstanding.Load(), zxid, nodes)
}

func (k *Keeper) printStat(b *strings.Builder) {
	fmt.Fprintf(b, "Zookeeper version: %s\nClients:\n", Version)
	for _, c := range k.conns.all() {
		c.print(b, true)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	k.printServer(b)
}

func (k *Keeper) printConns(b *strings.Builder) {
	for _, c := range k.conns.all() {
		c.print(b, false)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}

// print describes a connection as ServerCnxn does.
func (c *conn) print(b *strings.Builder, brief bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, st := c.session.Load(), &c.mu.stats
	interest := 1 // in reading
	if s == nil {
		interest = 0
	}
	fmt.Fprintf(b, " /%s[%d](queued=%d,recved=%d,sent=%d", c.addr, interest, len(c.mu.queue), st.received, st.sent)
	if !brief && s != nil {
		fmt.Fprintf(b, ",sid=%s,lop=%s,est=%d,to=%d", sessionName(s.id), st.lastOp, c.opened.UnixMilli(), s.timeout.Load())
		if st.lastCxid >= 0 {
			fmt.Fprintf(b, ",lcxid=0x%x", st.lastCxid)
		}
		fmt.Fprintf(b, ",lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d",
			uint64(st.lastZxid), st.lastReply, st.last, st.least(), st.average(), st.max)
	}
	b.WriteByte(')')
}

func (k *Keeper) printConf(b *strings.Builder) {
	fmt.Fprintf(b, "clientPort=%d\nsecureClientPort=%d\ndataDir=%s\ndataDirSize=%d\ndataLogDir=%s\ndataLogSize=%d\n",
		portOf(k.listen[:k.guard.plain]), portOf(k.listen[k.guard.plain:]), k.dir.snaps, k.disk.snaps.Load(), k.dir.logs, k.disk.logs.Load())
	fmt.Fprintf(b, "tickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\n",
		k.tickMillis(), max(k.cfg.MaxClientCnxns, 0), k.cfg.MinSessionTimeout.Milliseconds(), k.cfg.MaxSessionTimeout.Milliseconds())
	b.WriteString("clientPortListenBacklog=-1\nserverId=0\n")
}

// javaDate writes a time as java.util.Date does.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

func (k *Keeper) printDump(b *strings.Builder) {
	b.WriteString("SessionTracker dump:\n")
	ticks, sets := k.sessions.byDeadline()
	total := 0
	for _, ids := range sets {
		total += len(ids)
	}
	fmt.Fprintf(b, "Session Sets (%d)/(%d):\n", len(sets), total)
	for _, t := range ticks {
		fmt.Fprintf(b, "%d expire at %s:\n", len(sets[t]), k.dateOf(t))
		for _, id := range sets[t] {
			fmt.Fprintf(b, "\t%s\n", sessionName(id))
		}
	}
	k.printEphemerals(b)
	b.WriteString("Connections dump:\n")
	conns := k.conns.all()
	byTick := map[int64][]*conn{}
	for _, c := range conns {
		t := c.opened.Add(helloTime).Sub(k.started).Milliseconds()
		if s := c.session.Load(); s != nil {
			t = s.deadline.Load()
		}
		byTick[t] = append(byTick[t], c)
	}
	fmt.Fprintf(b, "Connections Sets (%d)/(%d):\n", len(byTick), len(conns))
	for _, t := range sortedKeys(byTick) {
		fmt.Fprintf(b, "%d expire at %s:\n", len(byTick[t]), k.dateOf(t))
		for _, c := range byTick[t] {
			b.WriteByte('\t')
			c.print(b, false)
			b.WriteByte('\n')
		}
	}
}

func sortedKeys[V any](m map[int64]V) []int64 {
	keys := make([]int64, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// dateOf writes an elapsed time as a date.
func (k *Keeper) dateOf(elapsed int64) string {
	return k.started.Add(time.Duration(elapsed) * time.Millisecond).Format(javaDate)
}

func (k *Keeper) printEphemerals(b *strings.Builder) {
	k.state.RLock()
	defer k.state.RUnlock()
	t := k.state.tree
	owners := t.Owners()
	fmt.Fprintf(b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(owners))
	for _, id := range owners {
		fmt.Fprintf(b, "%s:\n", sessionName(id))
		for _, path := range t.Ephemerals(id, "") {
			fmt.Fprintf(b, "\t%s\n", path)
		}
	}
}

func (k *Keeper) printWatches(b *strings.Builder) {
	n := k.watches.Counts()
	fmt.Fprintf(b, "%d connections watching %d paths\nTotal watches:%d\n", n.Conns, n.Paths, n.Data)
}

// sessionOfConn names the session of a connection that has watches.
func (k *Keeper) sessionOfConn(id watch.Conn) string {
	if c := k.conns.get(id); c != nil {
		if s := c.session.Load(); s != nil {
			return sessionName(s.id)
		}
	}
	return sessionName(0)
}

func (k *Keeper) printWatchesByPath(b *strings.Builder) {
	all := k.watches.ByPath()
	paths := make([]string, 0, len(all))
	for p := range all {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		b.WriteString(p + "\n")
		for _, c := range all[p] {
			fmt.Fprintf(b, "\t%s\n", k.sessionOfConn(c))
		}
	}
	b.WriteByte('\n')
}

func (k *Keeper) printWatchesByConn(b *strings.Builder) {
	all := k.watches.ByConn()
	ids := make([]watch.Conn, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		b.WriteString(k.sessionOfConn(id) + "\n")
		for _, p := range all[id] {
			fmt.Fprintf(b, "\t%s\n", p)
		}
	}
	b.WriteByte('\n')
}

func (k *Keeper) printMonitor(b *strings.Builder) {
	least, avg, most := k.stats.latencies()
	k.state.RLock()
	t := k.state.tree
	nodes, ephemerals, size, sessions := t.NodeCount(), t.EphemeralCount(), t.ApproximateSize(), t.SessionCount()
	k.state.RUnlock()
	open, limit := k.fileDescriptors()
	line := func(name string, value any) { fmt.Fprintf(b, "zk_%s\t%v\n", name, value) }
	line("version", Version)
	line("server_state", "standalone")
	line("ephemerals_count", ephemerals)
	line("num_alive_connections", k.conns.count())
	line("avg_latency", javaDouble(avg))
	line("outstanding_requests", k.stats.outstanding.Load())
	line("znode_count", nodes)
	line("global_sessions", sessions)
	line("local_sessions", 0)
	line("non_mtls_remote_conn_count", 0)
	line("non_mtls_local_conn_count", 0)
	line("watch_count", k.watches.Counts().All)
	line("approximate_data_size", size)
	line("open_file_descriptor_count", open)
	line("max_file_descriptor_count", limit)
	line("connection_drop_probability", javaDouble(0))
	line("outstanding_tls_handshake", 0)
	line("auth_failed_count", k.stats.authFailed.Load())
	line("packets_sent", k.stats.sent.Load())
	line("packets_received", k.stats.received.Load())
	line("min_latency", least)
	line("max_latency", most)
	line("uptime", k.elapsed())
}

// fileDescriptors asks the kernel how many files are open and may be, -1 where
// it does not tell.
func (k *Keeper) fileDescriptors() (open, limit int64) {
	open, limit = -1, -1
	if files, err := k.env.FS.ReadDir("/proc/self/fd"); err == nil {
		open = int64(len(files))
	}
	text, err := k.env.FS.ReadFile("/proc/self/limits")
	if err != nil {
		return open, limit
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, "Max open files"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
					limit = n
				}
			}
		}
	}
	return open, limit
}

// printEnvironment keeps the keys of Java, some of which have no meaning here.
func (k *Keeper) printEnvironment(b *strings.Builder) {
	const none = "<NA>"
	host := none
	if text, err := k.env.FS.ReadFile("/proc/sys/kernel/hostname"); err == nil {
		host = strings.TrimSpace(string(text))
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	const mb = 1 << 20
	b.WriteString("Environment:\n")
	for _, e := range [][2]string{
		{"zookeeper.version", Version}, {"host.name", host},
		{"java.version", none}, {"java.vendor", none}, {"java.home", none}, {"java.class.path", none},
		{"java.library.path", none}, {"java.io.tmpdir", none}, {"java.compiler", none},
		{"os.name", strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:]}, {"os.arch", runtime.GOARCH}, {"os.version", none},
		{"user.name", none}, {"user.home", none}, {"user.dir", none},
		{"os.memory.free", fmt.Sprintf("%dMB", (m.HeapIdle-m.HeapReleased)/mb)},
		{"os.memory.max", fmt.Sprintf("%dMB", int64(math.MaxInt64)/mb)},
		{"os.memory.total", fmt.Sprintf("%dMB", m.Sys/mb)},
	} {
		fmt.Fprintf(b, "%s=%s\n", e[0], e[1])
	}
}
