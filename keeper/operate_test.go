package keeper_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper"
	"github.com/gregor-mq/gregor/keeper/secure"
	"github.com/gregor-mq/gregor/test/certs"
	"github.com/gregor-mq/gregor/zk"
)

// operated is a keeper with commands and metrics over HTTP.
func operated(dir string) keeper.Config {
	cfg := config(dir)
	cfg.Operate.Admin.Listen, cfg.Operate.Prometheus.Listen = "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

// ask gives a command and returns what was answered.
func ask(t *testing.T, k *keeper.Keeper, method, command, auth string, body []byte) (status int, head http.Header, answer []byte) {
	t.Helper()
	url := fmt.Sprintf("http://%s/commands/%s", k.SiteAddr("admin"), command)
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

// fields gives a command without a body and returns its answer's fields.
func fields(t *testing.T, k *keeper.Keeper, command string) map[string]any {
	t.Helper()
	status, _, answer := ask(t, k, "GET", command, "", nil)
	out := map[string]any{}
	if err := json.Unmarshal(answer, &out); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d, %v\n%s", command, status, err, answer)
	}
	return out
}

func TestCommands(t *testing.T) {
	k := start(t, operated(t.TempDir()), env.Real())
	r := dial(t, k).hello(zk.ConnectRequest{Timeout: 18_000})
	r.must(create("/a", zk.Persistent))
	r.must(create("/a/e", zk.Ephemeral))
	r.must(&zk.ExistsRequest{Path: "/a", Watch: true})
	sid := fmt.Sprint(r.resp.SessionID)
	for command, want := range map[string]string{
		"configuration": `"client_port" : \d+,\n  "data_dir" : "/\S+",\n  "data_log_dir" : "/\S+",\n  "tick_time" : 100,\n  "max_client_cnxns" : 0,\n` +
			`  "min_session_timeout" : 200,\n  "max_session_timeout" : 60000,\n  "server_id" : 0,\n  "client_port_listen_backlog" : -1,\n`,
		"connections": `"connections" : \[ {\n    "remote_socket_address" : "127\.0\.0\.1:\d+",\n    "interest_ops" : 1,\n(    ".*\n)+    "session_id" : ` + sid +
			`,\n    "last_operation" : "EXIS",\n(    ".*\n)+  } \],\n  "secure_connections" : \[ \],\n`,
		"dirs":            `"datadir_size" : \d+,\n  "logdir_size" : \d+,\n`,
		"dump":            `"expiry_time_to_session_ids" : {\n    "\d+" : \[ ` + sid + ` \]\n  },\n  "session_id_to_ephemeral_paths" : {\n    "` + sid + `" : \[ "/a/e" \]\n  },\n`,
		"hash":            `"digests" : \[ \],\n`,
		"is_read_only":    `"read_only" : false,\n`,
		"last_snapshot":   `"zxid" : "ffffffffffffffff",\n  "timestamp" : -1,\n`,
		"leader":          `"error" : "server is not initialized",\n`,
		"observers":       `"synced_observers" : 0,\n  "observers" : \[ \],\n`,
		"voting_view":     `"current_config" : { },\n`,
		"zabstate":        `"voting" : false,\n  "zabstate" : "",\n`,
		"watches":         `"session_id_to_watched_paths" : {\n    "` + sid + `" : \[ "/a" \]\n  },\n`,
		"watches_by_path": `"path_to_session_ids" : {\n    "/a" : \[ ` + sid + ` \]\n  },\n`,
		"watch_summary":   `"num_connections" : 1,\n  "num_paths" : 1,\n  "num_total_watches" : 1,\n`,
	} {
		_, _, answer := ask(t, k, "GET", command, "", nil)
		tail := `  "command" : "` + command + `",\n  "error" : null\n}`
		if command == "leader" {
			tail = `  "command" : "leader"\n}`
		}
		if !regexp.MustCompile(`^{\n  ` + want + tail + `$`).Match(answer) {
			t.Errorf("%s:\n%s\nwant\n%s", command, answer, want)
		}
	}
	stats := fields(t, k, "stats")
	if stats["node_count"] != 7.0 || stats["server_stats"].(map[string]any)["server_state"] != "standalone" || len(stats["connections"].([]any)) != 1 {
		t.Errorf("stats: %v", stats)
	}
	if m := fields(t, k, "monitor"); m["znode_count"] != 7.0 || m["server_state"] != "standalone" || m["cnt_updatelatency"] != 2.0 {
		t.Errorf("monitor: %v", m)
	}
	if fields(t, k, "set_trace_mask?traceMask=5")["tracemask"] != 5.0 || fields(t, k, "get_trace_mask")["tracemask"] != 5.0 {
		t.Error("the trace mask is not kept")
	}
	if m := fields(t, k, "set_trace_mask?traceMask=x"); m["error"] != "setTraceMask requires long traceMask argument, got x" {
		t.Errorf("set_trace_mask: %v", m)
	}
	fields(t, k, "stat_reset")
	fields(t, k, "connection_stat_reset")
	if m := fields(t, k, "server_stats")["server_stats"].(map[string]any); m["packets_received"] != 0.0 {
		t.Errorf("after stat_reset: %v", m)
	}
}

func TestMetricsOverHTTP(t *testing.T) {
	k := start(t, operated(t.TempDir()), env.Real())
	r := client(t, k)
	r.must(create("/a", zk.Persistent))
	r.must(&zk.ExistsRequest{Path: "/a"})
	resp, err := http.Get(fmt.Sprintf("http://%s/metrics", k.SiteAddr("metrics")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"znode_count 6", "global_sessions 1", "num_alive_connections 1", "updatelatency_count 1", "readlatency_count 1",
		"connection_request_count 1", "fsynctime_count [1-9]", "commit_count [1-9]", "node_created_watch_count_count 0", "bytes_received_count [1-9]",
	} {
		if !regexp.MustCompile(`(?m)^` + line).Match(text) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

// contents lists what a client sees below the root.
func contents(t *testing.T, c *gozk.Conn) string {
	t.Helper()
	var b strings.Builder
	var walk func(path string)
	walk = func(path string) {
		data, st, err := c.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %x v%d c%x\n", path, sha1.Sum(data), st.Version, st.Czxid)
		names, _, err := c.Children(path)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, n := range names {
			if path != "/" || n != "zookeeper" {
				walk(strings.TrimSuffix(path, "/") + "/" + n)
			}
		}
	}
	walk("/")
	return b.String()
}

const anybody = "digest any:body"

func TestBackupAndRestore(t *testing.T) {
	cfg := operated(t.TempDir())
	k := start(t, cfg, env.Real())
	c := connect(t, k)
	open := gozk.WorldACL(gozk.PermAll)
	set := func(path, data string, flags int32) {
		t.Helper()
		if _, err := c.Create(path, []byte(data), flags, open); err != nil {
			t.Fatal(err)
		}
	}
	set("/kept", "one", 0)
	set("/kept/child", strings.Repeat("x", 400_000), 0)
	set("/kept/other", strings.Repeat("y", 900_000), 0)
	if _, err := c.Set("/kept", []byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	want := contents(t, c)
	set("/gone", "", gozk.FlagEphemeral)

	if status, _, answer := ask(t, k, "GET", "snapshot", "", nil); status != http.StatusUnauthorized {
		t.Errorf("snapshot without proof: %d %s", status, answer)
	}
	status, head, backup := ask(t, k, "GET", "snapshot?streaming=true", anybody, nil)
	if status != http.StatusOK || !bytes.HasPrefix(backup, []byte("ZKSN")) || fmt.Sprint(len(backup)) != head.Get("snapshot_size") ||
		!strings.HasPrefix(head.Get("last_zxid"), "0x1") {
		t.Fatalf("snapshot: %d, %d bytes, %v", status, len(backup), head)
	}
	if status, head, answer := ask(t, k, "GET", "snapshot?streaming=false", anybody, nil); status != http.StatusOK || head.Get("last_zxid") == "" || answer[0] != '{' {
		t.Errorf("snapshot that is not sent: %d %v %s", status, head, answer)
	}
	if s := fields(t, k, "last_snapshot"); "0x"+s["zxid"].(string) != head.Get("last_zxid") {
		t.Errorf("last_snapshot: %v, want %s", s, head.Get("last_zxid"))
	}

	set("/later", "", 0)
	if err := c.Delete("/kept/child", -1); err != nil {
		t.Fatal(err)
	}
	if status, _, answer := ask(t, k, "POST", "restore", anybody, backup[:len(backup)/2]); status != http.StatusInternalServerError {
		t.Errorf("restore of half a snapshot: %d %s", status, answer)
	}
	later, _, err := c.Exists("/later")
	if err != nil || !later {
		t.Fatalf("a restore that failed changed something: %v", err)
	}
	status, _, answer := ask(t, k, "POST", "restore", anybody, backup)
	said := struct {
		Zxid int64 `json:"last_zxid"`
	}{}
	if err := json.Unmarshal(answer, &said); err != nil || status != http.StatusOK || said.Zxid == 0 {
		t.Fatalf("restore: %d %s", status, answer)
	}
	check := func() *gozk.Conn {
		t.Helper()
		c := connect(t, k)
		if got := contents(t, c); got != want {
			t.Errorf("after the restore:\n%s\nwant\n%s", got, want)
		}
		return c
	}
	c = check()
	if _, err := c.Create("/new", nil, 0, open); err != nil {
		t.Fatal(err)
	}
	if _, st, err := c.Get("/new"); err != nil || st.Czxid <= said.Zxid {
		t.Errorf("a new node has czxid %x, the restore was %x, %v", st.Czxid, said.Zxid, err)
	}
	if err := c.Delete("/new", -1); err != nil {
		t.Fatal(err)
	}
	if err := k.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	k = start(t, cfg, env.Real())
	if s := fields(t, k, "last_snapshot"); s["timestamp"].(float64) <= 0 {
		t.Errorf("last_snapshot after a restart: %v", s)
	}
	check()
}

func TestCommandsThatAreOffOrTooSoon(t *testing.T) {
	cfg := operated(t.TempDir())
	cfg.Operate.Admin.NoSnapshot, cfg.Operate.Admin.Interval, cfg.SuperDigest = true, time.Hour, "super:D/InIHSb7yEEbrWz8b9l71RjZJU="
	k := start(t, cfg, env.Real())
	want := func(method, command, auth string, status int) {
		t.Helper()
		if got, _, answer := ask(t, k, method, command, auth, []byte("no snapshot")); got != status {
			t.Errorf("%s %s: %d %s, want %d", method, command, got, answer, status)
		}
	}
	want("GET", "snapshot", anybody, http.StatusServiceUnavailable)
	want("POST", "restore", anybody, http.StatusInternalServerError)
	want("POST", "restore", anybody, http.StatusTooManyRequests)
	c := connect(t, k)
	if _, err := c.SetACL("/", []gozk.ACL{{Perms: gozk.PermAll - gozk.PermAdmin, Scheme: "world", ID: "anyone"}}, -1); err != nil {
		t.Fatal(err)
	}
	want("POST", "restore", anybody, http.StatusForbidden)
	want("POST", "restore", "ip", http.StatusForbidden)
	want("POST", "restore", "digest", http.StatusUnauthorized)
	want("POST", "restore", "sasl x", http.StatusUnauthorized)
	want("POST", "restore", "digest super:test", http.StatusTooManyRequests)
}

func TestRestoreReachesAllMembers(t *testing.T) {
	m := newMembers(t, 3)
	for i := range 3 {
		m.cfgs[i].FourLetterWords = []string{"*"}
		m.cfgs[i].Operate.Admin.Listen = "127.0.0.1:0"
		m.start(i)
	}
	leader := -1
	eventually(t, "one leads and all serve", func() bool {
		serve := 0
		for i := range 3 {
			switch m.modeOf(i) {
			case "leader":
				leader, serve = i, serve+1
			case "follower":
				serve++
			}
		}
		return serve == 3
	})
	follower := (leader + 1) % 3
	c := m.dial(leader)
	open := gozk.WorldACL(gozk.PermAll)
	if _, err := c.Create("/kept", []byte("x"), 0, open); err != nil {
		t.Fatal(err)
	}
	want := contents(t, c)
	_, _, backup := ask(t, m.ks[leader], "GET", "snapshot", anybody, nil)
	if _, err := c.Create("/later", nil, 0, open); err != nil {
		t.Fatal(err)
	}
	if status, _, answer := ask(t, m.ks[follower], "POST", "restore", anybody, backup); status != http.StatusInternalServerError ||
		!strings.Contains(string(answer), fmt.Sprintf("member %d at 127.0.0.1", leader+1)) {
		t.Errorf("restore at a follower: %d %s", status, answer)
	}
	if status, _, answer := ask(t, m.ks[leader], "POST", "restore", anybody, backup); status != http.StatusOK {
		t.Fatalf("restore: %d %s", status, answer)
	}
	for i := range 3 {
		eventually(t, "the member has the restored state", func() bool {
			c := m.dial(i)
			defer c.Close()
			return contents(t, c) == want
		})
	}
	if z := fields(t, m.ks[follower], "zabstate"); z["zabstate"] != "broadcast" || z["is_leader"] != false || z["voting"] != true {
		t.Errorf("zabstate: %v", z)
	}
	if l := fields(t, m.ks[follower], "leader"); l["leader_id"] != float64(leader+1) || l["leader_ip"] != "127.0.0.1" {
		t.Errorf("leader: %v", l)
	}
	if v := fields(t, m.ks[follower], "voting_view")["current_config"].(map[string]any); len(v) != 3 {
		t.Errorf("voting_view: %v", v)
	}
}

func TestAuditLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.log")
	cfg := config(t.TempDir())
	cfg.Operate.Audit = keeper.Audit{Enable: true, File: file}
	k, err := keeper.Start(t.Context(), cfg, env.Real(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := client(t, k)
	r.must(&zk.AuthRequest{Scheme: "digest", Auth: []byte("me\n:pw")})
	r.must(create("/a", zk.Persistent))
	r.must(create("/a/s-", zk.EphemeralSequential))
	r.must(&zk.SetDataRequest{Path: "/a", Version: -1})
	r.must(&zk.SetACLRequest{Path: "/a", ACL: zk.OpenACL(), Version: -1})
	r.do(&zk.DeleteRequest{Path: "/none", Version: -1})
	r.must(&zk.MultiRequest{Ops: []zk.Request{create("/b", zk.Persistent), &zk.DeleteRequest{Path: "/b", Version: -1}}})
	r.do(&zk.MultiRequest{Ops: []zk.Request{&zk.DeleteRequest{Path: "/none", Version: -1}}})
	r.must(zk.CloseRequest{})
	if err := k.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(?m)^\S+Z `).ReplaceAllString(strings.ReplaceAll(string(text), "\t", " "), "")
	who := fmt.Sprintf("session=0x%x user=127.0.0.1,me? ip=127.0.0.1 operation=", r.resp.SessionID)
	want := "INFO audit: user=gregor operation=serverStart result=success\n" +
		"INFO audit: " + who + "create znode=/a znode_type=persistent result=success\n" +
		"INFO audit: " + who + "create znode=/a/s-0000000000 znode_type=ephemeral_sequential result=success\n" +
		"INFO audit: " + who + "setData znode=/a result=success\n" +
		"INFO audit: " + who + "setAcl znode=/a acl=world:anyone:cdrwa result=success\n" +
		"ERROR audit: " + who + "delete znode=/none result=failure\n" +
		"INFO audit: " + who + "create znode=/b znode_type=persistent result=success\n" +
		"INFO audit: " + who + "delete znode=/b result=success\n" +
		"ERROR audit: " + who + "multiOperation result=failure\n" +
		fmt.Sprintf("INFO audit: session=0x%x user=gregor operation=ephemeralZNodeDeletionOnSessionCloseOrExpire znode=/a/s-0000000000 result=success\n", r.resp.SessionID) +
		"INFO audit: user=gregor operation=serverStop result=invoked\n"
	if got != want {
		t.Errorf("audit log:\n%s\nwant\n%s", got, want)
	}
}

// TestCommandsOverTLS serves plain and secure on one port, and looks at who asks.
func TestCommandsOverTLS(t *testing.T) {
	dir, ca := t.TempDir(), certs.NewCA(t, "ca")
	server := ca.Issue(pkix.Name{CommonName: "keeper"}, "127.0.0.1")
	cfg := operated(t.TempDir())
	cfg.Security.X509, cfg.Security.X509SuperUser = true, "CN=root"
	cfg.Security.Members = secure.Options{
		KeyStore:   secure.Store{Location: server.KeyStore(filepath.Join(dir, "key.p12")), Password: certs.Password},
		TrustStore: secure.Store{Location: ca.TrustStore(filepath.Join(dir, "trust.jks")), Password: certs.Password},
	}
	cfg.Operate.Admin.UnifyTLS, cfg.Operate.Admin.NeedClientAuth = true, true
	k := start(t, cfg, env.Real())
	if _, err := connect(t, k).SetACL("/", gozk.WorldACL(gozk.PermRead), -1); err != nil {
		t.Fatal(err)
	}
	over := func(cn, auth string) (int, error) {
		t.Helper()
		c := &tls.Config{RootCAs: ca.Pool()}
		if cn != "" {
			c.Certificates = []tls.Certificate{ca.Issue(pkix.Name{CommonName: cn}).TLS()}
		}
		r, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("https://%s/commands/snapshot", k.SiteAddr("admin")), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", auth)
		resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}).Do(r)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if _, err := over("", "x509"); err == nil {
		t.Error("a client without a certificate is let in")
	}
	for _, c := range []struct {
		cn, auth string
		status   int
	}{{"me", "x509", http.StatusForbidden}, {"me", "digest a:b", http.StatusForbidden}, {"root", "x509", http.StatusOK}} {
		if status, err := over(c.cn, c.auth); err != nil || status != c.status {
			t.Errorf("%s by %s: %d, %v", c.cn, c.auth, status, err)
		}
	}
	if status, _, _ := ask(t, k, "GET", "ruok", "", nil); status != http.StatusOK {
		t.Errorf("a plain client: %d", status)
	}
	if status, _, _ := ask(t, k, "GET", "snapshot", "x509", nil); status != http.StatusUnauthorized {
		t.Errorf("a plain client without a certificate: %d", status)
	}
}

// TestPortThatIsTaken starts a keeper whose port for commands nobody chose.
func TestPortThatIsTaken(t *testing.T) {
	ln, err := env.Real().Net.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := config(t.TempDir())
	cfg.Operate.Admin.Listen = ln.Addr().String()
	if _, err := keeper.Start(t.Context(), cfg, env.Real(), quiet); err == nil || !strings.Contains(err.Error(), "for admin") {
		t.Errorf("a port that somebody chose: %v", err)
	}
	cfg.Operate.Admin.Lenient = true
	if k := start(t, cfg, env.Real()); k.SiteAddr("admin") != nil {
		t.Error("it serves on a port that is taken")
	}
}
