package keeper_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/zk"
)

func TestFourLetterWords(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.TickTime = 2 * time.Second
	k := start(t, cfg, env.Real())
	r := dial(t, k).hello(zk.ConnectRequest{Timeout: 18_000})
	r.must(create("/a", zk.Persistent))
	r.must(create("/a/e", zk.Ephemeral))
	r.must(&zk.ExistsRequest{Path: "/a", Watch: true})
	r.must(&zk.GetChildrenRequest{Path: "/a", Watch: true})
	const version = `Zookeeper version: 3\.9\.4-\S+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC\n`
	const server = `Latency min/avg/max: \d+/\d+\.\d+/\d+\nReceived: \d+\nSent: \d+\nConnections: 2\n` +
		`Outstanding: 0\nZxid: 0x100000003\nMode: standalone\nNode count: 7\n`
	const sid, date = `0x1[0-9a-f]{14}`, `\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}`
	const mine = ` /127\.0\.0\.1:\d+\[0\]\(queued=0,recved=1,sent=0\)`
	const full = ` /127\.0\.0\.1:\d+\[1\]\(queued=0,recved=4,sent=5,sid=` + sid + `,lop=GETC,est=\d{13},to=18000,` +
		`lcxid=0x4,lzxid=0x100000003,lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)`
	for w, want := range map[string]string{
		"ruok": `imok`, "isro": `rw`, "gtmk": `306`, "hash": ``,
		"srvr": version + server,
		"stat": version + `Clients:\n /127\.0\.0\.1:\d+\[1\]\(queued=0,recved=4,sent=5\)\n` + mine + `\n\n` + server,
		"cons": full + `\n` + mine + `\n\n`,
		"conf": `clientPort=\d+\nsecureClientPort=-1\ndataDir=/\S+\ndataDirSize=\d+\ndataLogDir=/\S+\ndataLogSize=\d+\n` +
			`tickTime=2000\nmaxClientCnxns=0\nminSessionTimeout=4000\nmaxSessionTimeout=60000\nclientPortListenBacklog=-1\nserverId=0\n`,
		"wchs": `1 connections watching 1 paths\nTotal watches:1\n`,
		"wchp": `/a\n\t` + sid + `\n\n`,
		"wchc": sid + `\n\t/a\n\n`,
		"dirs": `datadir_size: \d+\nlogdir_size: \d+\n`,
		"dump": `SessionTracker dump:\nSession Sets \(1\)/\(1\):\n1 expire at ` + date + `:\n\t` + sid + `\n` +
			`ephemeral nodes dump:\nSessions with Ephemerals \(1\):\n` + sid + `:\n\t/a/e\n` +
			`Connections dump:\nConnections Sets \(2\)/\(2\):\n(1 expire at ` + date + `:\n\tip: /127\.0\.0\.1:\d+ sessionId: 0x[0-9a-f]+\n){2}`,
		"envi": `Environment:\nzookeeper\.version=3\.9\.4-.*\nhost\.name=.*\n(java\..*\n){7}(os\..*\n){3}(user\..*\n){3}(os\.memory\..*\n){3}`,
	} {
		if got := word(t, k, w); !regexp.MustCompile(`^` + want + `$`).MatchString(got) {
			t.Errorf("%s:\n%s\nwant\n%s", w, got, want)
		}
	}
	mntr := word(t, k, "mntr")
	for _, want := range []string{
		"zk_version\t3.9.4-", "zk_server_state\tstandalone\n", "zk_znode_count\t7\n", "zk_ephemerals_count\t1\n",
		"zk_watch_count\t2\n", "zk_global_sessions\t1\n", "zk_num_alive_connections\t2\n", "zk_approximate_data_size\t50\n",
		"zk_outstanding_requests\t0\n", "zk_avg_latency\t", "zk_max_latency\t", "zk_open_file_descriptor_count\t", "zk_uptime\t",
	} {
		if !strings.Contains(mntr, want) {
			t.Errorf("mntr lacks %q:\n%s", want, mntr)
		}
	}
	if got := word(t, k, "crst") + word(t, k, "srst"); got != "Connection stats reset.\nServer stats reset.\n" {
		t.Error(got)
	}
	if got := word(t, k, "cons"); !strings.Contains(got, "[1](queued=0,recved=0,sent=0,sid=") || !strings.Contains(got, "lop=NA") {
		t.Errorf("after crst: %s", got)
	}
}

func TestWhitelist(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.FourLetterWords = nil
	k := start(t, cfg, env.Real())
	if got := word(t, k, "ruok"); got != "ruok is not executed because it is not in the whitelist.\n" {
		t.Error(got)
	}
	if got := word(t, k, "srvr"); !strings.HasPrefix(got, "Zookeeper version: ") {
		t.Error(got)
	}
	r := dial(t, k)
	r.send([]byte("what"))
	r.closed()
	// Within a session the same bytes are a length.
	c := client(t, k)
	c.send([]byte("srvr"))
	c.closed()
}
