package tree

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gregor-mq/gregor/test/story"
	"github.com/gregor-mq/gregor/zk"
)

// TestStories runs the files in testdata.
func TestStories(t *testing.T) {
	story.Files(t, func(t *testing.T, text string) string {
		s := newTeller()
		return story.Blocks(text, func(lines []string) string { return s.block(t, lines) })
	})
}

// teller is a tree with a leader's preparer; every write is applied at once
// unless held.
type teller struct {
	t    *Tree
	p    *Preparer
	zxid int64
	now  int64
	held []Txn
	hold bool
	out  strings.Builder
	opts Options
}

func newTeller() *teller {
	s := &teller{now: 1000, opts: Options{ExtendedTypes: true}}
	s.t = New(s.opts)
	s.p = NewPreparer(s.t)
	return s
}

func (s *teller) block(t *testing.T, lines []string) string {
	s.out.Reset()
	var multi []zk.Request
	inMulti := false
	var head command
	for _, line := range lines {
		c := parseCommand(t, strings.TrimSpace(line))
		if strings.HasPrefix(line, "  ") {
			multi = append(multi, c.request(t))
			continue
		}
		if inMulti {
			s.write(head, &zk.MultiRequest{Ops: multi})
			multi, inMulti = nil, false
		}
		if c.verb == "multi" {
			head, inMulti = c, true
			continue
		}
		s.command(t, c)
	}
	if inMulti {
		s.write(head, &zk.MultiRequest{Ops: multi})
	}
	return s.out.String()
}

// command is a verb, a path or number, and name=value pairs.
type command struct {
	verb, arg string
	kv        map[string]string
}

func parseCommand(t *testing.T, line string) command {
	f := strings.Fields(line)
	c := command{verb: f[0], kv: map[string]string{}}
	for _, w := range f[1:] {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case ok && !strings.HasPrefix(w, "/"):
			c.kv[k] = v
		case c.arg == "":
			c.arg = strings.NewReplacer("<nul>", "\x00", "<none>", "", "<null>", zk.Null, "<blank>", " ").Replace(w)
		default:
			t.Fatalf("what is %q in %q?", w, line)
		}
	}
	return c
}

func (c command) int(key string, def int64) int64 {
	v, ok := c.kv[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (c command) data() []byte {
	v, ok := c.kv["data"]
	if !ok {
		return nil
	}
	return []byte(v)
}

// acl reads scheme:id:perms entries; the default is open, "none" empty.
func (c command) acl() []zk.ACL {
	v, ok := c.kv["acl"]
	switch {
	case !ok:
		return zk.OpenACL()
	case v == "none":
		return nil
	}
	var acl []zk.ACL
	for e := range strings.SplitSeq(v, ",") {
		i, j := strings.IndexByte(e, ':'), strings.LastIndexByte(e, ':')
		perms, err := strconv.Atoi(e[j+1:])
		if err != nil {
			panic(err)
		}
		null := func(s string) string { return strings.ReplaceAll(s, "<null>", zk.Null) }
		acl = append(acl, zk.ACL{Perms: int32(perms), Scheme: null(e[:i]), ID: null(e[min(i+1, j):j])})
	}
	return acl
}

func (c command) ids() []Identity {
	ids := []Identity{{"ip", "127.0.0.1"}}
	if v := c.kv["auth"]; v != "" {
		for e := range strings.SplitSeq(v, ",") {
			scheme, id, _ := strings.Cut(e, ":")
			ids = append(ids, Identity{scheme, id})
		}
	}
	return ids
}

var modes = map[string]zk.CreateMode{
	"": zk.Persistent, "ephemeral": zk.Ephemeral, "seq": zk.PersistentSequential,
	"ephemeral-seq": zk.EphemeralSequential, "container": zk.Container, "ttl": zk.PersistentTTL,
	"ttl-seq": zk.PersistentSequentialTTL, "bad": 9,
}

// kinds are operations that are not those of the mode.
var kinds = map[string]zk.Op{"create": zk.OpCreate, "create2": zk.OpCreate2, "container": zk.OpCreateContainer, "ttl": zk.OpCreateTTL}

func (c command) request(t *testing.T) zk.Request {
	version := int32(c.int("v", -1))
	switch c.verb {
	case "create":
		r := &zk.CreateRequest{Kind: zk.OpCreate2, Path: c.arg, Data: c.data(), ACL: c.acl(), Flags: modes[c.kv["mode"]]}
		if r.Flags == zk.Container {
			r.Kind = zk.OpCreateContainer
		}
		if _, ok := c.kv["ttl"]; ok {
			r.Kind, r.TTL = zk.OpCreateTTL, c.int("ttl", 0)
		}
		if op, ok := kinds[c.kv["op"]]; ok {
			r.Kind = op
		}
		return r
	case "deletecontainer":
		return &zk.DeleteContainerRequest{Path: c.arg}
	case "read":
		return &zk.GetDataRequest{Path: c.arg}
	case "delete":
		return &zk.DeleteRequest{Path: c.arg, Version: version}
	case "set":
		return &zk.SetDataRequest{Path: c.arg, Data: c.data(), Version: version}
	case "setacl":
		return &zk.SetACLRequest{Path: c.arg, ACL: c.acl(), Version: version}
	case "check":
		return &zk.CheckRequest{Path: c.arg, Version: version}
	}
	t.Fatalf("unknown command %q", c.verb)
	return nil
}

func (s *teller) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *teller) next() (zxid, now int64) {
	s.zxid++
	s.now++
	return s.zxid, s.now
}

func (s *teller) command(t *testing.T, c command) {
	switch c.verb {
	case "session":
		id, _ := strconv.ParseInt(c.arg, 0, 64)
		z, now := s.next()
		s.submit(s.p.CreateSession(z, now, id, int32(c.int("timeout", 4000)), uint64(c.int("member", 0))))
	case "close":
		id, _ := strconv.ParseInt(c.arg, 0, 64)
		z, now := s.next()
		s.submit(s.p.CloseSession(z, now, id, 0))
	case "hold":
		s.hold = true
	case "apply":
		s.hold = false
		for _, x := range s.held {
			s.apply(x)
		}
		s.held = nil
	case "overlay":
		s.printf("%d changes, %d closing", len(s.p.changes), len(s.p.closing))
	case "options":
		s.opts.ExtendedTypes, s.opts.EnforceQuota = c.kv["extended"] != "false", c.kv["quota"] == "true"
		s.opts.IPv4Only, s.opts.NoClientReaping = c.kv["emulate"] == "3.8", c.kv["emulate"] == "3.8"
		if v := c.kv["schemes"]; v != "" {
			s.opts.Schemes = strings.Split(v, ",")
		}
		s.t.opts = s.opts
	case "reap":
		s.reap(c)
	case "reload":
		s.reload(t)
	case "stat", "get", "ls", "acl", "count", "ephemerals", "tree", "sessions":
		s.query(c)
	default:
		s.write(c, c.request(t))
	}
}

func (s *teller) write(c command, body zk.Request) {
	z, now := s.next()
	s.submit(s.p.Prepare(z, now, &Request{Session: c.int("s", 1), IDs: c.ids(), Body: body}))
}

// submit takes every transaction through its encoding.
func (s *teller) submit(x Txn) {
	got, rest, err := DecodeTxn(AppendTxn(nil, &x))
	if err != nil || len(rest) > 0 {
		s.printf("encoding: %v, %d bytes left", err, len(rest))
	}
	if s.hold {
		s.held = append(s.held, got)
		if got.Err != zk.OK {
			s.printf("prepared %d: %v", got.Zxid, got.Err)
		}
		return
	}
	s.apply(got)
}

func (s *teller) apply(x Txn) {
	var res Result
	s.t.Apply(&x, &res)
	s.p.Applied(&x)
	line := fmt.Sprintf("%d:", x.Zxid)
	switch {
	case res.Err != zk.OK:
		line += " " + res.Err.Error()
	case len(res.Ops) == 0:
		line += " ok"
	}
	if res.Path != "" {
		line += " " + res.Path
	}
	s.printf("%s", line)
	for _, op := range res.Ops {
		s.printf("  %v %d %s%s", op.Op, op.Err, op.Path, map[bool]string{true: " v=" + strconv.Itoa(int(op.Stat.Version))}[op.Op == zk.OpSetData])
	}
	for _, e := range res.Events {
		s.printf("  %v %s", e.Type, e.Path)
	}
}

func statLine(st zk.Stat) string {
	return fmt.Sprintf("c=%d m=%d p=%d ct=%d mt=%d v=%d cv=%d av=%d owner=%d len=%d kids=%d",
		st.Czxid, st.Mzxid, st.Pzxid, st.Ctime, st.Mtime, st.Version, st.Cversion, st.Aversion,
		st.EphemeralOwner, st.DataLength, st.NumChildren)
}

func (s *teller) query(c command) {
	switch c.verb {
	case "sessions":
		for _, id := range s.t.Sessions() {
			ses, _ := s.t.Session(id)
			s.printf("%d timeout=%d member=%d", id, ses.Timeout, ses.Member)
		}
		return
	case "ephemerals":
		id, _ := strconv.ParseInt(c.arg, 0, 64)
		s.printf("[%s]", strings.Join(s.t.Ephemerals(id, c.kv["prefix"]), " "))
		return
	case "tree":
		s.printf("%s", dump(s.t))
		return
	}
	nd, ok := s.t.Find(c.arg)
	if !ok {
		s.printf("no node")
		return
	}
	switch c.verb {
	case "stat":
		s.printf("%s", statLine(nd.Stat()))
	case "get":
		if nd.Data() == nil {
			s.printf("null")
		} else {
			s.printf("%q", nd.Data())
		}
	case "ls":
		s.printf("[%s]", strings.Join(slices.Sorted(slices.Values(nd.Children())), " "))
	case "count":
		s.printf("%d", nd.Descendants())
	case "acl":
		for _, a := range nd.ACL() {
			s.printf("%s:%s:%d", a.Scheme, a.ID, a.Perms)
		}
	}
}

func (s *teller) reap(c command) {
	for _, path := range s.t.Reapable(c.int("now", s.now), 100) {
		x, err := s.p.DeleteContainer(s.zxid+1, s.now, path)
		if err != nil {
			s.printf("%v", err)
			continue
		}
		s.zxid++
		s.submit(x)
	}
}

// reload takes the tree through a snapshot and compares.
func (s *teller) reload(t *testing.T) {
	before := dump(s.t)
	got := load(t, s.opts, snapshot(s.t))
	if after := dump(got); after != before {
		s.printf("reloaded tree differs:\n%s\nbefore:\n%s", after, before)
	}
	s.t.Close()
	s.t = got
	s.p = NewPreparer(got)
	s.printf("%d nodes", got.s.count)
}

func snapshot(t *Tree) [][]byte {
	snap := t.BeginSnapshot()
	defer snap.End()
	return drain(snap)
}

func drain(snap *Snapshot) (chunks [][]byte) {
	for {
		chunk, more := snap.Next(nil)
		chunks = append(chunks, chunk)
		if !more {
			return chunks
		}
	}
}

func load(t testing.TB, opts Options, chunks [][]byte) *Tree {
	t.Helper()
	l := NewLoader(opts)
	for _, c := range chunks {
		if err := l.Load(c); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// dump shows all that is observable, by path.
func dump(t *Tree) string {
	var b strings.Builder
	fmt.Fprintf(&b, "zxid=%d nodes=%d size=%d ephemerals=%d acls=%d quotas=%v\n", t.lastZxid, t.NodeCount(),
		t.ApproximateSize(), t.EphemeralCount(), len(t.acls.byKey), slices.Sorted(maps.Keys(t.quotas)))
	for _, id := range t.Sessions() {
		fmt.Fprintf(&b, "session %d %+v %v\n", id, t.sessions[id], t.Ephemerals(id, ""))
	}
	var walk func(path string)
	walk = func(path string) {
		nd, ok := t.Find(path)
		if !ok {
			fmt.Fprintf(&b, "%s is gone\n", path)
			return
		}
		raw := t.s.extraOf(t.s.node(nd.n))
		fmt.Fprintf(&b, "%s %s raw=%d/%d null=%v %q %v\n", path, statLine(nd.Stat()), raw.owner, raw.cversion,
			nd.Data() == nil, nd.Data(), nd.ACL())
		for _, name := range slices.Sorted(slices.Values(nd.Children())) {
			walk(strings.TrimSuffix(path, "/") + "/" + name)
		}
	}
	walk("/")
	return strings.TrimRight(b.String(), "\n")
}
