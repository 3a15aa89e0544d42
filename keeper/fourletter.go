package keeper

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gregor-mq/gregor/keeper/metrics"
	"github.com/gregor-mq/gregor/keeper/watch"
	"github.com/gregor-mq/gregor/zk"
)

// Version is what the keeper says it is: the release whose behaviour it has.
const Version = "3.9.4-gregor, built on 2025-08-19 00:00 UTC"

// traceMask is ZooKeeper's default. gregor has no such tracing: it remembers what
// was set, and that is all.
const traceMask = 306

// notServing is what is answered where no leader is heard.
const notServing = "This ZooKeeper instance is not currently serving requests"

// word is one of the four-letter words.
type word struct {
	// print writes the answer. Lines end as in Java, where some are printed
	// without an end.
	print func(k *Keeper, b *strings.Builder)
	// idle is answered where no leader is heard; "" for what needs none.
	idle string
}

// words are those that ZooKeeper 3.9 knows.
var words = map[string]word{
	"ruok": {print: func(_ *Keeper, b *strings.Builder) { b.WriteString("imok") }},
	"isro": {func(_ *Keeper, b *strings.Builder) { b.WriteString("rw") }, "null"},
	"gtmk": {print: (*Keeper).printTraceMask}, "stmk": {print: (*Keeper).printTraceMask},
	"hash": {func(*Keeper, *strings.Builder) {}, notServing}, // digests of the tree are not kept
	"srvr": {(*Keeper).printServer, notServing + "\n"},
	"stat": {(*Keeper).printStat, notServing + "\n"},
	"mntr": {(*Keeper).printMonitor, notServing + "\n"},
	"conf": {(*Keeper).printConf, notServing + "\n"},
	"cons": {(*Keeper).printConns, notServing + "\n"},
	"dump": {(*Keeper).printDump, notServing + "\n"},
	"envi": {print: (*Keeper).printEnvironment},
	"wchs": {(*Keeper).printWatches, notServing + "\n"},
	"wchp": {(*Keeper).printWatchesByPath, notServing + "\n"},
	"wchc": {(*Keeper).printWatchesByConn, notServing + "\n"},
	"dirs": {(*Keeper).printSizes, notServing + "\n"},
	"srst": {(*Keeper).printReset, notServing + "\n"},
	"crst": {(*Keeper).printResetConns, notServing + "\n"},
}

// maskSize is what follows the word stmk.
const maskSize = 8

func knownWord(w string) bool {
	_, ok := words[w]
	return ok
}

// allows reports whether the configuration allows a word.
func (k *Keeper) allows(name string) bool { return k.words[name] || k.words["*"] }

// fourLetterWord returns what is printed for a known word.
func (k *Keeper) fourLetterWord(name string) string {
	if !k.allows(name) {
		return name + " is not executed because it is not in the whitelist.\n"
	}
	w := words[name]
	if w.idle != "" && !k.serves() {
		if name == "isro" && k.showsOnly(&zk.ConnectRequest{ReadOnly: true}) {
			return "ro"
		}
		return w.idle
	}
	var b strings.Builder
	w.print(k, &b)
	return b.String()
}

func (k *Keeper) printTraceMask(b *strings.Builder) {
	b.WriteString(strconv.FormatInt(k.traceMask.Load(), 10))
}

func (k *Keeper) printSizes(b *strings.Builder) {
	fmt.Fprintf(b, "datadir_size: %d\nlogdir_size: %d\n", k.disk.snaps.Load(), k.disk.logs.Load())
}

func (k *Keeper) printReset(b *strings.Builder) {
	k.resetStats()
	b.WriteString("Server stats reset.\n")
}

func (k *Keeper) resetStats() {
	k.stats.reset()
	k.measures.set.Reset()
}

func (k *Keeper) printResetConns(b *strings.Builder) {
	k.resetConns()
	b.WriteString("Connection stats reset.\n")
}

func (k *Keeper) resetConns() {
	for _, c := range k.conns.all() {
		c.mu.Lock()
		c.mu.stats.reset()
		c.mu.Unlock()
	}
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
	fmt.Fprintf(b, "Zookeeper version: %s\n", Version)
	k.printFigures(b)
}

func (k *Keeper) printFigures(b *strings.Builder) {
	least, avg, most := k.stats.latencies()
	k.state.RLock()
	zxid, nodes := k.state.tree.LastZxid(), k.state.tree.NodeCount()
	k.state.RUnlock()
	mode := k.mode()
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", least, javaDouble(avg), most)
	fmt.Fprintf(b, "Received: %d\nSent: %d\nConnections: %d\n",
		k.stats.received.Load(), k.stats.sent.Load(), k.conns.count())
	fmt.Fprintf(b, "Outstanding: %d\nZxid: 0x%x\nMode: %s\nNode count: %d\n",
		k.stats.outstanding.Load(), zxid, mode, nodes)
	if mode == "leader" {
		last, smallest, largest := k.stats.proposals.values()
		fmt.Fprintf(b, "Proposal sizes last/min/max: %d/%d/%d\n", last, smallest, largest)
	}
}

func (k *Keeper) printStat(b *strings.Builder) {
	fmt.Fprintf(b, "Zookeeper version: %s\nClients:\n", Version)
	for _, c := range k.conns.all() {
		c.print(b, true)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	k.printFigures(b)
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
	fmt.Fprintf(b, "clientPortListenBacklog=-1\nserverId=%d\n", k.serverID())
	r := k.role.Load()
	if r == nil {
		return
	}
	own, kind := k.self(), 0
	if own.Observer {
		kind = 1
	}
	const fastLeaderElection = 3
	ticks := k.leaseTicks()
	fmt.Fprintf(b, "initLimit=%d\nsyncLimit=%d\nelectionAlg=%d\nelectionPort=%d\nquorumPort=%d\npeerType=%d\nmembership: \n%s",
		ticks, ticks, fastLeaderElection, own.ElectionPort, own.QuorumPort, kind, r.config)
}

// serverID is the member's number, 0 for a keeper that is alone.
func (k *Keeper) serverID() uint64 {
	if k.quorum == nil {
		return 0
	}
	return k.cfg.Member
}

// leaseTicks is for how many ticks members go on without hearing each other, what
// comes next to ZooKeeper's limits.
func (k *Keeper) leaseTicks() int64 {
	tick := k.tickMillis()
	return (k.leaseMillis() + tick - 1) / tick
}

// javaDate writes a time as java.util.Date does.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

func (k *Keeper) printDump(b *strings.Builder) {
	b.WriteString("SessionTracker dump:\n")
	if mode := k.mode(); mode == "follower" || mode == "observer" {
		k.printSessions(b)
	} else {
		k.printDeadlines(b)
	}
	k.printEphemerals(b)
	k.printConnDeadlines(b)
}

// printSessions lists sessions that another member watches over.
func (k *Keeper) printSessions(b *strings.Builder) {
	k.state.RLock()
	defer k.state.RUnlock()
	t := k.state.tree
	ids := t.Sessions()
	fmt.Fprintf(b, "Global Sessions(%d):\n", len(ids))
	for _, id := range ids {
		s, _ := t.Session(id)
		fmt.Fprintf(b, "%s\t%dms\n", sessionName(id), s.Timeout)
	}
}

func (k *Keeper) printDeadlines(b *strings.Builder) {
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
}

func (k *Keeper) printConnDeadlines(b *strings.Builder) {
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
			id := int64(0)
			if s := c.session.Load(); s != nil {
				id = s.id
			}
			fmt.Fprintf(b, "\tip: /%s sessionId: %s\n", c.addr, sessionName(id))
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

// watcher is the session of a connection that has watches, 0 for none.
func (k *Keeper) watcher(id watch.Conn) int64 {
	if c := k.conns.get(id); c != nil {
		if s := c.session.Load(); s != nil {
			return s.id
		}
	}
	return 0
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
			fmt.Fprintf(b, "\t%s\n", sessionName(k.watcher(c)))
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
		b.WriteString(sessionName(k.watcher(id)) + "\n")
		for _, p := range all[id] {
			fmt.Fprintf(b, "\t%s\n", p)
		}
	}
	b.WriteByte('\n')
}

func (k *Keeper) printMonitor(b *strings.Builder) {
	for _, v := range k.monitored() {
		number := v.Number
		if f, ok := number.(float64); ok {
			number = javaDouble(f)
		}
		fmt.Fprintf(b, "zk_%s\t%v\n", v.Name, number)
	}
}

// monitored lists what mntr shows, in its order.
func (k *Keeper) monitored() []metrics.Value {
	out := []metrics.Value{{Name: "version", Number: Version}, {Name: "server_state", Number: k.mode()}}
	if k.quorum != nil {
		out = append(out, metrics.Value{Name: "peer_state", Number: peerStates[k.mode()]})
		if r := k.role.Load(); r != nil && k.mode() == "observer" {
			out = append(out, metrics.Value{Name: "observer_master_id", Number: int64(r.leader)})
		}
	}
	for _, g := range k.gauges() {
		out = append(out, g.Value)
	}
	return append(out, k.measures.set.Values()...)
}

// peerStates are ZooKeeper's words for a member that serves.
var peerStates = map[string]string{
	"leader": "leading - broadcast", "follower": "following - broadcast", "observer": "observing - broadcast",
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

func (k *Keeper) printEnvironment(b *strings.Builder) {
	b.WriteString("Environment:\n")
	for _, e := range k.environment() {
		fmt.Fprintf(b, "%s=%s\n", e[0], e[1])
	}
}

// environment keeps the keys of Java, some of which have no meaning here.
func (k *Keeper) environment() [][2]string {
	const none = "<NA>"
	host := none
	if text, err := k.env.FS.ReadFile("/proc/sys/kernel/hostname"); err == nil {
		host = strings.TrimSpace(string(text))
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	const mb = 1 << 20
	return [][2]string{
		{"zookeeper.version", Version}, {"host.name", host},
		{"java.version", none}, {"java.vendor", none}, {"java.home", none}, {"java.class.path", none},
		{"java.library.path", none}, {"java.io.tmpdir", none}, {"java.compiler", none},
		{"os.name", osName()}, {"os.arch", runtime.GOARCH}, {"os.version", none},
		{"user.name", none}, {"user.home", none}, {"user.dir", none},
		{"os.memory.free", fmt.Sprintf("%dMB", (m.HeapIdle-m.HeapReleased)/mb)},
		{"os.memory.max", fmt.Sprintf("%dMB", int64(math.MaxInt64)/mb)},
		{"os.memory.total", fmt.Sprintf("%dMB", m.Sys/mb)},
	}
}

// osName is the system's name as Java writes it.
func osName() string { return strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:] }
