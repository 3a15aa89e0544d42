//go:build interop

package keeper

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/interop/peer"
	"github.com/gregor-mq/gregor/zk"
)

// operated is a server with commands over HTTP.
type operated struct {
	*peer.Ensemble
	name           string
	admin, metrics string // host:port; metrics may be empty
}

// operate starts one server; prometheus has it serve metrics.
func operate(t *testing.T, apache, prometheus bool) *operated {
	t.Helper()
	admin := strconv.Itoa(peer.Port(t))
	o := &operated{name: "gregor", admin: "127.0.0.1:" + admin}
	p := map[string]string{
		"admin.enableServer": "true", "admin.serverPort": admin, "admin.serverAddress": "127.0.0.1", "admin.rateLimiterIntervalInMS": "0",
	}
	if prometheus {
		port := strconv.Itoa(peer.Port(t))
		o.metrics = "127.0.0.1:" + port
		p["metricsProvider.className"] = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
		p["metricsProvider.httpPort"], p["metricsProvider.httpHost"] = port, "127.0.0.1"
	}
	if apache {
		o.name = "Apache"
		o.Ensemble = peer.ZooKeeper(t, "3.9.4-operate", peer.ZooKeeperOptions{Properties: p})
	} else {
		o.Ensemble = peer.GregorKeeper(t, peer.ZooKeeperOptions{Properties: p})
	}
	peer.Eventually(t, patience, func() error {
		resp, err := http.Get("http://" + o.admin + "/commands/ruok")
		if err == nil {
			resp.Body.Close()
		}
		return err
	})
	return o
}

// get reads what is served over HTTP.
func get(t *testing.T, addr, path string) (int, []byte) {
	t.Helper()
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

// busy makes the same things at a server, so that there is something to tell of.
func (o *operated) busy(t *testing.T) *client {
	c := connect(t, o.Addr, longSession, nil)
	c.create("/a", "data", zk.Persistent)
	c.create("/a/e", "", zk.Ephemeral)
	c.do(&zk.GetDataRequest{Path: "/a", Watch: true}, &zk.GetDataResponse{})
	c.do(&zk.GetChildrenRequest{Path: "/a", Watch: true}, &zk.GetChildrenResponse{})
	return c
}

func (o *operated) word(t *testing.T, w string) string {
	t.Helper()
	answer, err := o.Word(w)
	if err != nil {
		t.Fatalf("%s of %s: %v", w, o.name, err)
	}
	return answer
}

// shape leaves out of a text what two servers cannot agree on.
func shape(s string) string {
	for _, r := range [][2]string{
		{`[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \w+ \d{4}`, "DATE"},
		{`3\.9\.4-[^\n"]*`, "VERSION"},
		{`0x[0-9a-f]+`, "HEX"},
		{`(?m)^((?:data|dataLog)Dir)=.*$`, "$1=DIR"},
		{`\d+\.\d+`, "N.N"},
		{`\d+`, "N"},
	} {
		s = regexp.MustCompile(r[0]).ReplaceAllString(s, r[1])
	}
	return s
}

func TestWordsHaveApachesForm(t *testing.T) {
	both := []*operated{operate(t, true, false), operate(t, false, false)}
	for _, o := range both {
		o.busy(t)
	}
	mask := binary.BigEndian.AppendUint64([]byte("stmk"), 258)
	for _, w := range []string{"conf", "srvr", "stat", "cons", "dump", "wchs", "wchc", "wchp", "dirs", "isro", "ruok", "hash", "gtmk", string(mask), "gtmk", "crst", "srst"} {
		want, got := both[0].word(t, w), both[1].word(t, w)
		exact := slices.Contains([]string{"wchs", "isro", "ruok", "hash", "gtmk", string(mask), "crst", "srst"}, w)
		switch {
		case exact && got != want:
			t.Errorf("%q: %q, Apache %q", w, got, want)
		case lines(shape(got)) != lines(shape(want)):
			t.Errorf("%q:\n%s\nApache\n%s", w, got, want)
		}
	}
	nodes := regexp.MustCompile(`Node count: \d+`)
	if a, g := nodes.FindString(both[0].word(t, "srvr")), nodes.FindString(both[1].word(t, "srvr")); a != g {
		t.Errorf("%s, Apache %s", g, a)
	}
	keys := func(s string) string { return regexp.MustCompile(`(?m)=.*$`).ReplaceAllString(s, "") }
	if a, g := keys(both[0].word(t, "envi")), keys(both[1].word(t, "envi")); a != g {
		t.Errorf("envi:\n%s\nApache\n%s", g, a)
	}
}

// lines sorts those that describe a connection, which come in any order.
func lines(s string) string {
	all := strings.Split(s, "\n")
	at := slices.IndexFunc(all, func(l string) bool { return strings.HasPrefix(l, " /") || strings.HasPrefix(l, "\tip: ") })
	if at < 0 {
		return s
	}
	end := at
	for end < len(all) && (strings.HasPrefix(all[end], " /") || strings.HasPrefix(all[end], "\tip: ") || strings.Contains(all[end], " expire at ")) {
		end++
	}
	slices.Sort(all[at:end])
	// Whether connections end in the same tick is chance.
	kept := slices.DeleteFunc(all, func(l string) bool {
		return strings.Contains(l, "N expire at DATE:") || strings.HasPrefix(l, "Connections Sets")
	})
	return strings.Join(kept, "\n")
}

// monitored reads mntr.
func (o *operated) monitored(t *testing.T) (keys []string, values map[string]string) {
	t.Helper()
	values = map[string]string{}
	for line := range strings.Lines(o.word(t, "mntr")) {
		k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			t.Errorf("mntr of %s: %q", o.name, line)
		}
		keys = append(keys, k)
		values[k] = v
	}
	return keys, values
}

func TestMonitorHasApachesKeys(t *testing.T) {
	apache, gregor := operate(t, true, false), operate(t, false, false)
	apache.busy(t)
	gregor.busy(t)
	want, wantValues := apache.monitored(t)
	got, values := gregor.monitored(t)
	if len(got) < 60 || !slices.Equal(got[:2], want[:2]) {
		t.Errorf("%d keys begin with %q, Apache's with %q", len(got), got[:2], want[:2])
	}
	number := regexp.MustCompile(`^-?\d+$`)
	double := regexp.MustCompile(`^-?\d+\.\d+$`)
	for _, k := range got[2:] {
		v, ok := wantValues[k]
		switch {
		case !ok:
			t.Errorf("%s is no key of Apache's", k)
		case number.MatchString(v) != number.MatchString(values[k]) || double.MatchString(v) != double.MatchString(values[k]):
			t.Errorf("%s is %s, Apache's %s", k, values[k], v)
		}
	}
	for _, k := range []string{
		"zk_server_state", "zk_znode_count", "zk_ephemerals_count", "zk_watch_count", "zk_global_sessions", "zk_local_sessions", "zk_num_alive_connections",
		"zk_outstanding_requests", "zk_connection_request_count", "zk_approximate_data_size", "zk_cnt_node_created_watch_count", "zk_connection_drop_probability",
	} {
		if values[k] != wantValues[k] {
			t.Errorf("%s is %s, Apache's %s", k, values[k], wantValues[k])
		}
	}
	out, errs, exit := peer.Python(t, `
import sys
from kazoo.client import KazooClient
z = KazooClient(hosts=sys.argv[1])
z.start()
m = dict(l.split("\t") for l in z.command(b"mntr").splitlines())
print(m["zk_server_state"], int(m["zk_znode_count"]), float(m["zk_avg_latency"]) >= 0, z.server_version())
z.stop()
`, gregor.Addr)
	if exit != 0 || out != "standalone 7 True (3, 9, 4)\n" {
		t.Errorf("kazoo: exit %d, %q\n%s", exit, out, errs)
	}
}

// keysOf lists the keys of JSON with their depth, in order. Those that begin with a
// digit are ids and times.
func keysOf(t *testing.T, text []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	var b strings.Builder
	var walk func(path string)
	walk = func(path string) {
		tok, err := d.Token()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch tok {
		case json.Delim('{'):
			for d.More() {
				key, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				name := key.(string)
				if name[0] >= '0' && name[0] <= '9' {
					name = "N"
				}
				fmt.Fprintf(&b, "%s/%s\n", path, name)
				walk(path + "/" + name)
			}
			_, _ = d.Token()
		case json.Delim('['):
			for d.More() {
				walk(path + "[]")
			}
			_, _ = d.Token()
		default:
			fmt.Fprintf(&b, "%s %T\n", path, tok)
		}
	}
	walk("")
	return b.String()
}

func TestCommandsHaveApachesForm(t *testing.T) {
	both := []*operated{operate(t, true, false), operate(t, false, false)}
	for _, o := range both {
		o.busy(t)
	}
	_, list := get(t, both[0].admin, "/commands")
	if _, got := get(t, both[1].admin, "/commands"); !bytes.Equal(got, list) {
		t.Errorf("commands:\n%s\nApache\n%s", got, list)
	}
	for _, m := range regexp.MustCompile(`>(\w+)<`).FindAllSubmatch(list, -1) {
		command := string(m[1])
		wantStatus, want := get(t, both[0].admin, "/commands/"+command)
		status, got := get(t, both[1].admin, "/commands/"+command)
		if status != wantStatus {
			t.Errorf("%s: %d, Apache %d", command, status, wantStatus)
		}
		switch command {
		case "monitor", "system_properties", "environment": // as mntr; of the JVM
			continue
		}
		a, g := strings.Split(keysOf(t, want), "\n"), strings.Split(keysOf(t, got), "\n")
		if command == "server_stats" || command == "stats" { // in them the order is another with every start
			slices.Sort(a)
			slices.Sort(g)
		}
		if command == "dump" { // Apache keeps ticks in which nobody expires any more
			a, g = slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(g)))
		}
		if command == "last_snapshot" || command == "initial_configuration" {
			continue
		}
		if !slices.Equal(a, g) {
			t.Errorf("%s:\n%s\nApache\n%s", command, got, want)
		}
		if exactly := []string{"watch_summary", "is_read_only", "hash", "leader", "observers", "zabstate", "voting_view", "ruok", "snapshot", "restore"}; slices.Contains(exactly, command) && !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nApache\n%s", command, got, want)
		}
	}
	for _, command := range []string{"nonsense", "shed_connections", "set_trace_mask", "set_trace_mask?traceMask=7", "get_trace_mask", "crst", "srst", "isro"} {
		_, want := get(t, both[0].admin, "/commands/"+command)
		if _, got := get(t, both[1].admin, "/commands/"+command); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nApache\n%s", command, got, want)
		}
	}
}

func TestMetricsHaveApachesNames(t *testing.T) {
	apache, gregor := operate(t, true, true), operate(t, false, true)
	apache.busy(t)
	gregor.busy(t)
	read := func(o *operated) map[string]string {
		_, text := get(t, o.metrics, "/metrics")
		kinds := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllSubmatch(text, -1) {
			kinds[string(m[1])] = string(m[2])
		}
		return kinds
	}
	want, got := read(apache), read(gregor)
	for name, kind := range got {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		if want[name] != kind {
			t.Errorf("%s is a %s, Apache's %q", name, kind, want[name])
		}
	}
	if len(got) < 60 {
		t.Errorf("%d metrics", len(got))
	}
}

// TestBackupsPassBetweenServers takes a backup of each server to the other.
func TestBackupsPassBetweenServers(t *testing.T) {
	for _, fromApache := range []bool{true, false} {
		from, to := operate(t, fromApache, false), operate(t, !fromApache, false)
		c := connect(t, from.Addr, longSession, nil)
		for i := range 30 {
			c.create(fmt.Sprintf("/n%d", i), strings.Repeat("x", 1000*i), zk.Persistent)
		}
		c.set("/n3", "changed")
		c.delete("/n4")
		c.create("/n5/s-", "", zk.PersistentSequential)
		c.do(zk.CloseRequest{}, nil)
		own := func(l string) bool {
			return strings.HasPrefix(l, "/zookeeper ") || strings.HasPrefix(l, "/zookeeper/config ")
		}
		want := slices.DeleteFunc(dump(t, from.Addr), own)
		file := filepath.Join(t.TempDir(), "backup")
		if out, errs, exit := peer.RunGregor(t, "", "keeper", "backup", "--server", from.admin, "--to", file); exit != 0 {
			t.Fatalf("backup of %s: exit %d\n%s%s", from.name, exit, out, errs)
		}
		other := connect(t, to.Addr, longSession, nil)
		other.create("/gone", "", zk.Persistent)
		if out, errs, exit := peer.RunGregor(t, "", "keeper", "restore", "--server", to.admin, "--from", file); exit != 0 {
			t.Fatalf("restore to %s: exit %d\n%s%s", to.name, exit, out, errs)
		}
		peer.Eventually(t, patience, func() error {
			nc, err := net.DialTimeout("tcp", to.Addr, time.Second)
			if err == nil {
				nc.Close()
			}
			return err
		})
		same(t, to.name+" with a backup of "+from.name, want, slices.DeleteFunc(dump(t, to.Addr), own))
	}
}
